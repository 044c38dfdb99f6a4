# dns
if HAVE_UNBOUND
daemon_PROGRAMS += dns/dns
dns_dns_SOURCES = dns/main.c
dns_dns_LDADD = lib/dns/libdns.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS) \
	-lunbound -lresolv
# For tests/dns/: puts questions to a running dns.
check_PROGRAMS += tests/dns/ask
tests_dns_ask_SOURCES = tests/dns/ask.c
tests_dns_ask_LDADD = $(BASE_LIBS) $(EXTERNAL_LIBS)
endif
EXTRA_DIST += dns/README
