# cleanup
daemon_PROGRAMS += cleanup/cleanup
cleanup_cleanup_SOURCES = cleanup/main.c cleanup/message.h cleanup/steps.c cleanup/envelope.c \
	cleanup/mapping.c cleanup/rewrite.c cleanup/checks.c \
	cleanup/headers.c cleanup/milters.c cleanup/edits.c cleanup/edits.h cleanup/input.c cleanup/strict.c cleanup/content.c \
	cleanup/commit.c cleanup/sign.c cleanup/sign.h cleanup/seal.c cleanup/srs.c cleanup/verify.c \
	cleanup/report.c
cleanup_cleanup_LDADD = lib/auth/libauth.a lib/milter/libmilter.a lib/route/libroute.a lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += cleanup/README
