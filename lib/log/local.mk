# lib/log
