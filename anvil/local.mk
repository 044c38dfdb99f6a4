# anvil
daemon_PROGRAMS += anvil/anvil
anvil_anvil_SOURCES = anvil/counts.h anvil/counts.c anvil/main.c
anvil_anvil_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += anvil/counts_test
TESTS += anvil/counts_test
anvil_counts_test_SOURCES = anvil/counts.h anvil/counts.c anvil/counts_test.c
anvil_counts_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += anvil/README
