# lib/agent
noinst_LIBRARIES += lib/agent/libagent.a
lib_agent_libagent_a_SOURCES = lib/agent/agent.h lib/agent/agent.c lib/agent/certificates.h lib/agent/certificates.c lib/agent/explained.c lib/agent/judge.c lib/agent/submit.h \
	lib/agent/submit.c lib/agent/overrides.c lib/agent/transcript.h lib/agent/transcript.c lib/agent/writer.h lib/agent/writer.c \
	lib/agent/drop.h lib/agent/drop.c
lib_agent_libagent_a_SOURCES += lib/agent/maildrop.h lib/agent/maildrop.c
lib_agent_libagent_a_SOURCES += lib/agent/launcher.h lib/agent/launcher.c \
	lib/agent/runner.h lib/agent/runner.c lib/agent/command.h lib/agent/command.c lib/agent/command_line.h lib/agent/command_line.c \
	lib/agent/serve.h lib/agent/serve.c
check_PROGRAMS += lib/agent/command_test
TESTS += lib/agent/command_test
lib_agent_command_test_SOURCES = lib/agent/command_test.c lib/agent/command.c
lib_agent_command_test_LDADD = $(TEST_LIBS) lib/deliver/libdeliver.a lib/ipc/libipc.a lib/event/libevent.a \
	lib/log/liblog.a lib/base/libbase.a
