# lib/auth
noinst_LIBRARIES += lib/auth/libauth.a
lib_auth_libauth_a_SOURCES =
# SPF
lib_auth_libauth_a_SOURCES += lib/auth/spf.h lib/auth/spf_impl.h lib/auth/spf_record.h \
	lib/auth/spf.c lib/auth/spf_macro.c lib/auth/spf_ptr.c lib/auth/spf_record.c
check_PROGRAMS += lib/auth/spf_test
TESTS += lib/auth/spf_test
lib_auth_spf_test_SOURCES = lib/auth/spf_test.c lib/auth/spf_record_test.c
lib_auth_spf_test_LDADD = $(TEST_LIBS) lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/spf_fuzz
lib_auth_spf_fuzz_SOURCES = lib/auth/spf_fuzz.c
lib_auth_spf_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_spf_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
