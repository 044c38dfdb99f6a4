# lib/event
