# dns
if HAVE_UNBOUND
daemon_PROGRAMS += dns/dns
dns_dns_SOURCES = dns/main.c
dns_dns_LDADD = lib/dns/libdns.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS) \
	-lunbound -lresolv
endif
EXTRA_DIST += dns/README
