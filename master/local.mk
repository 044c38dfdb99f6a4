# master
daemon_PROGRAMS += master/master
master_master_SOURCES = master/master.h master/environment.c master/lines.c master/log_file.c \
	master/main.c master/reload.c master/sockets.c master/saved.c master/saved.h master/stop.c master/supervise.c \
	master/upgrade.c master/wakeup.c master/watchdog.c master/workers.c
master_master_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += master/README
check_PROGRAMS += master/saved_test
TESTS += master/saved_test
master_saved_test_SOURCES = master/saved_test.c master/saved.c master/saved.h
master_saved_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
