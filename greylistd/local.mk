# greylistd
daemon_PROGRAMS += greylistd/greylistd
greylistd_greylistd_SOURCES = greylistd/triplets.h greylistd/triplets.c greylistd/main.c
greylistd_greylistd_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += greylistd/triplets_test
TESTS += greylistd/triplets_test
greylistd_triplets_test_SOURCES = greylistd/triplets.h greylistd/triplets.c greylistd/triplets_test.c
greylistd_triplets_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += greylistd/README
