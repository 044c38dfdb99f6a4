/* file_read.c -- reads a message's file beside the writer: 0, or an errno as spool_read()
 * says. */
#include "spool.h"
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int
open_file(int dir, uint64_t mid)
{
	char path[FILE_PATH], below[sizeof(FILES_DIRECTORY) + FILE_PATH];
	int fd;

	file_path(path, mid, "");
	memcpy(below, FILES_DIRECTORY "/", sizeof(FILES_DIRECTORY));
	memcpy(below + sizeof(FILES_DIRECTORY), path, sizeof(path));
	fd = openat(dir, below, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		errno = ESTALE; /* it ended, or somebody removed it */
	return fd;
}

/* Too short is damaged. */
static int
read_part(int fd, struct arena *arena, size_t len, octets_t at, struct str *out)
{
	char *bytes = arena_alloc(arena, len + 1);

	*out = str_of(bytes, len);
	while (len) {
		ssize_t n = pread(fd, bytes, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EBADMSG;
		bytes += n;
		len -= (size_t)n;
		at += (octets_t)n;
	}
	return 0;
}

int
file_read(int dir, uint64_t mid, bool envelope_only, struct arena *arena,
	struct spool_content *out, struct file_head *h)
{
	int fd CLEANUP(fd_close) = open_file(dir, mid);
	struct str head = STR_NONE;
	int error = fd < 0 ? errno : read_part(fd, arena, FILE_HEAD, 0, &head);

	if (error)
		return error;
	if (file_head_get(head.data, h) < 0 || h->mid != mid)
		return EBADMSG;
	out->queue_id = arena_str(arena, str_c(h->queue_id));
	out->size = h->size;
	out->arrival_us = h->arrival_us;
	error = read_part(fd, arena, h->envelope, FILE_HEAD, &out->envelope);
	if (!error && crc32c(0, out->envelope.data, h->envelope) != h->envelope_crc)
		error = EBADMSG;
	if (error || envelope_only)
		return error;
	error = read_part(
		fd, arena, h->content, FILE_HEAD + (octets_t)h->envelope, &out->content);
	if (!error && crc32c(0, out->content.data, h->content) != h->content_crc)
		error = EBADMSG;
	return error;
}

struct reading {
	struct arena *arena;
	VEC(struct spool_state) states;
	int error;
};

static void
take_state(void *arg, struct str bytes)
{
	struct reading *r = arg;

	if (spool_state_get(bytes, vec_push(&r->states), r->arena) < 0)
		r->error = EBADMSG;
}

int
file_read_states(int dir, uint64_t mid, struct spool_where at, struct arena *arena,
	struct spool_state **states, size_t *n)
{
	int fd CLEANUP(fd_close) = open_file(dir, mid);
	struct reading r = { .arena = arena };
	struct file_walk w = { .state = take_state, .arg = &r };
	octets_t begin = (octets_t)at.offset * FILE_ALIGN;
	struct str area = STR_NONE;
	int error = fd < 0 ? errno
			   : read_part(fd, arena, (size_t)at.length * FILE_ALIGN, begin,
				     &area);

	/* Shorter than it was: it was written anew since. */
	if (error)
		return error == EBADMSG ? ESTALE : error;
	file_walk(area, begin, mid, &w);
	error = r.error;
	if (w.end != begin + area.len)
		error = ESTALE;
	*n = error ? 0 : r.states.n;
	*states = arena_alloc(arena, (r.states.n + 1) * sizeof(**states));
	if (*n)
		memcpy(*states, r.states.items, *n * sizeof(**states));
	vec_free(&r.states);
	return error;
}
