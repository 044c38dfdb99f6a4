# virtual
daemon_PROGRAMS += virtual/virtual
virtual_virtual_SOURCES = virtual/main.c
virtual_virtual_LDADD = $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += virtual/README
