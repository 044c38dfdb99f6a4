/* maildir.c -- one message into a Maildir: written in tmp/, named in new/ when it is
 * whole, and delivered when both are on disk.
 *
 * The file is written out before the rename, and synced behind it: journaling file
 * systems then commit size, blocks and name together, and a power cut leaves either no
 * file in new/ or all of it. Synced before the rename, each delivery would wait for two
 * commits. Whoever looks into new/ before the sync may read what a power cut takes away
 * again; the message is then delivered a second time.
 */
#include "deliver.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NAME_ROOM 512

const char *
mailbox_code(const struct mailbox_order *o, int error)
{
	/* Names and rights, which do not change by themselves. */
	static const int lasting[] = { EACCES, EEXIST, EISDIR, ELOOP, ENAMETOOLONG,
		ENOENT, ENOTDIR, ENXIO, EPERM, EROFS };

	if (error == EFBIG || error == EDQUOT)
		return "5.2.2";
	for (size_t i = 0; o->gives_up && i < COUNT(lasting); i++)
		if (error == lasting[i])
			return "5.2.0";
	return error == ENOSPC ? "4.3.0" : "4.2.0";
}

static enum verdict
maildir_failed(const struct mailbox_order *o, struct why *why, const char *what)
{
	int error = errno;

	return why_set(why, mailbox_code(o, error), "maildir delivery failed: %s %s: %s",
		what, o->path, strerror(error));
}

/* The data is on its way before the name is: a commit of the journal between the two must
 * not make an empty file visible (ext4's delayed allocation would). No flush yet: the one
 * of the commit covers it. */
static int
write_out(int fd)
{
	const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			     SYNC_FILE_RANGE_WAIT_AFTER;

	return sync_file_range(fd, 0, 0, all) == 0 ? 0 : fsync(fd);
}

/* Makes the Maildir with tmp, new and cur, and what leads to it. */
static int
maildir_make(const char *path)
{
	static const char *const parts[] = { "", "tmp", "new", "cur" };
	char name[NAME_ROOM];

	for (const char *slash = strchr(path + 1, '/'); slash && slash[1];
		slash = strchr(slash + 1, '/')) {
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		if (mkdir(name, 0700) < 0 && errno != EEXIST && errno != EACCES &&
			errno != EROFS)
			return -1;
	}
	for (size_t i = 0; i < COUNT(parts); i++) {
		snprintf(name, sizeof(name), "%s%s", path, parts[i]);
		if (mkdir(name, 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* Opens the Maildir itself, made if it is missing. */
static int
maildir_open(const char *path)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT && maildir_make(path) == 0)
		fd = open(path, flags);
	return fd;
}

/* Creates a file in tmp/ under a name that nobody else uses. */
static int
maildir_create(int dir, char *name, size_t room)
{
	static atomic_uint counter;
	int64_t now = time_wall_us();
	int fd = -1;

	for (int tries = 0; fd < 0 && tries < 3; tries++) {
		snprintf(name, room, "tmp/%lld.P%d.%u", (long long)now, (int)getpid(),
			atomic_fetch_add(&counter, 1));
		fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

/* Writes two pieces with one call where the kernel takes them. */
static int
write_two(int fd, struct str a, struct str b)
{
	struct iovec v[2] = { { (void *)a.data, a.len }, { (void *)b.data, b.len } };
	ssize_t wrote = writev(fd, v, 2);

	if (wrote < 0 && errno != EINTR)
		return -1;
	if (wrote < 0)
		wrote = 0;
	if ((size_t)wrote < a.len && write_all(fd, str_from(a, (size_t)wrote)) < 0)
		return -1;
	wrote = (size_t)wrote < a.len ? 0 : wrote - (ssize_t)a.len;
	return write_all(fd, str_from(b, (size_t)wrote));
}

static int
maildir_write(int fd, const struct mailbox_order *o)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	struct str chunk = STR_NONE, head = o->headers;
	octets_t size = head.len;
	int got;

	content_open(&c, o->first, o->rest_fd, o->rest);
	while ((got = content_next(&c, &chunk)) > 0) {
		size += chunk.len;
		if (o->limit > 0 && size > o->limit) {
			errno = EFBIG;
			return -1;
		}
		if (write_two(fd, head, chunk) < 0)
			return -1;
		head = STR_NONE;
	}
	if (got == 0 && head.len > 0)
		return write_all(fd, head);
	return got;
}

/* tmp/x becomes new/<seconds>.V<device>I<inode>M<microseconds>.<host>: unique by the
 * inode, which is in use until the file is gone. There may be tmp and no new: another
 * delivery is about to make it, or somebody removed it. */
static int
maildir_publish(const struct mailbox_order *o, int dir, int fd, char at[NAME_ROOM])
{
	int64_t now = time_wall_us();
	char name[NAME_ROOM], size[32] = "";
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (quota_is_set(&o->quota))
		snprintf(size, sizeof(size), ",S=%lld", (long long)st.st_size);
	snprintf(name, sizeof(name), "new/%lld.V%llxI%llxM%06d.%s%s",
		(long long)(now / 1000000), (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino, (int)(now % 1000000), o->hostname, size);
	if (renameat(dir, at, dir, name) < 0 &&
		(errno != ENOENT || maildir_make(o->path) < 0 ||
			renameat(dir, at, dir, name) < 0))
		return -1;
	memcpy(at, name, NAME_ROOM);
	return 0;
}

static int
sync_new(int dir)
{
	int fd CLEANUP(fd_close) = openat(dir, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

/* Room for the message in its quota, where there is one. */
static enum verdict
maildir_room(const struct mailbox_order *o, int dir, struct quota_claim *claim,
	struct why *why)
{
	octets_t size = o->headers.len + o->first.len + o->rest;
	struct quota_patience patience = { o->lock_attempts, o->lock_delay };
	int got = 1;

	if (quota_is_set(&o->quota))
		got = quota_claim(dir, &o->quota, size, patience, claim);
	if (got < 0)
		return maildir_failed(o, why, "find the quota of");
	if (got == 0)
		return why_set(why, o->quota_waits ? "4.2.2" : "5.2.2",
			"mailbox is full: its quota has no room for %llu bytes",
			(unsigned long long)size);
	return ACCEPT;
}

enum verdict
maildir_deliver(const struct mailbox_order *o, struct why *why)
{
	char at[NAME_ROOM]; /* where the file is by now */
	const char *failed = NULL;
	enum verdict verdict;
	struct quota_claim claim CLEANUP(quota_end) = { .maildir = -1 };
	int dir CLEANUP(fd_close) = maildir_open(o->path);
	int fd CLEANUP(fd_close) = dir < 0 ? -1 : maildir_create(dir, at, sizeof(at));

	if (dir >= 0 && fd < 0 && errno == ENOENT && maildir_make(o->path) == 0)
		fd = maildir_create(dir, at, sizeof(at));
	if (fd < 0)
		return maildir_failed(o, why, "create maildir file in");
	verdict = maildir_room(o, dir, &claim, why);
	if (verdict != ACCEPT) {
		unlinkat(dir, at, 0);
		return verdict;
	}
	if (maildir_write(fd, o) < 0 || write_out(fd) < 0)
		failed = "write";
	else if (maildir_publish(o, dir, fd, at) < 0)
		failed = "rename into";
	else if (fsync(fd) < 0)
		failed = "write";
	if (failed) {
		verdict = maildir_failed(o, why, failed);
		unlinkat(dir, at, 0);
		return verdict;
	}
	claim.kept = true;
	/* It may be there twice after this fails: better than not at all. */
	if (sync_new(dir) < 0)
		return maildir_failed(o, why, "sync");
	return ACCEPT;
}
