# lib/service
