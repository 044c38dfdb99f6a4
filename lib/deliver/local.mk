# lib/deliver
noinst_LIBRARIES += lib/deliver/libdeliver.a
lib_deliver_libdeliver_a_SOURCES = lib/deliver/deliver.h lib/deliver/content.c \
	lib/deliver/lines.c lib/deliver/maildir.c lib/deliver/mbox.c \
	lib/deliver/quota.h lib/deliver/quota.c lib/deliver/quota_count.c \
	lib/deliver/quota_file.c
check_PROGRAMS += lib/deliver/deliver_test lib/deliver/quota_test
TESTS += lib/deliver/deliver_test lib/deliver/quota_test
lib_deliver_deliver_test_SOURCES = lib/deliver/deliver_test.c
lib_deliver_deliver_test_LDADD = $(TEST_LIBS) lib/deliver/libdeliver.a lib/base/libbase.a
lib_deliver_quota_test_SOURCES = lib/deliver/quota_test.c
lib_deliver_quota_test_LDADD = $(TEST_LIBS) lib/deliver/libdeliver.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/deliver/quota_fuzz
lib_deliver_quota_fuzz_SOURCES = lib/deliver/quota_fuzz.c
lib_deliver_quota_fuzz_LDADD = lib/deliver/libdeliver.a lib/base/libbase.a
lib_deliver_quota_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
