# postlogd
daemon_PROGRAMS += postlogd/postlogd
postlogd_postlogd_SOURCES = postlogd/main.c
postlogd_postlogd_LDADD = $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += postlogd/README
