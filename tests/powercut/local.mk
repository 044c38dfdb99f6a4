# tests/powercut: the disk is built where fuse3 was found; without it the test says so.
check_PROGRAMS += tests/powercut/work tests/powercut/judge
tests_powercut_work_SOURCES = tests/powercut/work.c tests/powercut/work.h
tests_powercut_work_LDADD = $(SPOOL_LIBS)
tests_powercut_judge_SOURCES = tests/powercut/judge.c tests/powercut/work.h
tests_powercut_judge_LDADD = $(SPOOL_LIBS)
if HAVE_FUSE3
check_PROGRAMS += tests/powercut/disk
tests_powercut_disk_SOURCES = tests/powercut/disk.c
tests_powercut_disk_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE3_CFLAGS)
tests_powercut_disk_LDADD = lib/base/libbase.a $(FUSE3_LIBS)
endif
