# local
daemon_PROGRAMS += local/local
local_local_SOURCES = local/main.c local/local.h local/alias.c local/user.c local/forward.c
local_local_LDADD = lib/route/libroute.a lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += local/README
