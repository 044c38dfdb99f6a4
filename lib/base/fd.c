/* fd.c -- descriptors and whole files. */
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int cause = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = cause;
}

int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	if (flags & O_NONBLOCK)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int
write_all(int fd, struct str s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.data, s.len);

		if (n >= 0)
			s = str_from(s, (size_t)n);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* Reads until the end rather than trusting st_size: /proc says 0, logs grow. One byte
 * more than `most` is asked for, to know a file that is too big from one that just fits.
 */
int
read_file(const char *path, size_t most, struct buf *out)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);
	size_t before = out->len;

	if (fd < 0)
		return -1;
	for (;;) {
		size_t left = most - (out->len - before);
		ssize_t n;

		buf_need(out, MIN(left, 16384) + 1);
		n = read(fd, out->data + out->len,
			MIN(left, out->room - out->len - 1) + 1);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && (size_t)n <= left) {
			out->len += (size_t)n;
			continue;
		}
		if (n > 0)
			errno = EFBIG;
		out->len = before;
		return -1;
	}
}
