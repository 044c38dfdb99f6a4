# lib/mime
noinst_LIBRARIES += lib/mime/libmime.a
lib_mime_libmime_a_SOURCES = lib/mime/fields.h lib/mime/fields.c
check_PROGRAMS += lib/mime/fields_test
TESTS += lib/mime/fields_test
lib_mime_fields_test_SOURCES = lib/mime/fields_test.c
lib_mime_fields_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/mime/fields_fuzz
lib_mime_fields_fuzz_SOURCES = lib/mime/fields_fuzz.c
lib_mime_fields_fuzz_LDADD = lib/mime/libmime.a lib/base/libbase.a
lib_mime_fields_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# RFC 5321 paths
lib_mime_libmime_a_SOURCES += lib/mime/address.h lib/mime/address.c
check_PROGRAMS += lib/mime/address_test
TESTS += lib/mime/address_test
lib_mime_address_test_SOURCES = lib/mime/address_test.c
lib_mime_address_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/mime/address_fuzz
lib_mime_address_fuzz_SOURCES = lib/mime/address_fuzz.c
lib_mime_address_fuzz_LDADD = lib/mime/libmime.a lib/base/libbase.a
lib_mime_address_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# parameters of MAIL and RCPT
lib_mime_libmime_a_SOURCES += lib/mime/esmtp.h lib/mime/esmtp.c
check_PROGRAMS += lib/mime/esmtp_test
TESTS += lib/mime/esmtp_test
lib_mime_esmtp_test_SOURCES = lib/mime/esmtp_test.c
lib_mime_esmtp_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a $(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/mime/esmtp_fuzz
lib_mime_esmtp_fuzz_SOURCES = lib/mime/esmtp_fuzz.c
lib_mime_esmtp_fuzz_LDADD = lib/mime/libmime.a $(BASE_LIBS) $(EXTERNAL_LIBS)
lib_mime_esmtp_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# address lists
lib_mime_libmime_a_SOURCES += lib/mime/addrlist.h lib/mime/addrlist.c
check_PROGRAMS += lib/mime/addrlist_test
TESTS += lib/mime/addrlist_test
lib_mime_addrlist_test_SOURCES = lib/mime/addrlist_test.c
lib_mime_addrlist_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/mime/addrlist_fuzz
lib_mime_addrlist_fuzz_SOURCES = lib/mime/addrlist_fuzz.c
lib_mime_addrlist_fuzz_LDADD = lib/mime/libmime.a lib/base/libbase.a
lib_mime_addrlist_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# address fields
lib_mime_libmime_a_SOURCES += lib/mime/addrfield.h lib/mime/addrfield.c
# header_checks, body_checks
lib_mime_libmime_a_SOURCES += lib/mime/checks.h lib/mime/checks.c
# EHLO keywords, footers of refusals
lib_mime_libmime_a_SOURCES += lib/mime/ehlo.h lib/mime/ehlo.c lib/mime/footer.h lib/mime/footer.c
# 8-bit parts for 7-bit servers
lib_mime_libmime_a_SOURCES += lib/mime/parts.h lib/mime/parts.c
lib_mime_libmime_a_SOURCES += lib/mime/downgrade.h lib/mime/downgrade.c
check_PROGRAMS += lib/mime/downgrade_test
TESTS += lib/mime/downgrade_test
lib_mime_downgrade_test_SOURCES = lib/mime/downgrade_test.c
lib_mime_downgrade_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += lib/mime/downgrade_fuzz
lib_mime_downgrade_fuzz_SOURCES = lib/mime/downgrade_fuzz.c
lib_mime_downgrade_fuzz_LDADD = lib/mime/libmime.a lib/base/libbase.a
lib_mime_downgrade_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
# characters that messages must not hold
lib_mime_libmime_a_SOURCES += lib/mime/charset.h lib/mime/charset.c
check_PROGRAMS += lib/mime/charset_test
TESTS += lib/mime/charset_test
lib_mime_charset_test_SOURCES = lib/mime/charset_test.c
lib_mime_charset_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
# the parts of a message
check_PROGRAMS += lib/mime/parts_test
TESTS += lib/mime/parts_test
lib_mime_parts_test_SOURCES = lib/mime/parts_test.c
lib_mime_parts_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
