# lib/sasl
noinst_LIBRARIES += lib/sasl/libsasl.a
lib_sasl_libsasl_a_SOURCES = lib/sasl/sasl.h lib/sasl/sasl_impl.h lib/sasl/dovecot_line.h \
	lib/sasl/sasl_login.h lib/sasl/sasl_login_impl.h lib/sasl/sasl.c lib/sasl/dovecot.c \
	lib/sasl/dovecot_line.c lib/sasl/sasl_login.c lib/sasl/scram.c
SASL_TEST_LIBS = lib/sasl/libsasl.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
check_PROGRAMS += lib/sasl/sasl_test
TESTS += lib/sasl/sasl_test
lib_sasl_sasl_test_SOURCES = lib/sasl/sasl_test.c lib/sasl/sasl_login_test.c
lib_sasl_sasl_test_LDADD = $(SASL_TEST_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/sasl/dovecot_fuzz lib/sasl/sasl_login_fuzz
lib_sasl_sasl_login_fuzz_SOURCES = lib/sasl/sasl_login_fuzz.c
lib_sasl_sasl_login_fuzz_LDADD = $(SASL_TEST_LIBS)
lib_sasl_sasl_login_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_sasl_dovecot_fuzz_SOURCES = lib/sasl/dovecot_fuzz.c
lib_sasl_dovecot_fuzz_LDADD = $(SASL_TEST_LIBS)
lib_sasl_dovecot_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
