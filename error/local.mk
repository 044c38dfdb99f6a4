# error
daemon_PROGRAMS += error/error
error_error_SOURCES = error/main.c
error_error_LDADD = $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += error/README
