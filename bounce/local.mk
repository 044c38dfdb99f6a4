# bounce
daemon_PROGRAMS += bounce/bounce
bounce_bounce_SOURCES = bounce/main.c bounce/notices.h bounce/transcript.c bounce/report.h bounce/report.c bounce/words.h bounce/words.c
bounce_bounce_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += bounce/README
check_PROGRAMS += bounce/report_test
TESTS += bounce/report_test
bounce_report_test_SOURCES = bounce/report_test.c bounce/report.h bounce/report.c bounce/words.h bounce/words.c
bounce_report_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
