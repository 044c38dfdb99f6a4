# lib/event
noinst_LIBRARIES += lib/event/libevent.a
lib_event_libevent_a_SOURCES = lib/event/event.h lib/event/event_impl.h lib/event/switch.h \
	lib/event/switch_which.h lib/event/child.c lib/event/co.c lib/event/io.c \
	lib/event/later.c lib/event/listen.c lib/event/loop.c lib/event/offload.c \
	lib/event/post.c lib/event/queue.c lib/event/scope.c lib/event/signal.c \
	lib/event/stack.c lib/event/switch.c lib/event/switch_asm.S lib/event/timer.c

# The same with ucontext and painted stacks: other machines' switch, and the census
# without AddressSanitizer, pass the same tests.
check_LIBRARIES = lib/event/libevent_ucontext.a
lib_event_libevent_ucontext_a_SOURCES = $(lib_event_libevent_a_SOURCES)
lib_event_libevent_ucontext_a_CPPFLAGS = $(AM_CPPFLAGS) -DCO_UCONTEXT=1 -DCO_CENSUS=1

event_tests = lib/event/event_test.h lib/event/event_test.c lib/event/co_test.c \
	lib/event/io_test.c lib/event/process_test.c
check_PROGRAMS += lib/event/event_test lib/event/event_ucontext_test
TESTS += lib/event/event_test lib/event/event_ucontext_test
lib_event_event_test_SOURCES = $(event_tests)
lib_event_event_test_LDADD = $(TEST_LIBS) lib/event/libevent.a lib/base/libbase.a -lpthread
lib_event_event_ucontext_test_SOURCES = $(event_tests)
lib_event_event_ucontext_test_LDADD = $(TEST_LIBS) lib/event/libevent_ucontext.a \
	lib/base/libbase.a -lpthread

# What a switch and a coroutine cost; run by hand.
check_PROGRAMS += lib/event/event_bench
lib_event_event_bench_SOURCES = lib/event/event_bench.c
lib_event_event_bench_LDADD = lib/event/libevent.a lib/base/libbase.a -lpthread
