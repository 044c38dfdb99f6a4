# spawn
daemon_PROGRAMS += spawn/spawn
spawn_spawn_SOURCES = spawn/main.c
spawn_spawn_LDADD = $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += spawn/README
