# pipe
daemon_PROGRAMS += pipe/pipe
pipe_pipe_SOURCES = pipe/main.c pipe/options.c pipe/pipe.h pipe/words.c
pipe_pipe_LDADD = lib/route/libroute.a lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += pipe/README
