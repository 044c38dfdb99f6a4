# smtp
noinst_LIBRARIES += smtp/libsmtp.a
smtp_libsmtp_a_SOURCES = smtp/smtp.h smtp/nexthop.c smtp/hosts.c smtp/attempt.c smtp/reply.c \
	smtp/session.c smtp/starttls.c smtp/tls_policy.c smtp/tls_per_site.c smtp/dane.c smtp/sts.c smtp/requiretls.c smtp/source.c smtp/transfer.c smtp/command.c smtp/content.c smtp/edit.c smtp/pool.c smtp/quirks.c \
	smtp/auth.c smtp/tls_cache.c
daemon_PROGRAMS += smtp/smtp
smtp_smtp_SOURCES = smtp/main.c smtp/explain.c
smtp_smtp_LDADD = smtp/libsmtp.a lib/auth/libauth.a lib/sasl/libsasl.a $(ROUTE_LIBS) $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(EXTERNAL_LIBS)
check_PROGRAMS += smtp/nexthop_test smtp/smtp_test
TESTS += smtp/nexthop_test smtp/smtp_test
smtp_nexthop_test_SOURCES = smtp/nexthop_test.c smtp/nexthop.c
smtp_nexthop_test_LDADD = lib/conf/libconf.a $(TEST_LIBS) lib/base/libbase.a
smtp_smtp_test_SOURCES = smtp/play.h smtp/play.c smtp/session_test.c smtp/transfer_test.c \
	smtp/content_test.c smtp/dane_test.c smtp/hosts_test.c smtp/lmtp_test.c smtp/requiretls_test.c smtp/source_test.c smtp/sts_test.c smtp/tls_policy_test.c
# No libservice: play.c and libalone stand in for master and broker.
smtp_smtp_test_LDADD = smtp/libsmtp.a lib/auth/libauth.a lib/sasl/libsasl.a lib/mime/libmime.a $(TEST_LIBS) lib/agent/libagent.a \
	lib/service/libalone.a lib/deliver/libdeliver.a $(ROUTE_LIBS) $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) \
	$(EXTERNAL_LIBS)
EXTRA_DIST += smtp/README
# posttls-finger: a command, and smtp's code. finger_alone.c and libalone stand in for
# lib/service and tls_cache.c.
if HAVE_UNBOUND
sbin_PROGRAMS += tools/posttls-finger
tools_posttls_finger_SOURCES = smtp/finger.h smtp/finger.c smtp/finger_options.c \
	smtp/finger_watch.c smtp/finger_alone.c
tools_posttls_finger_LDADD = smtp/libsmtp.a lib/auth/libauth.a lib/sasl/libsasl.a lib/mime/libmime.a lib/agent/libagent.a \
	lib/service/libalone.a lib/deliver/libdeliver.a $(ROUTE_LIBS) lib/dns/libdns.a $(TABLE_LIBS) $(BASE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS) -lunbound -lresolv
endif
if FUZZ
EXTRA_PROGRAMS += smtp/reply_fuzz
# play.c and libalone for what the rest of libsmtp asks of lib/service.
smtp_reply_fuzz_SOURCES = smtp/reply_fuzz.c smtp/play.h smtp/play.c
smtp_reply_fuzz_LDADD = $(smtp_smtp_test_LDADD)
smtp_reply_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
