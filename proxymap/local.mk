# proxymap
daemon_PROGRAMS += proxymap/proxymap
proxymap_proxymap_SOURCES = proxymap/main.c
proxymap_proxymap_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += proxymap/README
