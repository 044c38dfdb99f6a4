/* quota.c -- room for a message in a Maildir that has a quota.
 *
 * A delivery adds its line to maildirsize first and writes the message then: what the
 * file says up to that line is what was there and what is on its way, so deliveries at
 * the same time cannot share one place. All of them hold a shared lock on the directory
 * meanwhile. Who finds no room, or a file that is of no use, takes the lock alone:
 * nothing is on its way then, and what is counted is all there is. Dovecot and Courier do
 * not know that lock; what they deliver in the moment of a count is missing until the
 * next one. */
#include "quota.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "maildirsize"
/* A full mailbox is not counted again for each message that comes: this long the file is
 * believed when it was just made. */
#define FRESH_SECONDS 900
#define LOCK_STEP_MS  20

/* Who has the directory locked may be the user himself: not for ever. */
static int
lock_directory(int dir, int how, struct quota_patience patience)
{
	int64_t left = (int64_t)patience.attempts * patience.delay;
	struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };

	for (; flock(dir, how | LOCK_NB) < 0; left -= LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (left <= 0) {
			errno = EAGAIN;
			return -1;
		}
		nanosleep(&step, NULL);
	}
	return 0;
}

/* The file as it can be used: no link, no FIFO, nothing that is too large. -1: it is to
 * be made anew. */
static int
file_open(int dir, struct stat *st)
{
	int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir, FILE_NAME, flags);

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_nlink != 1 ||
			       st->st_size >= (off_t)QUOTA_FILE_MOST))
		fd_close(&fd);
	return fd;
}

/* What the file says in its first `most` bytes. */
static bool
file_usage(int fd, size_t most, const struct quota *limits, struct quota_usage *u)
{
	char text[QUOTA_FILE_MOST];
	ssize_t got = pread(fd, text, MIN(most, sizeof(text)), 0);

	return got >= 0 && quota_file_parse(str_of(text, (size_t)got), limits, u);
}

/* One line, whole or not at all: half a line would join the next one, so then the file
 * goes, and is made anew. */
static int
file_add(int dir, int fd, const char *sign, octets_t size)
{
	char line[48];
	int len = snprintf(
		line, sizeof(line), "%s%llu %s1\n", sign, (unsigned long long)size, sign);
	ssize_t wrote = write(fd, line, (size_t)len);

	if (wrote == len)
		return 0;
	if (wrote > 0) {
		unlinkat(dir, FILE_NAME, 0);
		errno = ENOSPC;
	}
	return -1;
}

/* Makes the file anew, under the name only when it is whole. */
static int
file_make(int dir, const struct quota *limits, const struct quota_usage *u)
{
	static atomic_uint counter;
	char name[80], text[128];
	int fd CLEANUP(fd_close) = -1, error;
	bool both = limits->bytes > 0 && limits->count > 0;
	size_t len = 0;

	snprintf(name, sizeof(name), "tmp/%lld.P%d.%u." FILE_NAME,
		(long long)time_wall_us(), (int)getpid(), atomic_fetch_add(&counter, 1));
	if (limits->bytes > 0)
		len = (size_t)snprintf(text, sizeof(text), "%lluS%s",
			(unsigned long long)limits->bytes, both ? "," : "");
	if (limits->count > 0)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%lluC",
			(unsigned long long)limits->count);
	snprintf(text + len, sizeof(text) - len, "\n%llu %llu\n",
		(unsigned long long)u->bytes, (unsigned long long)u->count);
	fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, str_c(text)) == 0 && renameat(dir, name, dir, FILE_NAME) == 0)
		return 0;
	error = errno;
	unlinkat(dir, name, 0);
	errno = error;
	return -1;
}

/* A folder has a file maildirfolder, and the quota of the Maildir above it. */
static int
open_main(int maildir)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	bool folder = fstatat(maildir, "maildirfolder", &st, AT_SYMLINK_NOFOLLOW) == 0;

	return openat(maildir, folder ? ".." : ".", flags);
}

/* Among others. 0: there is no room, or the file has to be made anew. */
static int
claim_among(const struct quota *limits, struct quota_claim *c)
{
	struct quota_usage u;
	struct stat st;
	int fd CLEANUP(fd_close) = file_open(c->maildir, &st);
	off_t end;

	if (fd < 0 || !file_usage(fd, SIZE_MAX, limits, &u) ||
		!quota_fits(limits, &u, c->size))
		return 0;
	if (file_add(c->maildir, fd, "", c->size) < 0)
		return -1;
	c->taken = true;
	/* Others may have been faster: what counts is what stands in front of our line.
	 */
	end = lseek(fd, 0, SEEK_CUR);
	if (end < 0)
		return -1;
	if (file_usage(fd, (size_t)end, limits, &u) && quota_is_kept(limits, &u))
		return 1;
	c->taken = false;
	return file_add(c->maildir, fd, "-", c->size);
}

/* Is it the sum of one count, and of a moment ago? Then it need not be done again. */
static bool
is_fresh(const struct stat *st, const struct quota_usage *u)
{
	time_t age = time(NULL) - st->st_mtime;

	return u->lines == 1 && age >= 0 && age < FRESH_SECONDS;
}

/* Alone. */
static int
claim_alone(const struct quota *limits, struct quota_claim *c)
{
	struct quota_usage u;
	struct stat st;
	int fd CLEANUP(fd_close) = file_open(c->maildir, &st);
	bool known = fd >= 0 && file_usage(fd, SIZE_MAX, limits, &u);
	bool fits = known && quota_fits(limits, &u, c->size);

	if (!fits && !(known && is_fresh(&st, &u))) {
		fd_close(&fd);
		if (quota_count(c->maildir, &u) < 0 ||
			file_make(c->maildir, limits, &u) < 0)
			return -1;
		fits = quota_fits(limits, &u, c->size);
		fd = file_open(c->maildir, &st);
	}
	if (!fits)
		return 0;
	if (fd < 0 || file_add(c->maildir, fd, "", c->size) < 0)
		return -1;
	c->taken = true;
	return 1;
}

int
quota_claim(int maildir, const struct quota *limits, octets_t size,
	struct quota_patience patience, struct quota_claim *out)
{
	int got;

	*out = (struct quota_claim){ .maildir = open_main(maildir), .size = size };
	if (out->maildir < 0 || lock_directory(out->maildir, LOCK_SH, patience) < 0)
		return -1;
	got = claim_among(limits, out);
	if (got != 0)
		return got;
	if (lock_directory(out->maildir, LOCK_EX, patience) < 0)
		return -1;
	return claim_alone(limits, out);
}

void
quota_end(struct quota_claim *c)
{
	struct stat st;

	if (c->taken && !c->kept) {
		int fd CLEANUP(fd_close) = file_open(c->maildir, &st);

		if (fd >= 0 && file_add(c->maildir, fd, "-", c->size) < 0)
			unlinkat(c->maildir, FILE_NAME, 0); /* it is counted anew */
	}
	fd_close(&c->maildir);
}
