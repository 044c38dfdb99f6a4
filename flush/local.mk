# flush
daemon_PROGRAMS += flush/flush
flush_flush_SOURCES = flush/main.c
flush_flush_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += flush/README tests/flush/flush_test.py
