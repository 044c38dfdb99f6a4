# lib/mime
