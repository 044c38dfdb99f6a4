/* mbox.c -- one message behind the others in a file. */
#include "deliver.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES    10  /* one second apart, as procmail and Dovecot expect of others */
#define DOTLOCK_STALE 500 /* seconds; a lock file older than this was left behind */

int
mailbox_locks(struct str list, struct mailbox_order *o)
{
	struct str word;

	while (str_token(&list, ", \t\n", &word)) {
		if (str_is(word, "fcntl"))
			o->lock_fcntl = true;
		else if (str_is(word, "flock"))
			o->lock_flock = true;
		else if (str_is(word, "dotlock"))
			o->lock_dotlock = true;
		else
			return -1;
	}
	return 0;
}

static void
lock_pause(void)
{
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
}

/* path.lock, made exclusively; one that was left behind is removed. */
static int
dotlock_take(const char *lock)
{
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		int fd CLEANUP(fd_close) =
			open(lock, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		struct stat st;

		if (fd >= 0)
			return 0;
		if (errno != EEXIST)
			return -1;
		if (stat(lock, &st) == 0 && st.st_mtime + DOTLOCK_STALE < time(NULL))
			unlink(lock);
		else
			lock_pause();
	}
	errno = EAGAIN;
	return -1;
}

static int
file_lock(int fd, const struct mailbox_order *o)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		bool ours = !o->lock_fcntl || fcntl(fd, F_SETLK, &all) == 0;

		if (ours && (!o->lock_flock || flock(fd, LOCK_EX | LOCK_NB) == 0))
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -1;
		lock_pause();
	}
	errno = EAGAIN;
	return -1;
}

/* A plain file with one name: never through a link that somebody else put there. */
static int
mbox_open(const char *path)
{
	int fd = open(path,
		O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

/* Appends content, with a > in front of lines that begin with "From ". The state between
 * chunks is how much of "From " the current line has matched so far. */
static int
mbox_body(int fd, struct content_cursor *c, bool *ends_in_lf)
{
	static const char from[] = "From ";
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	size_t matched = 0; /* sizeof(from): not at the start of a line */
	struct str chunk;
	int got;

	while ((got = content_next(c, &chunk)) > 0) {
		buf_clear(&out);
		for (size_t i = 0; i < chunk.len; i++) {
			char ch = chunk.data[i];

			if (matched < 5 && ch == from[matched]) {
				if (++matched < 5)
					continue;
				buf_addz(&out, ">From ");
				matched = sizeof(from);
				continue;
			}
			if (matched < 5)
				buf_add(&out, str_of(from, matched));
			matched = ch == '\n' ? 0 : sizeof(from);
			buf_addc(&out, ch);
		}
		if (write_all(fd, buf_str(&out)) < 0)
			return -1;
	}
	*ends_in_lf = matched == 0;
	if (got == 0 && matched < 5 && write_all(fd, str_of(from, matched)) < 0)
		return -1;
	return got;
}

static int
mbox_append(int fd, const struct mailbox_order *o)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct buf head CLEANUP(buf_free) = BUF_INIT;
	time_t now = time(NULL);
	bool ends_in_lf = true;
	char stamp[32];

	buf_printf(&head, "From %.*s  %s",
		STR_ARG(o->sender.len ? o->sender : STR("MAILER-DAEMON")),
		ctime_r(&now, stamp));
	buf_add(&head, o->headers);
	content_open(&c, o->first, o->rest_fd, o->rest);
	if (write_all(fd, buf_str(&head)) < 0 || mbox_body(fd, &c, &ends_in_lf) < 0)
		return -1;
	return write_all(fd, ends_in_lf ? STR("\n") : STR("\n\n"));
}

/* Under the locks: append, sync, or leave the file as it was. */
static enum verdict
mbox_update(const struct mailbox_order *o, int fd, struct why *why)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (o->limit > 0 && (octets_t)end + o->first.len + o->rest > o->limit)
		errno = EFBIG;
	else if (mbox_append(fd, o) == 0 && fsync(fd) == 0)
		return ACCEPT;
	else {
		int error = errno;

		if (ftruncate(fd, end) < 0)
			return why_set(why, "4.2.0",
				"cannot truncate mailbox %s after %s: %s", o->path,
				strerror(error), strerror(errno));
		errno = error;
	}
	return why_set(why, mailbox_code(errno),
		"cannot update mailbox %s. error writing "
		"message: %s",
		o->path, strerror(errno));
}

enum verdict
mbox_deliver(const struct mailbox_order *o, struct why *why)
{
	char lock[4096 + 8];
	int fd CLEANUP(fd_close) = -1;
	enum verdict verdict;

	snprintf(lock, sizeof(lock), "%s.lock", o->path);
	if (o->lock_dotlock && dotlock_take(lock) < 0)
		return why_set(why, mailbox_code(errno),
			"cannot update mailbox %s. unable to "
			"create lock file %s: %s",
			o->path, lock, strerror(errno));
	fd = mbox_open(o->path);
	if (fd < 0)
		verdict = why_set(why, mailbox_code(errno),
			"cannot update mailbox %s. %s", o->path,
			errno == EPERM ? "not a plain file with one link"
				       : strerror(errno));
	else if (file_lock(fd, o) < 0)
		verdict = why_set(why, "4.2.0",
			"cannot update mailbox %s. unable to lock: %s", o->path,
			strerror(errno));
	else
		verdict = mbox_update(o, fd, why);
	if (o->lock_dotlock)
		unlink(lock);
	return verdict;
}
