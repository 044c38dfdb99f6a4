# lib/dict
noinst_LIBRARIES += lib/dict/libdict.a
lib_dict_libdict_a_SOURCES = lib/dict/dict.h lib/dict/dict_impl.h lib/dict/aliases.h \
	lib/dict/entries.h lib/dict/maps.h lib/dict/rules.h lib/dict/source.h lib/dict/unix.h \
	lib/dict/alias_entry.c lib/dict/aliases.c lib/dict/braces.c lib/dict/build.c \
	lib/dict/cdb.c lib/dict/cidr.c lib/dict/combine.c lib/dict/db.c lib/dict/dict.c \
	lib/dict/entries.c lib/dict/fail.c lib/dict/lmdb.c lib/dict/maps.c \
	lib/dict/maps_address.c lib/dict/match.c lib/dict/pcre.c lib/dict/proxy.c \
	lib/dict/regexp.c lib/dict/rules.c lib/dict/source.c lib/dict/static.c \
	lib/dict/template.c lib/dict/texthash.c lib/dict/unix.c
DICT_TEST_LIBS = $(TEST_LIBS) $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += lib/dict/dict_test
TESTS += lib/dict/dict_test
lib_dict_dict_test_SOURCES = lib/dict/build_test.c lib/dict/maps_test.c lib/dict/rules_test.c \
	lib/dict/source_test.c lib/dict/types_test.c
lib_dict_dict_test_LDADD = $(DICT_TEST_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/dict/rules_fuzz lib/dict/aliases_fuzz lib/dict/cdb_fuzz
lib_dict_rules_fuzz_SOURCES = lib/dict/rules_fuzz.c
lib_dict_rules_fuzz_LDADD = $(DICT_TEST_LIBS)
lib_dict_rules_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_dict_aliases_fuzz_SOURCES = lib/dict/aliases_fuzz.c
lib_dict_aliases_fuzz_LDADD = $(DICT_TEST_LIBS)
lib_dict_aliases_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_dict_cdb_fuzz_SOURCES = lib/dict/cdb_fuzz.c
lib_dict_cdb_fuzz_LDADD = $(DICT_TEST_LIBS)
lib_dict_cdb_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
