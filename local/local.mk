# local
daemon_PROGRAMS += local/local
local_local_SOURCES = local/main.c local/local.h local/alias.c local/expand.c \
	local/forward.c local/forward_file.c local/items.c local/mailbox.c local/target.c \
	local/user.c local/explain.c
local_local_LDADD = lib/route/libroute.a lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += local/README
check_PROGRAMS += local/items_test
TESTS += local/items_test
local_items_test_SOURCES = local/items_test.c local/items.c
local_items_test_LDADD = $(TEST_LIBS) lib/mime/libmime.a lib/base/libbase.a
if FUZZ
EXTRA_PROGRAMS += local/items_fuzz
local_items_fuzz_SOURCES = local/items_fuzz.c local/items.c
local_items_fuzz_LDADD = lib/mime/libmime.a lib/base/libbase.a
local_items_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
