# lib/dns
if HAVE_UNBOUND
noinst_LIBRARIES += lib/dns/libdns.a
lib_dns_libdns_a_SOURCES = lib/dns/resolver.h lib/dns/resolver.c lib/dns/packet.c lib/dns/hosts.c
lib_dns_libdns_a_CFLAGS = $(AM_CFLAGS) $(UNBOUND_CFLAGS)
endif
