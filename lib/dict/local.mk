# lib/dict
noinst_LIBRARIES += lib/dict/libdict.a
lib_dict_libdict_a_SOURCES = lib/dict/dict.h lib/dict/dict_impl.h lib/dict/aliases.h \
	lib/dict/entries.h lib/dict/maps.h lib/dict/module.h lib/dict/modules.h \
	lib/dict/query.h lib/dict/remote.h lib/dict/rules.h lib/dict/settings.h \
	lib/dict/source.h lib/dict/unix.h lib/dict/wire.h \
	lib/dict/alias_entry.c lib/dict/aliases.c lib/dict/ask.c lib/dict/braces.c \
	lib/dict/build.c lib/dict/cdb.c lib/dict/cidr.c lib/dict/combine.c \
	lib/dict/database.c lib/dict/db.c lib/dict/debug.c lib/dict/dict.c \
	lib/dict/entries.c lib/dict/environ.c lib/dict/fail.c lib/dict/lmdb.c \
	lib/dict/maps.c lib/dict/maps_address.c lib/dict/match.c lib/dict/memcache.c \
	lib/dict/modules.c lib/dict/pcre.c lib/dict/proxy.c lib/dict/query.c \
	lib/dict/redis.c lib/dict/regexp.c lib/dict/remote.c lib/dict/rules.c \
	lib/dict/settings.c lib/dict/socketmap.c lib/dict/source.c lib/dict/static.c \
	lib/dict/tcp.c lib/dict/template.c lib/dict/texthash.c lib/dict/told.c lib/dict/unix.c \
	lib/dict/wire.c
# One for each client library; without the library, no module.
if HAVE_SQLITE
daemon_PROGRAMS += lib/dict/table-sqlite.so
endif
if HAVE_PGSQL
daemon_PROGRAMS += lib/dict/table-pgsql.so
endif
if HAVE_MYSQL
daemon_PROGRAMS += lib/dict/table-mysql.so
endif
if HAVE_LDAP
daemon_PROGRAMS += lib/dict/table-ldap.so
endif
lib_dict_table_sqlite_so_SOURCES = lib/dict/module.h lib/dict/sqlite.c
lib_dict_table_sqlite_so_CFLAGS = $(MODULE_COMPILE) $(SQLITE_CFLAGS)
lib_dict_table_sqlite_so_LDFLAGS = $(MODULE_LINK)
lib_dict_table_sqlite_so_LDADD = $(SQLITE_LIBS)
lib_dict_table_pgsql_so_SOURCES = lib/dict/module.h lib/dict/pgsql.c
lib_dict_table_pgsql_so_CFLAGS = $(MODULE_COMPILE) $(PGSQL_CFLAGS)
lib_dict_table_pgsql_so_LDFLAGS = $(MODULE_LINK)
lib_dict_table_pgsql_so_LDADD = $(PGSQL_LIBS)
lib_dict_table_mysql_so_SOURCES = lib/dict/module.h lib/dict/mysql.c
lib_dict_table_mysql_so_CFLAGS = $(MODULE_COMPILE) $(MYSQL_CFLAGS)
lib_dict_table_mysql_so_LDFLAGS = $(MODULE_LINK)
lib_dict_table_mysql_so_LDADD = $(MYSQL_LIBS)
lib_dict_table_ldap_so_SOURCES = lib/dict/module.h lib/dict/ldap.c
lib_dict_table_ldap_so_CFLAGS = $(MODULE_COMPILE) $(LDAP_CFLAGS)
lib_dict_table_ldap_so_LDFLAGS = $(MODULE_LINK)
lib_dict_table_ldap_so_LDADD = $(LDAP_LIBS)
DICT_TEST_LIBS = $(TEST_LIBS) $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += lib/dict/dict_test
TESTS += lib/dict/dict_test
lib_dict_dict_test_SOURCES = lib/dict/build_test.c lib/dict/maps_test.c lib/dict/remote_test.c \
	lib/dict/rules_test.c lib/dict/source_test.c lib/dict/types_test.c
lib_dict_dict_test_LDADD = $(DICT_TEST_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/dict/rules_fuzz lib/dict/aliases_fuzz lib/dict/cdb_fuzz \
	lib/dict/remote_fuzz
lib_dict_remote_fuzz_SOURCES = lib/dict/remote_fuzz.c
lib_dict_remote_fuzz_LDADD = $(DICT_TEST_LIBS)
lib_dict_remote_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
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
