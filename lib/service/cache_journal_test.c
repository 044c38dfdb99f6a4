/* cache_journal_test.c -- what a journal keeps of one process for the next, whatever
 * ended the first, and whatever is in the file. */
#include "cache_journal.h"
#include "test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct buf taken;

static bool
take(struct str key, struct str value)
{
	buf_printf(&taken, STR_FMT "=" STR_FMT ";", STR_ARG(key), STR_ARG(value));
	return !str_is(key, "bad");
}

/* A journal of a process that was started just now, in a directory of its own. */
struct fixture {
	char directory[40], file[60], old[70];
	struct cache_journal j;
	size_t bad;
};

static void
begin(struct fixture *f)
{
	cache_journal_close(&f->j);
	buf_clear(&taken);
	f->bad = 0;
	cache_journal_open(
		&f->j, str_sub(str_c(f->file), 0, strlen(f->file) - 8), take, &f->bad);
}

static void
setup(struct fixture *f)
{
	*f = (struct fixture){ .directory = "/tmp/postern-journal-XXXXXX", .j.fd = -1 };
	CHECK(mkdtemp(f->directory));
	snprintf(f->file, sizeof(f->file), "%s/t.journal", f->directory);
	snprintf(f->old, sizeof(f->old), "%s.old", f->file);
	begin(f);
}

static void
teardown(struct fixture *f)
{
	cache_journal_close(&f->j);
	unlink(f->file);
	unlink(f->old);
	CHECK_INT(rmdir(f->directory), 0);
}

static void
has(struct fixture *f, const char *want)
{
	begin(f);
	CHECK_STR(buf_str(&taken), want);
}

TEST(the_next_process_has_what_was_added)
{
	struct fixture f;

	setup(&f);
	CHECK_INT(access(f.file, F_OK), -1); /* nothing is there before a change */
	cache_journal_add(&f.j, STR("a"), STR("1"));
	cache_journal_add(&f.j, STR("bad"), STR(""));
	has(&f, "a=1;bad=;");
	CHECK_INT(f.bad, 1);
	cache_journal_add(&f.j, STR("a"), STR("2"));
	has(&f, "a=1;bad=;a=2;");
	teardown(&f);
}

TEST(what_is_in_the_table_leaves)
{
	struct fixture f;

	setup(&f);
	cache_journal_add(&f.j, STR("a"), STR("1"));
	cache_journal_turn(&f.j);
	cache_journal_add(&f.j, STR("b"), STR("1"));
	has(&f, "a=1;b=1;"); /* killed while the table was written */
	cache_journal_add(&f.j, STR("c"), STR("1"));
	cache_journal_turn(&f.j); /* which failed: nothing of it may be lost */
	cache_journal_add(&f.j, STR("d"), STR("1"));
	has(&f, "a=1;b=1;c=1;d=1;");
	cache_journal_settle(&f.j);
	has(&f, "b=1;c=1;d=1;");
	cache_journal_turn(&f.j);
	cache_journal_settle(&f.j);
	has(&f, "");
	CHECK_INT(access(f.file, F_OK), -1);
	teardown(&f);
}

/* The last write of a machine that lost its power. */
TEST(a_torn_end_is_cut_off)
{
	static const struct str ends[] = { STR_INIT("\0"), STR_INIT("\1\2\3\4\0\1\0\1xy"),
		STR_INIT("\0\0\0\0\xff\xff\xff\xff"), STR_INIT("\0\0\0\0\0\0\0\0") };

	for (size_t i = 0; i < COUNT(ends); i++) {
		struct fixture f;
		int fd;

		test_row(i);
		setup(&f);
		cache_journal_add(&f.j, STR("a"), STR("1"));
		fd = open(f.file, O_WRONLY | O_APPEND | O_CLOEXEC);
		CHECK(fd >= 0 && write_all(fd, ends[i]) == 0);
		fd_close(&fd);
		has(&f, "a=1;");
		cache_journal_add(&f.j, STR("b"), STR("1"));
		has(&f, "a=1;b=1;");
		teardown(&f);
	}
}

/* Nobody leads root, or us, to another file. */
TEST(a_link_is_not_followed)
{
	struct fixture f;
	struct stat st;

	setup(&f);
	CHECK_INT(symlink("elsewhere", f.file), 0);
	cache_journal_add(&f.j, STR("a"), STR("1"));
	CHECK(f.j.is_full);
	CHECK(lstat(f.file, &st) == 0 && S_ISLNK(st.st_mode));
	teardown(&f);
}

TEST(without_a_table_there_is_none)
{
	struct cache_journal j = { .fd = -1 };

	cache_journal_add(&j, STR("a"), STR("1"));
	cache_journal_turn(&j);
	cache_journal_settle(&j);
	CHECK_INT(j.size, 0);
}

TEST_MAIN()
