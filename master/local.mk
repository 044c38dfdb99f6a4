# master
daemon_PROGRAMS += master/master
master_master_SOURCES = master/master.h master/environment.c master/lines.c master/log_file.c \
	master/main.c master/notify.c master/notify.h master/reload.c master/saved.c \
	master/saved.h master/sockets.c master/stop.c master/supervise.c master/suspects.c \
	master/suspects.h master/upgrade.c \
	master/wakeup.c master/watchdog.c master/workers.c
master_master_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += master/README
check_PROGRAMS += master/notify_test master/saved_test master/suspects_test
TESTS += master/notify_test master/saved_test master/suspects_test
master_suspects_test_SOURCES = master/suspects_test.c master/suspects.c master/suspects.h
master_suspects_test_LDADD = lib/service/libservice.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
master_notify_test_SOURCES = master/notify_test.c master/notify.c master/notify.h
master_notify_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
master_saved_test_SOURCES = master/saved_test.c master/saved.c master/saved.h
master_saved_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
