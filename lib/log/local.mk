# lib/log
noinst_LIBRARIES += lib/log/liblog.a
lib_log_liblog_a_SOURCES = lib/log/log.h lib/log/lines.def lib/log/log_impl.h lib/log/log.c \
	lib/log/render.c lib/log/target.c
check_PROGRAMS += lib/log/log_test
TESTS += lib/log/log_test
lib_log_log_test_SOURCES = lib/log/log_test.c
lib_log_log_test_LDADD = lib/log/liblog.a $(TEST_LIBS) lib/base/libbase.a
