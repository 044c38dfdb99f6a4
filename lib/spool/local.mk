# lib/spool
noinst_LIBRARIES += lib/spool/libspool.a
lib_spool_libspool_a_SOURCES = lib/spool/spool.h lib/spool/private.h lib/spool/format.h \
	lib/spool/clean.h lib/spool/recover.h lib/spool/file.h lib/spool/files.h lib/spool/engine.h \
	lib/spool/seglog.h lib/spool/account.c lib/spool/body.c \
	lib/spool/build.c lib/spool/clean.c lib/spool/copy.c lib/spool/damage.c \
	lib/spool/format.c lib/spool/index.c lib/spool/keeper.c lib/spool/mark.c lib/spool/merge.c \
	lib/spool/put.c lib/spool/reader.c lib/spool/recover.c lib/spool/segment.c lib/spool/settle.c \
	lib/spool/spool.c lib/spool/stream.c lib/spool/survey.c lib/spool/update.c \
	lib/spool/torn.c lib/spool/walk.c lib/spool/worker.c lib/spool/file.c lib/spool/file_read.c \
	lib/spool/files.c lib/spool/files_put.c lib/spool/files_state.c lib/spool/files_flush.c \
	lib/spool/files_disk.c lib/spool/convert.c lib/spool/engine.c lib/spool/seglog.c
SPOOL_LIBS = lib/spool/libspool.a lib/ipc/libipc.a lib/event/libevent.a lib/log/liblog.a \
	lib/base/libbase.a -lpthread

check_PROGRAMS += lib/spool/spool_test
TESTS += lib/spool/spool_test
lib_spool_spool_test_SOURCES = lib/spool/spool_test.h lib/spool/spool_test.c \
	lib/spool/harness_test.c lib/spool/model_test.c \
	lib/spool/damage_test.c lib/spool/scatter_test.h lib/spool/scatter_oracle_test.c \
	lib/spool/scatter_test.c lib/spool/scatter_files_test.c \
	lib/spool/trouble_test.c lib/spool/files_test.c
lib_spool_spool_test_LDADD = $(TEST_LIBS) $(SPOOL_LIBS)

# What queue listings show: showq, postqueue, postcat
lib_spool_libspool_a_SOURCES += lib/spool/listing.h lib/spool/listing.c
check_PROGRAMS += lib/spool/listing_test
TESTS += lib/spool/listing_test
lib_spool_listing_test_SOURCES = lib/spool/listing_test.c
lib_spool_listing_test_LDADD = $(TEST_LIBS) $(SPOOL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/spool/listing_fuzz
lib_spool_listing_fuzz_SOURCES = lib/spool/listing_fuzz.c
lib_spool_listing_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_listing_fuzz_LDADD = $(SPOOL_LIBS)
endif
noinst_PROGRAMS += lib/spool/spool_bench
lib_spool_spool_bench_SOURCES = lib/spool/spool_bench.c
lib_spool_spool_bench_LDADD = $(SPOOL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/spool/file_fuzz
lib_spool_file_fuzz_SOURCES = lib/spool/file_fuzz.c
lib_spool_file_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_file_fuzz_LDADD = $(SPOOL_LIBS)
EXTRA_PROGRAMS += lib/spool/format_fuzz
lib_spool_format_fuzz_SOURCES = lib/spool/format_fuzz.c
lib_spool_format_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_format_fuzz_LDADD = $(SPOOL_LIBS)
endif

# Postfix's queue files: postern import, postern export
lib_spool_libspool_a_SOURCES += lib/spool/postfix_file.h lib/spool/postfix_file.c
check_PROGRAMS += lib/spool/postfix_file_test
TESTS += lib/spool/postfix_file_test
lib_spool_postfix_file_test_SOURCES = lib/spool/postfix_file_test.c
lib_spool_postfix_file_test_LDADD = $(TEST_LIBS) $(SPOOL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/spool/postfix_file_fuzz
lib_spool_postfix_file_fuzz_SOURCES = lib/spool/postfix_file_fuzz.c
lib_spool_postfix_file_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_postfix_file_fuzz_LDADD = $(SPOOL_LIBS)
endif

# What postqueue and postsuper --query mean
lib_spool_libspool_a_SOURCES += lib/spool/queue_query.h lib/spool/queue_query.c
check_PROGRAMS += lib/spool/queue_query_test
TESTS += lib/spool/queue_query_test
lib_spool_queue_query_test_SOURCES = lib/spool/queue_query_test.c
lib_spool_queue_query_test_LDADD = $(TEST_LIBS) $(SPOOL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/spool/queue_query_fuzz
lib_spool_queue_query_fuzz_SOURCES = lib/spool/queue_query_fuzz.c
lib_spool_queue_query_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_queue_query_fuzz_LDADD = $(SPOOL_LIBS)
endif

# Destinations that are suspended: qmgr, postsuper
lib_spool_libspool_a_SOURCES += lib/spool/suspension.h lib/spool/suspension.c
check_PROGRAMS += lib/spool/suspension_test
TESTS += lib/spool/suspension_test
lib_spool_suspension_test_SOURCES = lib/spool/suspension_test.c
lib_spool_suspension_test_LDADD = $(TEST_LIBS) $(SPOOL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/spool/suspension_fuzz
lib_spool_suspension_fuzz_SOURCES = lib/spool/suspension_fuzz.c
lib_spool_suspension_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
lib_spool_suspension_fuzz_LDADD = $(SPOOL_LIBS)
endif
