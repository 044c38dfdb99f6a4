# tlsmgr
daemon_PROGRAMS += tlsmgr/tlsmgr
tlsmgr_tlsmgr_SOURCES = tlsmgr/keys.h tlsmgr/keys.c tlsmgr/reader.h tlsmgr/reader.c \
	tlsmgr/sessions.h tlsmgr/sessions.c tlsmgr/tickets.h tlsmgr/tickets.c \
	tlsmgr/main.c
tlsmgr_tlsmgr_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += tlsmgr/tlsmgr_test
TESTS += tlsmgr/tlsmgr_test
tlsmgr_tlsmgr_test_SOURCES = tlsmgr/sessions.h tlsmgr/sessions.c tlsmgr/tickets.h \
	tlsmgr/tickets.c tlsmgr/tlsmgr_test.c
tlsmgr_tlsmgr_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
EXTRA_DIST += tlsmgr/README
