# dkimsign
daemon_PROGRAMS += dkimsign/dkimsign
dkimsign_dkimsign_SOURCES = dkimsign/changes.h dkimsign/changes.c dkimsign/keys.h dkimsign/keys.c \
	dkimsign/rewrite.h dkimsign/rewrite.c dkimsign/main.c
dkimsign_dkimsign_LDADD = lib/auth/libauth.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += dkimsign/README
