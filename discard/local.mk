# discard
