# anvil
daemon_PROGRAMS += anvil/anvil
anvil_anvil_SOURCES = anvil/counts.h anvil/counts.c anvil/quotas.h \
	anvil/quotas.c anvil/main.c
anvil_anvil_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += anvil/counts_test
TESTS += anvil/counts_test
anvil_counts_test_SOURCES = anvil/counts.h anvil/counts.c anvil/counts_test.c
anvil_counts_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
check_PROGRAMS += anvil/quotas_test
TESTS += anvil/quotas_test
anvil_quotas_test_SOURCES = anvil/counts.h anvil/counts.c anvil/quotas.h anvil/quotas.c \
	anvil/quotas_test.c
anvil_quotas_test_LDADD = $(anvil_counts_test_LDADD)
if FUZZ
EXTRA_PROGRAMS += anvil/quotas_fuzz
anvil_quotas_fuzz_SOURCES = anvil/counts.h anvil/counts.c anvil/quotas.h anvil/quotas.c \
	anvil/quotas_fuzz.c
anvil_quotas_fuzz_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
anvil_quotas_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += anvil/README
