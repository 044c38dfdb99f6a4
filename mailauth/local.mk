# mailauth
if HAVE_MAILAUTH
daemon_PROGRAMS += mailauth/mailauth
mailauth_mailauth_SOURCES = mailauth/main.c mailauth/turn.h mailauth/turn.c
mailauth_mailauth_LDADD = lib/auth/libauth.a lib/mime/libmime.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(OPENDKIM_LIBS) $(SPF2_LIBS) $(EXTERNAL_LIBS)
endif
if HAVE_OPENDKIM
if HAVE_SPF2
# For tests/auth/: mailauth, with libraries that a word brings down.
check_PROGRAMS += tests/auth/brittle
tests_auth_brittle_SOURCES = $(mailauth_mailauth_SOURCES) tests/auth/brittle.c
tests_auth_brittle_CFLAGS = $(AM_CFLAGS) $(OPENDKIM_CFLAGS)
tests_auth_brittle_LDADD = $(mailauth_mailauth_LDADD)
tests_auth_brittle_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=dkim_body,--wrap=SPF_request_query_mailfrom
endif
endif
EXTRA_DIST += mailauth/README
