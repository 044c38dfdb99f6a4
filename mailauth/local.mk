# mailauth
if HAVE_OPENDKIM
daemon_PROGRAMS += mailauth/mailauth
mailauth_mailauth_SOURCES = mailauth/main.c
mailauth_mailauth_LDADD = lib/auth/libauth.a lib/mime/libmime.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(OPENDKIM_LIBS) $(EXTERNAL_LIBS)
endif
EXTRA_DIST += mailauth/README
