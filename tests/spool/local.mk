# tests/spool
check_PROGRAMS += tests/spool/dump tests/spool/many
tests_spool_dump_SOURCES = tests/spool/dump.c
tests_spool_dump_LDADD = $(SPOOL_LIBS)
tests_spool_many_SOURCES = tests/spool/many.c
tests_spool_many_LDADD = $(SPOOL_LIBS)
