# qmgr
daemon_PROGRAMS += qmgr/qmgr
QMGR_PARTS = qmgr/active.h qmgr/active_impl.h qmgr/active.c qmgr/attempt.c \
	qmgr/record.c qmgr/refill.c qmgr/backoff.h qmgr/backoff.c qmgr/control.h \
	qmgr/control.c qmgr/delivery.h qmgr/delivery.c qmgr/errand.h qmgr/errand.c \
	qmgr/events.h qmgr/events.c \
	qmgr/feedback.h qmgr/feedback.c \
	qmgr/index.h qmgr/index.c qmgr/loader.h qmgr/loader.c qmgr/notice.h qmgr/notice.c \
	qmgr/outside.h qmgr/requeue.h qmgr/requeue.c qmgr/resolver.h qmgr/resolver.c \
	qmgr/suspend.h qmgr/suspend.c qmgr/shaping.h qmgr/shaping.c qmgr/limits.h qmgr/limits.c \
	qmgr/throttle.h qmgr/throttle.c qmgr/exchangers.h qmgr/exchangers.c \
	qmgr/destinations.h qmgr/destinations.c \
	qmgr/schedule.h qmgr/schedule_impl.h qmgr/schedule.c qmgr/transport.c \
	qmgr/destination.c qmgr/ready.c qmgr/job.c qmgr/preempt.c qmgr/clog.c \
	qmgr/store.h qmgr/store.c qmgr/ticker.h qmgr/ticker.c qmgr/verp.h qmgr/verp.c
QMGR_LIBS = $(ROUTE_LIBS) $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS) -lm
qmgr_qmgr_SOURCES = qmgr/main.c qmgr/explained.h qmgr/explain.c $(QMGR_PARTS)
qmgr_qmgr_LDADD = $(QMGR_LIBS)
check_PROGRAMS += qmgr/qmgr_test qmgr/queue_test qmgr/schedule_test qmgr/limits_test \
	qmgr/exchangers_test
TESTS += qmgr/qmgr_test qmgr/queue_test qmgr/schedule_test qmgr/limits_test \
	qmgr/exchangers_test
qmgr_qmgr_test_SOURCES = qmgr/qmgr_test.c qmgr/index.h qmgr/index.c qmgr/feedback.h \
	qmgr/feedback.c qmgr/backoff.h qmgr/backoff.c qmgr/verp.h qmgr/verp.c
qmgr_qmgr_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) -lm
qmgr_queue_test_SOURCES = qmgr/play.h qmgr/play.c qmgr/queue_test.c \
	qmgr/queue_command_test.c qmgr/queue_failure_test.c qmgr/queue_pace_test.c \
	qmgr/queue_parts_test.c $(QMGR_PARTS)
qmgr_queue_test_LDADD = $(TEST_LIBS) $(QMGR_LIBS)
qmgr_schedule_test_SOURCES = qmgr/schedule_test.c qmgr/schedule.h qmgr/schedule_impl.h \
	qmgr/schedule.c qmgr/transport.c qmgr/destination.c qmgr/ready.c qmgr/job.c \
	qmgr/preempt.c qmgr/feedback.h qmgr/feedback.c qmgr/resolver.h qmgr/resolver.c \
	qmgr/shaping.h qmgr/shaping.c qmgr/limits.h qmgr/limits.c qmgr/throttle.h qmgr/throttle.c \
	qmgr/exchangers.h qmgr/exchangers.c
qmgr_schedule_test_LDADD = $(TEST_LIBS) $(QMGR_LIBS)
qmgr_exchangers_test_SOURCES = qmgr/exchangers_test.c qmgr/exchangers.h qmgr/exchangers.c
qmgr_exchangers_test_LDADD = $(TEST_LIBS) $(BASE_LIBS)
qmgr_limits_test_SOURCES = qmgr/limits_test.c qmgr/limits.h qmgr/limits.c
qmgr_limits_test_LDADD = $(TEST_LIBS) $(BASE_LIBS)
if FUZZ
EXTRA_PROGRAMS += qmgr/limits_fuzz
qmgr_limits_fuzz_SOURCES = qmgr/limits_fuzz.c qmgr/limits.h qmgr/limits.c
qmgr_limits_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
qmgr_limits_fuzz_LDADD = $(BASE_LIBS)
endif
EXTRA_DIST += qmgr/README
