# lib/agent
noinst_LIBRARIES += lib/agent/libagent.a
lib_agent_libagent_a_SOURCES = lib/agent/agent.h lib/agent/agent.c lib/agent/submit.h \
	lib/agent/submit.c lib/agent/writer.h lib/agent/writer.c \
	lib/agent/drop.h lib/agent/drop.c
lib_agent_libagent_a_SOURCES += lib/agent/maildrop.h lib/agent/maildrop.c
