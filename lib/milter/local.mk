# lib/milter
noinst_LIBRARIES += lib/milter/libmilter.a
lib_milter_libmilter_a_SOURCES = lib/milter/milter.h lib/milter/milter_impl.h lib/milter/packets.h \
	lib/milter/packets.c lib/milter/settings.c lib/milter/milter.c lib/milter/milters.c \
	lib/milter/content.c
check_PROGRAMS += lib/milter/packets_test
TESTS += lib/milter/packets_test
lib_milter_packets_test_SOURCES = lib/milter/packets_test.c
lib_milter_packets_test_LDADD = $(TEST_LIBS) lib/milter/libmilter.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/milter/packets_fuzz
lib_milter_packets_fuzz_SOURCES = lib/milter/packets_fuzz.c
lib_milter_packets_fuzz_LDADD = lib/milter/libmilter.a lib/base/libbase.a
lib_milter_packets_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
