/* mbox.c -- one message behind the others in a file. */
#include "deliver.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct str
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
			return word;
	}
	return STR_NONE;
}

static void
lock_pause(const struct mailbox_order *o)
{
	msec_t ms = o->lock_delay;

	nanosleep(&(struct timespec){ .tv_sec = ms / 1000,
			  .tv_nsec = (long)(ms % 1000) * 1000000 },
		NULL);
}

/* path.lock, made exclusively; one that was left behind is removed. */
static int
dotlock_take(const char *lock, const struct mailbox_order *o)
{
	for (int tries = 0; tries < o->lock_attempts; tries++) {
		int fd CLEANUP(fd_close) =
			open(lock, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		struct stat st;

		if (fd >= 0)
			return 0;
		if (errno != EEXIST)
			return -1;
		if (lstat(lock, &st) == 0 &&
			st.st_mtime + o->lock_stale / 1000 < time(NULL))
			unlink(lock);
		else
			lock_pause(o);
	}
	errno = EAGAIN;
	return -1;
}

/* A signal or a lock of somebody else: once more, until the attempts are used up. */
static int
file_lock(int fd, const struct mailbox_order *o)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (int tries = 0; tries < o->lock_attempts; tries++) {
		bool ours = !o->lock_fcntl || fcntl(fd, F_SETLK, &all) == 0;

		if (ours && (!o->lock_flock || flock(fd, LOCK_EX | LOCK_NB) == 0))
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -1;
		lock_pause(o);
	}
	errno = EAGAIN;
	return -1;
}

/* A plain file with one name: never through a link that somebody else put there. -1 and
 * *why. O_NONBLOCK, or a FIFO would hold us up. */
static int
mbox_open(const struct mailbox_order *o, struct why *why)
{
	int fd = open(o->path,
		O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 && errno == ELOOP) {
		why_set(why, "4.2.0", "destination %s is a symbolic link", o->path);
		return -1;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		why_set(why, mailbox_code(errno), "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		why_set(why, "4.2.0", "destination %s is not a regular file", o->path);
	else if (st.st_nlink != 1)
		why_set(why, "4.2.0", "destination %s has %u names", o->path,
			(unsigned)st.st_nlink);
	else if (o->strict && st.st_uid != geteuid())
		why_set(why, "4.2.0", "destination %s is not owned by recipient",
			o->path);
	else if (o->named && st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
		why_set(why, "5.7.1", "file is executable");
	else
		return fd;
	fd_close(&fd);
	return -1;
}

void
from_line(struct str sender, struct buf *out)
{
	time_t now = time(NULL);
	char stamp[32];

	buf_printf(out, "From " STR_FMT "  %s",
		STR_ARG(sender.len ? sender : STR("MAILER-DAEMON")),
		ctime_r(&now, stamp));
}

static int
mbox_append(int fd, const struct mailbox_order *o)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct line_filter lines = { .quote_from = true };
	struct str chunk;
	int got;

	from_line(o->sender, &out);
	buf_add(&out, o->headers);
	content_open(&c, o->first, o->rest_fd, o->rest);
	while ((got = content_next(&c, &chunk)) > 0) {
		line_filter(&lines, chunk, &out);
		if (write_all(fd, buf_str(&out)) < 0)
			return -1;
		buf_clear(&out);
	}
	line_filter_end(&lines, &out);
	buf_addc(&out, '\n');
	return got < 0 ? -1 : write_all(fd, buf_str(&out));
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
			return why_set(why, "4.2.0", "cannot truncate after %s: %s",
				strerror(error), strerror(errno));
		errno = error;
	}
	return why_set(
		why, mailbox_code(errno), "error writing message: %s", strerror(errno));
}

/* Not to be had by a user where he may not write: then without (o->named). */
static enum verdict
take_dotlock(const struct mailbox_order *o, struct mailbox_lock *l, struct why *why)
{
	snprintf(l->dotlock, sizeof(l->dotlock), "%s.lock", o->path);
	if (dotlock_take(l->dotlock, o) == 0)
		return ACCEPT;
	if (!o->named || (errno != EACCES && errno != ENAMETOOLONG))
		return why_set(why, mailbox_code(errno),
			"unable to create lock file %s: %s", l->dotlock, strerror(errno));
	l->dotlock[0] = '\0';
	return ACCEPT;
}

enum verdict
mailbox_lock(const struct mailbox_order *o, struct mailbox_lock *l, struct why *why)
{
	enum verdict verdict = ACCEPT;

	*l = (struct mailbox_lock){ .fd = -1 };
	if (o->lock_dotlock)
		verdict = take_dotlock(o, l, why);
	if (verdict != ACCEPT)
		return verdict;
	l->fd = mbox_open(o, why);
	if (l->fd < 0)
		verdict = why->code[0] == '5' ? PERMFAIL : TEMPFAIL;
	else if (file_lock(l->fd, o) < 0)
		verdict = why_set(why, "4.2.0", "unable to lock for exclusive access: %s",
			strerror(errno));
	if (verdict != ACCEPT)
		mailbox_unlock(l);
	return verdict;
}

void
mailbox_unlock(struct mailbox_lock *l)
{
	fd_close(&l->fd);
	if (l->dotlock[0])
		unlink(l->dotlock);
}

enum verdict
mbox_deliver(const struct mailbox_order *o, struct why *why)
{
	struct mailbox_lock lock;
	enum verdict verdict = mailbox_lock(o, &lock, why);

	if (verdict == ACCEPT) {
		verdict = mbox_update(o, lock.fd, why);
		mailbox_unlock(&lock);
	}
	return verdict;
}
