/* deliver_test.c -- mailboxes on a real file system. */
#include "deliver.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void
read_path(const char *path, struct buf *out)
{
	CHECK_INT(read_file(path, 1 << 20, out), 0);
}

/* The only file in a directory; "" when there is none, "many" when there are more. */
static void
only_file(const char *dir, char *out, size_t room)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	snprintf(out, room, "%s", "");
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(out, room, "%s/%s", out[0] ? "many" : dir, e->d_name);
	if (d)
		closedir(d);
}

/* A fresh name below the test directory. */
static char *
place(const char *name)
{
	static unsigned n;
	char *path;

	if (asprintf(&path, "%s/%u-%s", test_dir(), n++, name) < 0)
		abort();
	return path;
}

TEST(a_maildir_is_made_and_the_message_is_in_new)
{
	char *path = place("a/b/box/"), *sub, *tmp, file[1024];
	struct mailbox_order o = { .path = path,
		.headers = STR("Return-Path: <a@b>\n"),
		.first = STR("Subject: x\n\nbody\n"),
		.rest_fd = -1,
		.hostname = "host.example" };
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct stat st;
	struct why why;

	CHECK_INT(maildir_deliver(&o, &why), ACCEPT);
	CHECK(asprintf(&sub, "%snew", path) > 0);
	only_file(sub, file, sizeof(file));
	CHECK(strstr(file, ".host.example") != NULL);
	read_path(file, &got);
	CHECK_STR(buf_str(&got), "Return-Path: <a@b>\nSubject: x\n\nbody\n");
	CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
	free(sub);
	CHECK(asprintf(&tmp, "%stmp", path) > 0);
	only_file(tmp, file, sizeof(file));
	CHECK_STR(str_c(file), "");
	free(tmp);
	free(path);
}

/* As two first deliveries at once find it: one has made tmp/ so far. */
TEST(a_maildir_that_is_half_there_is_completed)
{
	char *path = place("half/"), *tmp, *new;
	struct mailbox_order o = {
		.path = path, .first = STR("A: b\n\n"), .rest_fd = -1, .hostname = "h"
	};
	char file[1024];
	struct why why;

	CHECK(asprintf(&tmp, "%stmp", path) > 0);
	CHECK(asprintf(&new, "%snew", path) > 0);
	CHECK(mkdir(path, 0700) == 0 && mkdir(tmp, 0700) == 0);
	CHECK_INT(maildir_deliver(&o, &why), ACCEPT);
	only_file(tmp, file, sizeof(file));
	CHECK_STR(str_c(file), "");
	only_file(new, file, sizeof(file));
	CHECK(strstr(file, ".h") != NULL);
	free(new);
	free(tmp);
	free(path);
}

TEST(content_goes_on_in_the_descriptor)
{
	char *path = place("rest/"), *body = place("body"), *sub, file[1024];
	int fd = open(body, O_RDWR | O_CREAT, 0600);
	struct mailbox_order o = { .path = path,
		.first = STR("A: b\n\n"),
		.rest_fd = fd,
		.rest = 100000,
		.hostname = "h" };
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct why why;

	for (int i = 0; i < 10000; i++)
		CHECK(write(fd, "012345678\n", 10) == 10);
	CHECK_INT(maildir_deliver(&o, &why), ACCEPT);
	CHECK(asprintf(&sub, "%snew", path) > 0);
	only_file(sub, file, sizeof(file));
	read_path(file, &got);
	CHECK_INT((long long)got.len, 100006);
	/* A descriptor that is shorter than it should be is an error, not a short
	 * message. */
	o.rest = 200000;
	CHECK_INT(maildir_deliver(&o, &why), TEMPFAIL);
	close(fd);
	free(sub);
	free(path);
	free(body);
}

TEST(a_message_over_the_limit_leaves_nothing)
{
	char *path = place("limit/"), *sub, file[1024];
	struct mailbox_order o = { .path = path,
		.first = STR("0123456789\n"),
		.rest_fd = -1,
		.limit = 5,
		.hostname = "h" };
	struct why why;

	CHECK_INT(maildir_deliver(&o, &why), PERMFAIL);
	CHECK_STR(str_c(why.code), "5.2.2");
	CHECK(asprintf(&sub, "%snew", path) > 0);
	only_file(sub, file, sizeof(file));
	CHECK_STR(str_c(file), "");
	free(sub);
	free(path);
}

static const struct {
	struct str content, want; /* want: behind the From_ line */
} mboxes[] = {
	{ STR_INIT("A: b\n\nFrom me\nto From you\n"),
		STR_INIT("H: 1\nA: b\n\n>From me\nto From you\n\n") },
	{ STR_INIT("A: b\n\nFro"), STR_INIT("H: 1\nA: b\n\nFro\n\n") },
	{ STR_INIT("\nFrom"), STR_INIT("H: 1\n\nFrom\n\n") },
	{ STR_INIT("A: b\n"), STR_INIT("H: 1\nA: b\n\n") },
};

TEST(an_mbox_quotes_from_lines)
{
	for (size_t i = 0; i < COUNT(mboxes); i++) {
		char *path = place("mbox");
		struct mailbox_order o = { .path = path,
			.headers = STR("H: 1\n"),
			.sender = STR("a@b"),
			.first = mboxes[i].content,
			.rest_fd = -1,
			.lock_fcntl = true,
			.lock_attempts = 1,
			.lock_dotlock = true };
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct why why;
		ssize_t lf;

		test_row(i);
		CHECK_INT(mbox_deliver(&o, &why), ACCEPT);
		read_path(path, &got);
		CHECK(str_starts(buf_str(&got), STR("From a@b  ")));
		lf = str_chr(buf_str(&got), '\n');
		test_check_str(str_from(buf_str(&got), (size_t)lf + 1), mboxes[i].want,
			"mbox", __FILE__, __LINE__);
		free(path);
	}
}

static const struct {
	struct line_filter how;
	struct str content, want;
} filters[] = {
	{ { .quote_dot = true }, STR_INIT(".\n..a\nb.\n."),
		STR_INIT("..\n...a\nb.\n..\n") },
	{ { .eol = STR_INIT("\r\n") }, STR_INIT("a\n\nb"), STR_INIT("a\r\n\r\nb\r\n") },
	{ { .quote_from = true, .eol = STR_INIT("!") }, STR_INIT("From a\nFro\nFrom"),
		STR_INIT(">From a!Fro!From!") },
	{ { .quote_from = false }, STR_INIT("From a\n"), STR_INIT("From a\n") },
	{ { .quote_from = true }, STR_INIT(">From a\nFFrom b\n From c\n"),
		STR_INIT(">From a\nFFrom b\n From c\n") },
	{ { .quote_dot = true }, STR_INIT(""), STR_INIT("") },
};

TEST(lines_are_filtered_wherever_chunks_end)
{
	for (size_t i = 0; i < COUNT(filters); i++)
		for (size_t step = 1; step < 8; step++) {
			struct buf got CLEANUP(buf_free) = BUF_INIT;
			struct line_filter f = filters[i].how;
			struct str rest = filters[i].content;

			test_row(i);
			while (rest.len > 0) {
				line_filter(&f, str_sub(rest, 0, step), &got);
				rest = str_from(rest, MIN(step, rest.len));
			}
			line_filter_end(&f, &got);
			test_check_str(buf_str(&got), filters[i].want, "lines", __FILE__,
				__LINE__);
		}
}

TEST(an_mbox_behind_a_link_is_refused)
{
	char *path = place("link"), *other = place("other");
	struct mailbox_order o = {
		.path = path, .first = STR("x\n"), .rest_fd = -1, .lock_attempts = 1
	};
	struct why why;

	CHECK(symlink(other, path) == 0);
	CHECK_INT(mbox_deliver(&o, &why), TEMPFAIL);
	CHECK(access(other, F_OK) < 0);
	unlink(path);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	CHECK(link(other, path) == 0);
	CHECK_INT(mbox_deliver(&o, &why), TEMPFAIL);
	free(path);
	free(other);
}

TEST(a_full_mbox_stays_as_it_was)
{
	char *path = place("full");
	struct mailbox_order o = {
		.path = path, .first = STR("12345\n"), .rest_fd = -1, .lock_attempts = 1
	};
	struct buf before CLEANUP(buf_free) = BUF_INIT,
			  after CLEANUP(buf_free) = BUF_INIT;
	struct why why;

	CHECK_INT(mbox_deliver(&o, &why), ACCEPT);
	read_path(path, &before);
	o.limit = before.len + 3;
	CHECK_INT(mbox_deliver(&o, &why), PERMFAIL);
	CHECK_STR(str_c(why.code), "5.2.2");
	read_path(path, &after);
	CHECK(str_eq(buf_str(&before), buf_str(&after)));
	free(path);
}

TEST(lock_lists_are_read)
{
	struct mailbox_order o = { 0 };

	CHECK(!mailbox_locks(STR("fcntl, dotlock"), &o).data);
	CHECK(o.lock_fcntl && o.lock_dotlock && !o.lock_flock);
	CHECK_STR(mailbox_locks(STR("flock, flokc, x"), &o), "flokc");
}

TEST_MAIN()
