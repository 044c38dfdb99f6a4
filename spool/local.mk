# spool
daemon_PROGRAMS += spool/spool
spool_spool_SOURCES = spool/daemon.h spool/main.c spool/put.c spool/watch.c spool/corrupt.c
spool_spool_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += spool/README
