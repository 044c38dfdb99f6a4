# postscreen
noinst_LIBRARIES += postscreen/libpostscreen.a
postscreen_libpostscreen_a_SOURCES = postscreen/cache.h postscreen/cache.c postscreen/early.c \
	postscreen/engine.c postscreen/lists.h postscreen/lists.c postscreen/pass.c \
	postscreen/scores.h postscreen/scores.c postscreen/session.h postscreen/session.c \
	postscreen/site.h postscreen/site.c postscreen/stamps.h postscreen/stamps.c \
	postscreen/verbs.c
daemon_PROGRAMS += postscreen/postscreen
postscreen_postscreen_SOURCES = postscreen/main.c
postscreen_postscreen_LDADD = postscreen/libpostscreen.a lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += postscreen/README
check_PROGRAMS += postscreen/postscreen_test
TESTS += postscreen/postscreen_test
postscreen_postscreen_test_SOURCES = postscreen/play.h postscreen/play.c postscreen/engine_test.c \
	postscreen/scores_test.c postscreen/stamps_test.c
# No libservice: play.c and libalone stand in for master and broker.
postscreen_postscreen_test_LDADD = postscreen/libpostscreen.a $(TEST_LIBS) lib/mime/libmime.a \
	lib/agent/libagent.a lib/service/libalone.a $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += postscreen/engine_fuzz
postscreen_engine_fuzz_SOURCES = postscreen/engine_fuzz.c postscreen/play.h postscreen/play.c
postscreen_engine_fuzz_LDADD = $(postscreen_postscreen_test_LDADD)
postscreen_engine_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
