# lib/dns
if HAVE_UNBOUND
noinst_LIBRARIES += lib/dns/libdns.a
lib_dns_libdns_a_SOURCES = lib/dns/resolver.h lib/dns/resolver.c lib/dns/packet.c lib/dns/hosts.c \
	lib/dns/answers.h lib/dns/answers.c
lib_dns_libdns_a_CFLAGS = $(AM_CFLAGS) $(UNBOUND_CFLAGS)
check_PROGRAMS += lib/dns/dns_test
TESTS += lib/dns/dns_test
lib_dns_dns_test_SOURCES = lib/dns/packet_test.c lib/dns/hosts_test.c
lib_dns_dns_test_LDADD = lib/dns/libdns.a $(TEST_LIBS) lib/base/libbase.a -lresolv
if FUZZ
EXTRA_PROGRAMS += lib/dns/packet_fuzz
lib_dns_packet_fuzz_SOURCES = lib/dns/packet_fuzz.c
lib_dns_packet_fuzz_LDADD = lib/dns/libdns.a lib/base/libbase.a -lresolv
lib_dns_packet_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
endif
