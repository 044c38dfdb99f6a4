# lib/service
noinst_LIBRARIES += lib/service/libservice.a
lib_service_libservice_a_SOURCES = lib/service/service.h lib/service/service_impl.h \
	lib/service/sandbox_internal.h lib/service/spawn.h lib/service/syscalls.h \
	lib/service/accept.c lib/service/accepted.c lib/service/cache_journal.h lib/service/cache_journal.c lib/service/cache_table.h lib/service/cache_table.c lib/service/capabilities.c lib/service/captured.c \
	lib/service/control.c lib/service/datagrams.c lib/service/explained.c \
	lib/service/maillog.c lib/service/maillog.h lib/service/instance.h lib/service/instance.c lib/service/landlock.c lib/service/options.c \
	lib/service/peers.c lib/service/queue_id.c lib/service/sandbox.c \
	lib/service/seccomp.c lib/service/service.c lib/service/spawn.c \
	lib/service/suspect.h lib/service/suspect.c \
	lib/service/syscalls.c lib/service/renew.c lib/service/tables.c lib/service/users.c
# For processes without a master; never beside libservice.
noinst_LIBRARIES += lib/service/libalone.a
lib_service_libalone_a_SOURCES = lib/service/service.h lib/service/alone.c
SERVICE_TEST_LIBS = lib/service/libservice.a $(TEST_LIBS) $(TABLE_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
check_PROGRAMS += lib/service/service_test lib/service/sandbox_test
TESTS += lib/service/service_test lib/service/sandbox_test
lib_service_service_test_SOURCES = lib/service/service_test.c
lib_service_service_test_LDADD = $(SERVICE_TEST_LIBS)
lib_service_sandbox_test_SOURCES = lib/service/sandbox_test.c
lib_service_sandbox_test_LDADD = $(SERVICE_TEST_LIBS)
# Without the rest of the suite, so that other machines' tables can be tried by emulation.
check_PROGRAMS += lib/service/seccomp_test
TESTS += lib/service/seccomp_test
lib_service_seccomp_test_SOURCES = lib/service/seccomp_test.c lib/service/seccomp.c \
	lib/service/syscalls.c
lib_service_seccomp_test_LDADD = $(TEST_LIBS) lib/log/liblog.a lib/base/libbase.a
check_PROGRAMS += lib/service/cache_journal_test
TESTS += lib/service/cache_journal_test
lib_service_cache_journal_test_SOURCES = lib/service/cache_journal_test.c
lib_service_cache_journal_test_LDADD = $(SERVICE_TEST_LIBS)
