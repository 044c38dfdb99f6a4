# lib/base
noinst_LIBRARIES += lib/base/libbase.a
lib_base_libbase_a_SOURCES = lib/base/base.h lib/base/arena.c lib/base/buf.c lib/base/crc32c.c \
	lib/base/encode.c lib/base/fd.c lib/base/mailbox.h lib/base/mailbox.c lib/base/map.c lib/base/mem.c lib/base/str.c \
	lib/base/text.c lib/base/time.c lib/base/why.c
noinst_LIBRARIES += lib/base/libtest.a
lib_base_libtest_a_SOURCES = lib/base/test.h lib/base/test.c
TEST_LIBS = lib/base/libtest.a
check_PROGRAMS += lib/base/base_test
TESTS += lib/base/base_test
lib_base_base_test_SOURCES = lib/base/base_test.c
lib_base_base_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
check_PROGRAMS += lib/base/mailbox_test
TESTS += lib/base/mailbox_test
lib_base_mailbox_test_SOURCES = lib/base/mailbox_test.c
lib_base_mailbox_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
