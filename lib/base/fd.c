/* fd.c -- descriptors and whole files. */
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

int
memfd_sealed(const char *name, struct str content)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (write_all(fd, content) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
			       fcntl(fd, F_ADD_SEALS,
				       F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
					       F_SEAL_WRITE) < 0))
		fd_close(&fd);
	return fd;
}

int
memfd_map(int fd, struct str *out)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0)
		return -1;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return -1;
	*out = str_of(at, (size_t)st.st_size);
	return 0;
}

void
memfd_unmap(struct str content)
{
	if (content.data)
		munmap((void *)(uintptr_t)content.data, content.len);
}
