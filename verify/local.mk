# verify
daemon_PROGRAMS += verify/verify
verify_verify_SOURCES = verify/cache.h verify/cache.c verify/main.c
verify_verify_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += verify/cache_test
TESTS += verify/cache_test
verify_cache_test_SOURCES = verify/cache.h verify/cache.c verify/cache_test.c
verify_cache_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += verify/README
