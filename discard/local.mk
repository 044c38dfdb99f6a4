# discard
daemon_PROGRAMS += discard/discard
discard_discard_SOURCES = discard/main.c
discard_discard_LDADD = $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += discard/README
