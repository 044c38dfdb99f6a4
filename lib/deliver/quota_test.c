/* quota_test.c -- limits, the file maildirsize, and who gets the last place. */
#include "quota.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

static const struct {
	struct str text;
	int want;
	struct quota limits;
} limits[] = {
	{ STR_INIT("1000000S,500C"), 0, { 1000000, 500 } },
	{ STR_INIT(" 500C , 1000S "), 0, { 1000, 500 } },
	{ STR_INIT("1000S"), 0, { 1000, 0 } },
	{ STR_INIT("7C"), 0, { 0, 7 } },
	{ STR_INIT("1000"), 0, { 1000, 0 } },
	{ STR_INIT("0S"), 0, { 0, 0 } },
	{ STR_INIT(""), -1, { 9, 9 } },
	{ STR_INIT("S"), -1, { 9, 9 } },
	{ STR_INIT("10MB"), -1, { 9, 9 } },
	{ STR_INIT("10s"), -1, { 9, 9 } },
	{ STR_INIT("-1S"), -1, { 9, 9 } },
	{ STR_INIT("10S,"), -1, { 9, 9 } },
	{ STR_INIT("10S 5C"), -1, { 9, 9 } },
	{ STR_INIT("99999999999999999999S"), -1, { 9, 9 } },
};

TEST(limits_are_read)
{
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct quota q = { 9, 9 };

		test_row(i);
		CHECK_INT(quota_parse(limits[i].text, &q), limits[i].want);
		CHECK(q.bytes == limits[i].limits.bytes);
		CHECK(q.count == limits[i].limits.count);
	}
}

static const struct {
	struct str text;
	bool want;
	struct quota_usage usage;
} files[] = {
	{ STR_INIT("1000S,5C\n10 1\n"), true, { 10, 1, 1 } },
	{ STR_INIT("5C,1000S\n10 1\n200 2\n-10 -1\n"), true, { 200, 2, 3 } },
	{ STR_INIT("1000S,5C\n          10            1\n"), true,
		{ 10, 1, 1 } }, /* Courier */
	{ STR_INIT("1000S,5C\n0 0\n"), true, { 0, 0, 1 } },
	{ STR_INIT("1000S,5C\n9223372036854775807 1\n"), true, { INT64_MAX, 1, 1 } },
	{ STR_INIT(""), false, { 0 } },
	{ STR_INIT("\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n"), false, { 0 } }, /* nothing was counted */
	{ STR_INIT("1000S,5C"), false, { 0 } },
	{ STR_INIT("1000S,6C\n10 1\n"), false, { 0 } },   /* other limits */
	{ STR_INIT("1000S,5C\n10 1\n20"), false, { 0 } }, /* somebody is writing */
	{ STR_INIT("1000S,5C\n10\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n10 1 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n10 x\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n\n10 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n10\0 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n--10 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n10 1\n-20 -1\n"), false, { 0 } }, /* less than nothing */
	{ STR_INIT("1000S,5C\n10 1\n-1 -2\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n9223372036854775807 1\n1 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n9223372036854775808 1\n"), false, { 0 } },
	{ STR_INIT("1000S,5C\n-9223372036854775807 1\n-2 1\n"), false, { 0 } },
};

TEST(files_are_read_when_they_add_up)
{
	struct quota ours = { 1000, 5 };

	for (size_t i = 0; i < COUNT(files); i++) {
		struct quota_usage u = { 0 };

		test_row(i);
		CHECK(quota_file_parse(files[i].text, &ours, &u) == files[i].want);
		CHECK(u.bytes == files[i].usage.bytes && u.count == files[i].usage.count);
		CHECK_INT(u.lines, files[i].usage.lines);
	}
}

TEST(a_file_that_has_grown_is_made_anew)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct quota ours = { 1000, 5 };
	struct quota_usage u;

	buf_addz(&text, "1000S,5C\n");
	while (text.len + 4 < QUOTA_FILE_MOST) {
		CHECK(text.len < 10 || quota_file_parse(buf_str(&text), &ours, &u));
		buf_addz(&text, "0 0\n");
	}
	buf_addz(&text, "0 0\n");
	CHECK(!quota_file_parse(buf_str(&text), &ours, &u));
}

static const struct {
	struct quota limits;
	struct quota_usage u;
	octets_t size;
	bool want;
} rooms[] = {
	{ { 1000, 5 }, { 900, 4, 1 }, 100, true },
	{ { 1000, 5 }, { 900, 4, 1 }, 101, false },
	{ { 1000, 5 }, { 0, 5, 1 }, 1, false },
	{ { 0, 5 }, { INT64_MAX, 4, 1 }, 100, true },
	{ { 1000, 0 }, { 0, 1000000, 1 }, 100, true },
	{ { 1000, 0 }, { 10, 1, 1 }, UINT64_MAX, false },
};

TEST(room_is_what_the_limits_leave)
{
	for (size_t i = 0; i < COUNT(rooms); i++) {
		test_row(i);
		CHECK(quota_fits(&rooms[i].limits, &rooms[i].u, rooms[i].size) ==
			rooms[i].want);
	}
}

/* ---- on a file system ---- */

static const char *const parts[] = { "", "/tmp", "/new", "/cur", "/.Old", "/.Old/cur",
	"/.Old/new" };

/* A fresh Maildir with a folder; the descriptor, and the path. */
static int
maildir(char path[512])
{
	static unsigned n;
	char name[600];

	snprintf(path, 512, "%s/box%u", test_dir(), n++);
	for (size_t i = 0; i < COUNT(parts); i++) {
		snprintf(name, sizeof(name), "%s%s", path, parts[i]);
		CHECK(mkdir(name, 0700) == 0);
	}
	return open(path, O_RDONLY | O_DIRECTORY);
}

static void
put(int dir, const char *name, const char *text)
{
	int fd CLEANUP(fd_close) = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	CHECK(fd >= 0 && write_all(fd, str_c(text)) == 0);
}

static void
check_file(const char *path, const char *want)
{
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	char name[600];

	snprintf(name, sizeof(name), "%s/maildirsize", path);
	CHECK_INT(read_file(name, 10000, &got), 0);
	CHECK_STR(buf_str(&got), want);
}

/* One message, delivered or not. */
static int
claim(int dir, struct quota q, octets_t size, bool delivered)
{
	struct quota_claim c CLEANUP(quota_end) = { .maildir = -1 };
	int got = quota_claim(dir, &q, size, (struct quota_patience){ 100, 1000 }, &c);

	c.kept = delivered;
	return got;
}

TEST(all_folders_count_and_names_tell_sizes)
{
	char path[512];
	int dir CLEANUP(fd_close) = maildir(path);
	struct quota_usage u;

	put(dir, "new/1.a,S=1000", "x");
	put(dir, "cur/2.a,S=200,W=210:2,S", "x");
	put(dir, ".Old/cur/3.a:2,", "1234567");
	put(dir, "cur/4.a,S=99999999999999999999:2,", "12"); /* no number: the disk's */
	put(dir, "cur/.hidden", "12345");
	put(dir, "tmp/5.a,S=50000", "x");
	put(dir, "dovecot.index", "12345");
	CHECK(mkdirat(dir, "cur/directory", 0700) == 0);
	CHECK(symlinkat(path, dir, ".Loop") == 0);
	CHECK(symlinkat("/etc/passwd", dir, "cur/link") == 0);
	CHECK_INT(quota_count(dir, &u), 0);
	CHECK(u.bytes == 1209 && u.count == 4);
	put(dir, "cur/6.a,S=18446744073709551615", "x");
	CHECK_INT(quota_count(dir, &u), 0);
	CHECK(u.bytes == INT64_MAX && u.count == 5);
}

TEST(a_message_adds_its_line)
{
	char path[512];
	int dir CLEANUP(fd_close) = maildir(path), folder CLEANUP(fd_close) = -1;
	struct quota q = { 1000, 0 };

	put(dir, "cur/1.a,S=500", "x");
	CHECK_INT(claim(dir, q, 100, true), 1);
	check_file(path, "1000S\n500 1\n100 1\n");
	CHECK_INT(claim(dir, q, 70, false), 1);
	check_file(path, "1000S\n500 1\n100 1\n70 1\n-70 -1\n");
	/* Nothing of the 100 bytes is there: the count is done again. */
	CHECK_INT(claim(dir, q, 450, true), 1);
	check_file(path, "1000S\n500 1\n450 1\n");
	/* Too much even so, and that is known for a while. */
	CHECK_INT(claim(dir, q, 501, true), 0);
	check_file(path, "1000S\n500 1\n");
	put(dir, "cur/2.a,S=1", "x");
	CHECK_INT(claim(dir, q, 501, true), 0);
	check_file(path, "1000S\n500 1\n");
	/* A folder's is that of the Maildir. */
	put(dir, ".Old/maildirfolder", "");
	folder = openat(dir, ".Old", O_RDONLY | O_DIRECTORY);
	CHECK_INT(claim(folder, q, 10, true), 1);
	check_file(path, "1000S\n500 1\n10 1\n");
	/* Other limits. */
	CHECK_INT(claim(dir, (struct quota){ 2000, 7 }, 10, true), 1);
	check_file(path, "2000S,7C\n501 2\n10 1\n");
	CHECK_INT(claim(dir, (struct quota){ 0, 2 }, 10, true), 0);
	check_file(path, "2C\n501 2\n");
}

TEST(an_old_count_is_not_believed_when_it_says_full)
{
	char path[512], name[600];
	int dir CLEANUP(fd_close) = maildir(path);
	struct utimbuf old = { .actime = 1000000000, .modtime = 1000000000 };

	put(dir, "maildirsize", "1000S\n1000 1\n");
	CHECK_INT(claim(dir, (struct quota){ 1000, 0 }, 10, true), 0);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	CHECK(utime(name, &old) == 0);
	CHECK_INT(claim(dir, (struct quota){ 1000, 0 }, 10, true), 1);
	check_file(path, "1000S\n0 0\n10 1\n");
}

/* What a user may put there. Nothing outside is read or written. */
TEST(a_hostile_file_is_replaced)
{
	char path[512], outside[600], name[600];
	int dir CLEANUP(fd_close) = maildir(path);
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct quota q = { 1000, 0 };
	int huge;

	snprintf(outside, sizeof(outside), "%s/outside", path);
	snprintf(name, sizeof(name), "%s/maildirsize", path);
	put(dir, "outside", "1000S\n1 1\n");
	CHECK(symlink(outside, name) == 0);
	CHECK_INT(claim(dir, q, 10, true), 1);
	check_file(path, "1000S\n0 0\n10 1\n");
	CHECK(unlink(name) == 0 && link(outside, name) == 0);
	CHECK_INT(claim(dir, q, 10, true), 1);
	check_file(path, "1000S\n0 0\n10 1\n");
	CHECK_INT(read_file(outside, 100, &got), 0);
	CHECK_STR(buf_str(&got), "1000S\n1 1\n");
	CHECK(unlink(name) == 0 && mkfifo(name, 0600) == 0);
	CHECK_INT(claim(dir, q, 10, true), 1);
	check_file(path, "1000S\n0 0\n10 1\n");
	huge = open(name, O_WRONLY);
	CHECK(ftruncate(huge, (off_t)1 << 40) == 0);
	close(huge);
	CHECK_INT(claim(dir, q, 10, true), 1);
	check_file(path, "1000S\n0 0\n10 1\n");
	CHECK(unlink(name) == 0 && mkdir(name, 0700) == 0);
	CHECK_INT(claim(dir, q, 10, true), -1);
	CHECK_INT(errno, EISDIR);
}

/* ---- at the same time ---- */

#define THREADS  16
#define MESSAGES 8
static const struct quota room_for_40 = { 0, 40 };
static atomic_uint delivered, refused, failed;

static void *
deliver_some(void *arg)
{
	int dir = *(int *)arg;

	for (int i = 0; i < MESSAGES; i++) {
		struct quota_claim c CLEANUP(quota_end) = { .maildir = -1 };
		int got = quota_claim(
			dir, &room_for_40, 10, (struct quota_patience){ 100, 1000 }, &c);
		char name[64];

		if (got <= 0) {
			atomic_fetch_add(got == 0 ? &refused : &failed, 1);
			continue;
		}
		snprintf(name, sizeof(name), "new/%u.a,S=10",
			atomic_fetch_add(&delivered, 1));
		put(dir, name, "0123456789");
		c.kept = true;
	}
	return NULL;
}

TEST(the_last_place_is_given_once)
{
	char path[512];
	int dir CLEANUP(fd_close) = maildir(path);
	pthread_t threads[THREADS];
	struct quota_usage u;

	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, deliver_some, &dir) == 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(delivered, 40);
	CHECK_INT(refused, THREADS * MESSAGES - 40);
	CHECK_INT(failed, 0);
	CHECK_INT(quota_count(dir, &u), 0);
	CHECK(u.count == 40 && u.bytes == 400);
}

TEST_MAIN()
