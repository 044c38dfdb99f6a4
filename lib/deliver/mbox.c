/* mbox.c -- one message behind the others in a file. */
#include "deliver.h"
#include "mailbox.h"
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

/* Never through a link that somebody else put there. O_NONBLOCK, or a FIFO would hold us
 * up. -1 and errno, *what failed. */
static int
open_or_create(const char *path, const char **what)
{
	int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, fd;

	do {
		*what = "cannot open file";
		fd = open(path, flags);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		*what = "cannot create file exclusively";
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	} while (fd < 0 && errno == EEXIST); /* somebody else has just made it */
	return fd;
}

/* A plain file with one name. */
static enum verdict
mbox_open(const struct mailbox_order *o, int *fd, struct why *why)
{
	const char *failed;
	struct stat st;

	*fd = open_or_create(o->path, &failed);
	if (*fd < 0 && errno == ELOOP)
		return why_set(why, mailbox_code(o, ELOOP),
			"destination %s is a symbolic link", o->path);
	if (*fd < 0)
		return why_set(
			why, mailbox_code(o, errno), "%s: %s", failed, strerror(errno));
	if (fstat(*fd, &st) < 0)
		return why_set(why, mailbox_code(o, errno), "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, mailbox_code(o, EISDIR),
			"destination %s is not a regular file", o->path);
	if (st.st_nlink != 1)
		return why_set(why, mailbox_code(o, EEXIST),
			"destination %s has %u names", o->path, (unsigned)st.st_nlink);
	if (o->strict && st.st_uid != geteuid())
		return why_set(why, "4.2.0", "destination %s is not owned by recipient",
			o->path);
	if (o->named && st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
		return why_set(why, "5.7.1", "file is executable");
	return ACCEPT;
}

void
from_line(struct str sender, struct buf *out)
{
	time_t now = time(NULL);
	char stamp[32];

	buf_addz(out, "From ");
	address_put(out, sender.len ? sender : STR("MAILER-DAEMON"));
	buf_printf(out, "  %s", ctime_r(&now, stamp));
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
	return why_set(why, mailbox_code(o, errno), "error writing message: %s",
		strerror(errno));
}

/* Not to be had by a user where he may not write: then without (o->named). */
static enum verdict
take_dotlock(const struct mailbox_order *o, struct mailbox_lock *l, struct why *why)
{
	snprintf(l->dotlock, sizeof(l->dotlock), "%s.lock", o->path);
	if (dotlock_take(l->dotlock, o) == 0)
		return ACCEPT;
	if (!o->named || errno == EAGAIN)
		return why_set(why, mailbox_code(o, errno),
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
	verdict = mbox_open(o, &l->fd, why);
	if (verdict == ACCEPT && file_lock(l->fd, o) < 0)
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
