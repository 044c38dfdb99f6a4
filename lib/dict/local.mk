# lib/dict
