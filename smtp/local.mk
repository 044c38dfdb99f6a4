# smtp
daemon_PROGRAMS += smtp/smtp
smtp_smtp_SOURCES = smtp/main.c smtp/smtp.h smtp/nexthop.c smtp/hosts.c smtp/reply.c \
	smtp/session.c smtp/transfer.c smtp/pool.c
smtp_smtp_LDADD = lib/route/libroute.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += smtp/README
check_PROGRAMS += smtp/nexthop_test
TESTS += smtp/nexthop_test
smtp_nexthop_test_SOURCES = smtp/nexthop_test.c smtp/nexthop.c
smtp_nexthop_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
