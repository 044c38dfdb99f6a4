# lib/deliver
noinst_LIBRARIES += lib/deliver/libdeliver.a
lib_deliver_libdeliver_a_SOURCES = lib/deliver/deliver.h lib/deliver/content.c \
	lib/deliver/lines.c lib/deliver/maildir.c lib/deliver/mbox.c
check_PROGRAMS += lib/deliver/deliver_test
TESTS += lib/deliver/deliver_test
lib_deliver_deliver_test_SOURCES = lib/deliver/deliver_test.c
lib_deliver_deliver_test_LDADD = $(TEST_LIBS) lib/deliver/libdeliver.a lib/base/libbase.a
