/* drop.c -- see drop.h. */
#include "drop.h"
#include <errno.h>
#include <unistd.h>

static int
read_exactly(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t got = read(fd, at, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

static int
read_length(int fd, uint32_t most, uint32_t *out)
{
	char bytes[4];

	if (read_exactly(fd, bytes, sizeof(bytes)) < 0)
		return -1;
	*out = get_u32(bytes);
	if (*out <= most)
		return 0;
	errno = EBADMSG;
	return -1;
}

int
drop_read_envelope(struct drop_reader *r, int fd, struct buf *out)
{
	char magic[7];
	uint32_t len;

	r->fd = fd;
	r->buffer = NULL;
	if (read_exactly(fd, magic, sizeof(magic)) < 0)
		return -1;
	if (!str_eq(str_of(magic, sizeof(magic)), DROP_MAGIC)) {
		errno = EBADMSG;
		return -1;
	}
	if (read_length(fd, DROP_ENVELOPE_MOST, &len) < 0)
		return -1;
	buf_clear(out);
	buf_need(out, len);
	if (read_exactly(fd, out->data, len) < 0)
		return -1;
	out->len = len;
	return 0;
}

int
drop_read_chunk(struct drop_reader *r, struct str *chunk)
{
	uint32_t len;

	if (read_length(r->fd, DROP_CHUNK, &len) < 0)
		return -1;
	if (len == 0)
		return 0;
	if (!r->buffer)
		r->buffer = mem_alloc(DROP_CHUNK);
	if (read_exactly(r->fd, r->buffer, len) < 0)
		return -1;
	*chunk = str_of(r->buffer, len);
	return 1;
}

void
drop_reader_close(struct drop_reader *r)
{
	mem_free(r->buffer);
	r->buffer = NULL;
}

static int
write_length(int fd, size_t len)
{
	char bytes[4];

	put_u32(bytes, (uint32_t)len);
	return write_all(fd, str_of(bytes, sizeof(bytes)));
}

int
drop_write_envelope(int fd, struct str encoded)
{
	if (write_all(fd, DROP_MAGIC) < 0 || write_length(fd, encoded.len) < 0)
		return -1;
	return write_all(fd, encoded);
}

int
drop_write_chunk(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		struct str part = str_sub(bytes, 0, DROP_CHUNK);

		if (write_length(fd, part.len) < 0 || write_all(fd, part) < 0)
			return -1;
		bytes = str_from(bytes, part.len);
	}
	return 0;
}

int
drop_write_end(int fd)
{
	return write_length(fd, 0);
}
