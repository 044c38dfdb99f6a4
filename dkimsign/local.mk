# dkimsign
daemon_PROGRAMS += dkimsign/dkimsign
dkimsign_dkimsign_SOURCES = dkimsign/keys.h dkimsign/keys.c dkimsign/main.c
dkimsign_dkimsign_LDADD = $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += dkimsign/README
