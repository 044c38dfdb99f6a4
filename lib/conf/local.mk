# lib/conf
noinst_LIBRARIES += lib/conf/libconf.a
lib_conf_libconf_a_SOURCES = lib/conf/conf.h lib/conf/parameters.def lib/conf/patterns.def \
	lib/conf/accepted.c lib/conf/arguments.c lib/conf/arguments.h lib/conf/check.c lib/conf/expand.c \
	lib/conf/expand.h lib/conf/folded.c lib/conf/idna.c lib/conf/idna.h lib/conf/issues.c lib/conf/level.c \
	lib/conf/lines.c lib/conf/lines.h lib/conf/list.c lib/conf/load.c lib/conf/main_cf.c \
	lib/conf/master_cf.c lib/conf/names.c lib/conf/networks.c lib/conf/networks.h \
	lib/conf/ports.c \
	lib/conf/query.c lib/conf/site.c lib/conf/table.c lib/conf/table.h lib/conf/tell.c \
	lib/conf/templates.c lib/conf/templates.h \
	lib/conf/transport.c lib/conf/typed.c lib/conf/typed.h lib/conf/values.c \
	lib/conf/values.h

CONF_TESTS = lib/conf/accepted_test lib/conf/conf_test lib/conf/expand_test lib/conf/master_cf_test \
	lib/conf/table_test lib/conf/templates_test
check_PROGRAMS += $(CONF_TESTS)
TESTS += $(CONF_TESTS)
CONF_TEST_LIBS = lib/conf/libconf.a $(TEST_LIBS) lib/base/libbase.a
lib_conf_accepted_test_SOURCES = lib/conf/accepted_test.c
lib_conf_accepted_test_LDADD = $(CONF_TEST_LIBS)
lib_conf_conf_test_SOURCES = lib/conf/conf_test.c
lib_conf_conf_test_LDADD = $(CONF_TEST_LIBS)
lib_conf_expand_test_SOURCES = lib/conf/expand_test.c
lib_conf_expand_test_LDADD = $(CONF_TEST_LIBS)
lib_conf_master_cf_test_SOURCES = lib/conf/master_cf_test.c
lib_conf_master_cf_test_LDADD = $(CONF_TEST_LIBS)
lib_conf_table_test_SOURCES = lib/conf/table_test.c
lib_conf_table_test_LDADD = $(CONF_TEST_LIBS)
lib_conf_table_test_CPPFLAGS = $(AM_CPPFLAGS) -DSOURCE_DIRECTORY='"$(abs_top_srcdir)"'
lib_conf_templates_test_SOURCES = lib/conf/templates_test.c
lib_conf_templates_test_LDADD = $(CONF_TEST_LIBS)

if FUZZ
EXTRA_PROGRAMS += lib/conf/expand_fuzz lib/conf/files_fuzz lib/conf/templates_fuzz
lib_conf_expand_fuzz_SOURCES = lib/conf/expand_fuzz.c
lib_conf_expand_fuzz_LDADD = lib/conf/libconf.a lib/base/libbase.a
lib_conf_expand_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_conf_files_fuzz_SOURCES = lib/conf/files_fuzz.c
lib_conf_files_fuzz_LDADD = lib/conf/libconf.a lib/base/libbase.a
lib_conf_files_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_conf_templates_fuzz_SOURCES = lib/conf/templates_fuzz.c
lib_conf_templates_fuzz_LDADD = lib/conf/libconf.a lib/base/libbase.a
lib_conf_templates_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
