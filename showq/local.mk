# showq
daemon_PROGRAMS += showq/showq
showq_showq_SOURCES = showq/main.c
showq_showq_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += showq/README
