# lib/auth
noinst_LIBRARIES += lib/auth/libauth.a
lib_auth_libauth_a_SOURCES = lib/auth/alone.h lib/auth/alone.c lib/auth/auth_dns.h lib/auth/tags.h lib/auth/tags.c
# SPF
lib_auth_libauth_a_SOURCES += lib/auth/spf.h lib/auth/spf_impl.h lib/auth/spf_record.h \
	lib/auth/spf.c lib/auth/spf_macro.c lib/auth/spf_ptr.c lib/auth/spf_record.c lib/auth/spf2.c
check_PROGRAMS += lib/auth/spf_test
TESTS += lib/auth/spf_test
lib_auth_spf_test_SOURCES = lib/auth/spf_test.c lib/auth/spf_record_test.c lib/auth/spf2_test.c
lib_auth_spf_test_LDADD = $(TEST_LIBS) lib/auth/libauth.a $(BASE_LIBS) $(SPF2_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/spf_fuzz
lib_auth_spf_fuzz_SOURCES = lib/auth/spf_fuzz.c
lib_auth_spf_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_spf_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
if FUZZ
EXTRA_PROGRAMS += lib/auth/spf2_fuzz
lib_auth_spf2_fuzz_SOURCES = lib/auth/spf2_fuzz.c
lib_auth_spf2_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(SPF2_LIBS) $(EXTERNAL_LIBS)
lib_auth_spf2_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# Authentication-Results
lib_auth_libauth_a_SOURCES += lib/auth/results.h lib/auth/results.c
check_PROGRAMS += lib/auth/results_test
TESTS += lib/auth/results_test
lib_auth_results_test_SOURCES = lib/auth/results_test.c lib/auth/dkim_key_test.c
lib_auth_results_test_LDADD = $(TEST_LIBS) $(AUTH_VERIFY_LIBS) -lresolv
# Who verifies DKIM needs libopendkim.
lib_auth_libauth_a_CFLAGS = $(AM_CFLAGS) $(OPENDKIM_CFLAGS)
lib_auth_libauth_a_SOURCES += lib/auth/dkim_verify.h lib/auth/dkim_verify.c lib/auth/dkim_key.c
AUTH_VERIFY_LIBS = lib/auth/libauth.a lib/mime/libmime.a $(BASE_LIBS) $(OPENDKIM_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/dkim_verify_fuzz
lib_auth_dkim_verify_fuzz_SOURCES = lib/auth/dkim_verify_fuzz.c
lib_auth_dkim_verify_fuzz_LDADD = $(AUTH_VERIFY_LIBS)
lib_auth_dkim_verify_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# ARC
lib_auth_libauth_a_SOURCES += lib/auth/arc.h lib/auth/arc.c lib/auth/arc_field.c \
	lib/auth/arc_key.c lib/auth/arc_sets.c lib/auth/arc_seal.c
check_PROGRAMS += lib/auth/arc_test
TESTS += lib/auth/arc_test
lib_auth_arc_test_SOURCES = lib/auth/arc_test.c
lib_auth_arc_test_LDADD = $(TEST_LIBS) $(AUTH_VERIFY_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/arc_fuzz
lib_auth_arc_fuzz_SOURCES = lib/auth/arc_fuzz.c
lib_auth_arc_fuzz_LDADD = $(AUTH_VERIFY_LIBS)
lib_auth_arc_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# DMARC
lib_auth_libauth_a_SOURCES += lib/auth/dmarc.h lib/auth/dmarc.c lib/auth/dmarc_record.c \
	lib/auth/authors.c
check_PROGRAMS += lib/auth/dmarc_test
TESTS += lib/auth/dmarc_test
lib_auth_dmarc_test_SOURCES = lib/auth/dmarc_test.c
lib_auth_dmarc_test_LDADD = $(TEST_LIBS) $(AUTH_VERIFY_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/dmarc_fuzz
lib_auth_dmarc_fuzz_SOURCES = lib/auth/dmarc_fuzz.c
lib_auth_dmarc_fuzz_LDADD = $(AUTH_VERIFY_LIBS)
lib_auth_dmarc_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# MTA-STS
lib_auth_libauth_a_SOURCES += lib/auth/mta_sts.h lib/auth/mta_sts.c
check_PROGRAMS += lib/auth/mta_sts_test
TESTS += lib/auth/mta_sts_test
lib_auth_mta_sts_test_SOURCES = lib/auth/mta_sts_test.c
lib_auth_mta_sts_test_LDADD = lib/auth/libauth.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/mta_sts_fuzz
lib_auth_mta_sts_fuzz_SOURCES = lib/auth/mta_sts_fuzz.c
lib_auth_mta_sts_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_mta_sts_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# SRS
lib_auth_libauth_a_SOURCES += lib/auth/srs.h lib/auth/srs.c
check_PROGRAMS += lib/auth/srs_test
TESTS += lib/auth/srs_test
lib_auth_srs_test_SOURCES = lib/auth/srs_test.c
lib_auth_srs_test_LDADD = lib/auth/libauth.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/srs_fuzz
lib_auth_srs_fuzz_SOURCES = lib/auth/srs_fuzz.c
lib_auth_srs_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_srs_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# Aggregate reports of DMARC
lib_auth_libauth_a_SOURCES += lib/auth/dmarc_store.h lib/auth/dmarc_store.c
if HAVE_EXPAT
lib_auth_libauth_a_CFLAGS += $(EXPAT_CFLAGS)
lib_auth_libauth_a_SOURCES += lib/auth/dmarc_report.h lib/auth/dmarc_report_xml.c \
	lib/auth/dmarc_report_unpack.c lib/auth/dmarc_report_mail.c lib/auth/dmarc_report_write.c \
	lib/auth/dmarc_report_collect.c lib/auth/dmarc_destinations.h lib/auth/dmarc_destinations.c
check_PROGRAMS += lib/auth/dmarc_report_test
TESTS += lib/auth/dmarc_report_test
lib_auth_dmarc_report_test_SOURCES = lib/auth/dmarc_report_test.c lib/auth/dmarc_store_test.c \
	lib/auth/dmarc_destinations_test.c
lib_auth_dmarc_report_test_LDADD = $(TEST_LIBS) lib/auth/libauth.a lib/mime/libmime.a $(BASE_LIBS) \
	$(EXPAT_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/dmarc_report_fuzz lib/auth/dmarc_destinations_fuzz
lib_auth_dmarc_destinations_fuzz_SOURCES = lib/auth/dmarc_destinations_fuzz.c
lib_auth_dmarc_destinations_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_dmarc_destinations_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_auth_dmarc_report_fuzz_SOURCES = lib/auth/dmarc_report_fuzz.c
lib_auth_dmarc_report_fuzz_LDADD = lib/auth/libauth.a lib/mime/libmime.a $(BASE_LIBS) \
	$(EXPAT_LIBS) $(EXTERNAL_LIBS)
lib_auth_dmarc_report_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
endif
# What a domain publishes
lib_auth_libauth_a_SOURCES += lib/auth/published.h lib/auth/published_impl.h \
	lib/auth/published.c lib/auth/published_keys.c lib/auth/published_policies.c
check_PROGRAMS += lib/auth/published_test
TESTS += lib/auth/published_test
lib_auth_published_test_SOURCES = lib/auth/published_test.c
lib_auth_published_test_LDADD = lib/auth/libauth.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/published_fuzz
lib_auth_published_fuzz_SOURCES = lib/auth/published_fuzz.c
lib_auth_published_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_published_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# DKIM
lib_auth_libauth_a_SOURCES += lib/auth/dkim_canon.h lib/auth/dkim_canon.c \
	lib/auth/dkim_sign.h lib/auth/dkim_sign.c lib/auth/dkim_signers.c
check_PROGRAMS += lib/auth/dkim_test
TESTS += lib/auth/dkim_test
lib_auth_dkim_test_SOURCES = lib/auth/dkim_canon_test.c lib/auth/dkim_sign_test.c
lib_auth_dkim_test_LDADD = lib/auth/libauth.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/auth/dkim_canon_fuzz lib/auth/dkim_sign_fuzz
lib_auth_dkim_canon_fuzz_SOURCES = lib/auth/dkim_canon_fuzz.c
lib_auth_dkim_canon_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_dkim_canon_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_auth_dkim_sign_fuzz_SOURCES = lib/auth/dkim_sign_fuzz.c
lib_auth_dkim_sign_fuzz_LDADD = lib/auth/libauth.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_auth_dkim_sign_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
