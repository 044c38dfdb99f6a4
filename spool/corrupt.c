/* corrupt.c -- a message that nothing could handle, kept for the administrator: the
 * content as it came in corrupt/ID, the envelope as spool(5) encodes it in
 * corrupt/ID.envelope. */
#include "daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Queue ids are letters and digits; anything else might be a path. */
static bool
is_file_name(struct str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return id.len > 0 && id.len < 64;
}

static int
keep(int dir, struct str id, const char *suffix, struct str bytes)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	buf_add(&name, id);
	buf_addz(&name, suffix);
	fd = openat(dir, buf_cstr(&name),
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, bytes) < 0 || fsync(fd) < 0)
		return errno;
	return 0;
}

int
keep_corrupt(
	const char *queue, struct str queue_id, struct str envelope, struct str content)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	int dir CLEANUP(fd_close) = -1, error;

	if (!is_file_name(queue_id))
		return EINVAL;
	buf_printf(&path, "%s/corrupt", queue);
	dir = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno;
	error = keep(dir, queue_id, "", content);
	if (!error)
		error = keep(dir, queue_id, ".envelope", envelope);
	if (!error && fsync(dir) < 0)
		error = errno;
	return error;
}
