/* dmarc_store.c -- see dmarc_store.h. Each message is its length (32 bits) and its bytes
 * as messages between processes have them. */
#include "dmarc_store.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 4, OPEN = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW };

int
dmarc_store_open(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, OPEN, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	/* It may be in a directory of the mail owner's, and whoever opens it be root. */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		errno = EINVAL;
		return -1;
	}
	return fd_take(&fd);
}

static int
lock(int fd, int how)
{
	int got;

	while ((got = flock(fd, how)) < 0 && errno == EINTR)
		;
	return got;
}

static void
unlock_keeping_errno(int fd)
{
	int cause = errno;

	lock(fd, LOCK_UN);
	errno = cause;
}

void
dmarc_store_put(struct buf *out, const struct dmarc_seen *seen)
{
	size_t start = out->len;

	buf_need(out, LENGTH);
	out->len += LENGTH;
	dmarc_seen_put(out, seen);
	put_u32(out->data + start, (uint32_t)(out->len - start - LENGTH));
}

/* All or nothing: what stands behind half a message could not be read. */
static int
append(int fd, struct str records)
{
	struct stat st;
	int cause;

	if (fstat(fd, &st) < 0)
		return -1;
	if ((uint64_t)st.st_size + records.len > DMARC_STORE_MOST) {
		errno = EFBIG;
		return -1;
	}
	if (write_all(fd, records) == 0)
		return 0;
	cause = errno;
	(void)!ftruncate(fd, st.st_size);
	errno = cause;
	return -1;
}

int
dmarc_store_add(int fd, struct str records)
{
	int result;

	if (lock(fd, LOCK_EX) < 0)
		return -1;
	result = append(fd, records);
	unlock_keeping_errno(fd);
	return result;
}

static int
read_all(int fd, struct buf *out)
{
	ssize_t got;

	do {
		buf_need(out, 65536);
		got = pread(fd, out->data + out->len, 65536, (off_t)out->len);
		out->len += got > 0 ? (size_t)got : 0;
	} while (
		(got > 0 && out->len <= DMARC_STORE_MOST) || (got < 0 && errno == EINTR));
	return got < 0 ? -1 : 0;
}

static int
move(int store, int aside, struct buf *out)
{
	if (read_all(store, out) < 0 || write_all(aside, buf_str(out)) < 0 ||
		fdatasync(aside) < 0)
		return -1;
	return ftruncate(store, 0);
}

int
dmarc_store_take(int store, const char *aside, int *fd, struct buf *out)
{
	int to CLEANUP(fd_close) = dmarc_store_open(aside);
	int result;

	if (to < 0 || lock(to, LOCK_EX | LOCK_NB) < 0 || read_all(to, out) < 0)
		return -1;
	if (out->len == 0) {
		if (lock(store, LOCK_EX) < 0)
			return -1;
		result = move(store, to, out);
		unlock_keeping_errno(store);
		if (result < 0) {
			(void)!ftruncate(to, 0);
			return -1;
		}
	}
	*fd = fd_take(&to);
	return 0;
}

bool
dmarc_store_next(
	struct str *rest, struct dmarc_seen *seen, struct str *bytes, struct arena *arena)
{
	size_t len;

	if (rest->len < LENGTH)
		return false;
	len = get_u32(rest->data);
	if (len > rest->len - LENGTH)
		return false;
	*bytes = str_sub(*rest, 0, LENGTH + len);
	if (dmarc_seen_get(str_from(*bytes, LENGTH), seen, arena) < 0)
		return false;
	*rest = str_from(*rest, LENGTH + len);
	return true;
}
