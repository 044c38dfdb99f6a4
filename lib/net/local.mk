# lib/net
