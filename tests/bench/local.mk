# tests/bench: what `./dev bench scale` measures with. Built with the tests, so that they stay
# free of warnings; the disk where fuse3 was found.
check_PROGRAMS += tests/bench/load tests/bench/sink tests/bench/tlsmail
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = lib/base/libbase.a
tests_bench_sink_SOURCES = tests/bench/sink.c
tests_bench_sink_LDADD = lib/base/libbase.a
tests_bench_tlsmail_SOURCES = tests/bench/tlsmail.c
tests_bench_tlsmail_LDADD = $(BASE_LIBS) $(EXTERNAL_LIBS)
if HAVE_FUSE3
check_PROGRAMS += tests/bench/slowdisk
tests_bench_slowdisk_SOURCES = tests/bench/slowdisk.c
tests_bench_slowdisk_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE3_CFLAGS)
tests_bench_slowdisk_LDADD = lib/base/libbase.a $(FUSE3_LIBS)
endif
