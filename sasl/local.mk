# sasl
if HAVE_SASL
noinst_LIBRARIES += lib/sasl/libcyrus.a
lib_sasl_libcyrus_a_SOURCES = lib/sasl/cyrus.h lib/sasl/cyrus.c
lib_sasl_libcyrus_a_CFLAGS = $(AM_CFLAGS) $(SASL_CFLAGS)
daemon_PROGRAMS += sasl/sasl
sasl_sasl_SOURCES = sasl/judge.h sasl/judge.c sasl/client.h sasl/client.c sasl/main.c
sasl_sasl_LDADD = lib/sasl/libcyrus.a lib/sasl/libsasl.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(EXTERNAL_LIBS) $(SASL_LIBS)
endif
EXTRA_DIST += sasl/README
