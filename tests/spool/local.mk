# tests/spool
check_PROGRAMS += tests/spool/dump
tests_spool_dump_SOURCES = tests/spool/dump.c
tests_spool_dump_LDADD = $(SPOOL_LIBS)
