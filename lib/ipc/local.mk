# lib/ipc
noinst_LIBRARIES += lib/ipc/libipc.a
lib_ipc_libipc_a_SOURCES = lib/ipc/ipc.h lib/ipc/ipc_impl.h lib/ipc/messages.h \
	lib/ipc/messages_auth.h lib/ipc/messages_client.h lib/ipc/messages_deliver.h \
	lib/ipc/messages_explain.h lib/ipc/messages_lookup.h lib/ipc/messages_mail.h \
	lib/ipc/messages_queue.h lib/ipc/messages_tls.h \
	lib/ipc/explain.h lib/ipc/call.c lib/ipc/encode.c lib/ipc/explain.c lib/ipc/hello.c lib/ipc/link.c lib/ipc/out.c \
	lib/ipc/peer.c lib/ipc/request.c
IPC_TEST_LIBS = lib/ipc/libipc.a lib/event/libevent.a lib/log/liblog.a $(TEST_LIBS) \
	lib/base/libbase.a -lpthread
check_PROGRAMS += lib/ipc/explain_test lib/ipc/ipc_test lib/ipc/messages_test
TESTS += lib/ipc/explain_test lib/ipc/ipc_test lib/ipc/messages_test
lib_ipc_explain_test_SOURCES = lib/ipc/explain_test.c
lib_ipc_explain_test_LDADD = $(IPC_TEST_LIBS)
lib_ipc_ipc_test_SOURCES = lib/ipc/ipc_test.c
lib_ipc_ipc_test_LDADD = $(IPC_TEST_LIBS)
lib_ipc_messages_test_SOURCES = lib/ipc/messages_test.c lib/ipc/all_messages.h
lib_ipc_messages_test_LDADD = $(IPC_TEST_LIBS)
noinst_PROGRAMS += lib/ipc/ipc_bench
lib_ipc_ipc_bench_SOURCES = lib/ipc/ipc_bench.c
lib_ipc_ipc_bench_LDADD = $(IPC_TEST_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/ipc/messages_fuzz lib/ipc/link_fuzz
lib_ipc_link_fuzz_SOURCES = lib/ipc/link_fuzz.c
lib_ipc_link_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_ipc_link_fuzz_LDADD = $(IPC_TEST_LIBS)
lib_ipc_messages_fuzz_SOURCES = lib/ipc/messages_fuzz.c lib/ipc/all_messages.h
lib_ipc_messages_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_ipc_messages_fuzz_LDADD = $(IPC_TEST_LIBS)
endif
