# lib/net
noinst_LIBRARIES += lib/net/libnet.a
lib_net_libnet_a_SOURCES = lib/net/net.h lib/net/net_impl.h lib/net/tls_impl.h lib/net/tls_digest.h \
	lib/net/tls_keys.h \
	lib/net/dnslist.h lib/net/haproxy.h lib/net/haproxy.c \
	lib/net/addr.c lib/net/conn.c lib/net/dnslist.c lib/net/listen.c lib/net/tls.c \
	lib/net/tls_anchors.c lib/net/tls_certificates.c lib/net/tls_chain.c lib/net/tls_config.c \
	lib/net/tls_context.c lib/net/tls_dane.c lib/net/tls_digest.c lib/net/tls_elsewhere.c lib/net/tls_expiry.c lib/net/tls_info.c \
	lib/net/tls_keys.c lib/net/tls_options.c lib/net/tls_server.c lib/net/tls_sessions.c \
	lib/net/tls_sign.h lib/net/tls_sign.c \
	lib/net/tls_tickets.c lib/net/tls_trace.c
NET_TEST_LIBS = lib/net/libnet.a lib/event/libevent.a lib/log/liblog.a $(TEST_LIBS) \
	lib/base/libbase.a $(OPENSSL_LIBS) -lpthread
check_PROGRAMS += lib/net/net_test lib/net/tls_test
TESTS += lib/net/net_test lib/net/tls_test
lib_net_net_test_SOURCES = lib/net/net_test.c lib/net/addr_test.c lib/net/dnslist_test.c \
	lib/net/haproxy_test.c
lib_net_net_test_LDADD = $(NET_TEST_LIBS)
lib_net_tls_test_SOURCES = lib/net/tls_stage.h lib/net/tls_stage.c lib/net/tls_test.c \
	lib/net/tls_config_test.c lib/net/tls_dane_test.c lib/net/tls_keys_test.c \
	lib/net/tls_resume_test.c lib/net/tls_sign_test.c
lib_net_tls_test_LDADD = $(NET_TEST_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/net/net_fuzz lib/net/dnslist_fuzz lib/net/haproxy_fuzz lib/net/tls_dane_fuzz
lib_net_tls_dane_fuzz_SOURCES = lib/net/tls_dane_fuzz.c
lib_net_tls_dane_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_net_tls_dane_fuzz_LDADD = $(NET_TEST_LIBS)
lib_net_haproxy_fuzz_SOURCES = lib/net/haproxy_fuzz.c
lib_net_haproxy_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_net_haproxy_fuzz_LDADD = $(NET_TEST_LIBS)
lib_net_dnslist_fuzz_SOURCES = lib/net/dnslist_fuzz.c
lib_net_dnslist_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_net_dnslist_fuzz_LDADD = $(NET_TEST_LIBS)
lib_net_net_fuzz_SOURCES = lib/net/net_fuzz.c
lib_net_net_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_net_net_fuzz_LDADD = $(NET_TEST_LIBS)
endif
# HTTPS, for those who fetch something: libcurl
if HAVE_CURL
noinst_LIBRARIES += lib/net/libhttps.a
lib_net_libhttps_a_SOURCES = lib/net/https.h lib/net/https.c
lib_net_libhttps_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
endif
