# greylistd
daemon_PROGRAMS += greylistd/greylistd
greylistd_greylistd_SOURCES = greylistd/triplets.h greylistd/triplets.c greylistd/main.c
greylistd_greylistd_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += greylistd/triplets_test
TESTS += greylistd/triplets_test
greylistd_triplets_test_SOURCES = greylistd/triplets.h greylistd/triplets.c greylistd/triplets_test.c
greylistd_triplets_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += greylistd/triplets_fuzz
greylistd_triplets_fuzz_SOURCES = greylistd/triplets.h greylistd/triplets.c greylistd/triplets_fuzz.c
greylistd_triplets_fuzz_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
greylistd_triplets_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += greylistd/README
