/* reader.c -- reads messages and states by their places, beside the writer.
 *
 * A place names a segment by its number. Which file holds it is found in the headers of
 * the files; when a file was given a new number since, the record may still be there
 * whole (then it is what was asked for), or not (ESTALE: ask for the new place). Many
 * threads may read through one reader. */
#include "spool.h"
#include "files.h"
#include "format.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files that are kept open for the next look; those that are being read besides. */
enum { OPEN_MOST = 32 };
/* A file stays open as long as one thread reads it. */
struct open_segment {
	struct segment_id id;
	int fd;
	unsigned users;
	uint64_t used; /* when: `looks` of the reader */
};
struct spool_reader {
	int dir;
	uint64_t looks;
	pthread_mutex_t lock;
	VEC(struct open_segment *) open; /* in no order */
};

struct spool_reader *
spool_reader_open(const char *directory, struct why *why)
{
	struct spool_reader *r = mem_alloc(sizeof(*r));

	r->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0) {
		why_errno(why, "4.3.0", directory);
		mem_free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void
forget(struct open_segment *o)
{
	fd_close(&o->fd);
	mem_free(o);
}

void
spool_reader_close(struct spool_reader *r)
{
	for (size_t i = 0; i < r->open.n; i++)
		forget(r->open.items[i]);
	vec_free(&r->open);
	pthread_mutex_destroy(&r->lock);
	fd_close(&r->dir);
	mem_free(r);
}

/* ---- which file ---- */
static int
pread_all(int fd, char *out, size_t len, octets_t at)
{
	while (len) {
		ssize_t n = pread(fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EBADMSG;
			return -1;
		}
		out += n;
		len -= (size_t)n;
		at += (octets_t)n;
	}
	return 0;
}

static int
read_id(int fd, struct segment_id *id)
{
	char head[SEGMENT_HEADER];
	struct stat st;

	if (pread_all(fd, head, sizeof(head), 0) == 0 && segment_get(head, id) == 0)
		return 0;
	/* The first header is damaged: the last block repeats it. */
	if (fstat(fd, &st) < 0 || st.st_size < SEGMENT_LEAST ||
		pread_all(fd, head, sizeof(head), (octets_t)st.st_size - SPOOL_BLOCK) < 0)
		return -1;
	return segment_get(head, id);
}

/* Closes the file that was used least recently, when there are too many. */
static void
make_room(struct spool_reader *r)
{
	size_t oldest = r->open.n;

	if (r->open.n < OPEN_MOST)
		return;
	for (size_t i = 0; i < r->open.n; i++)
		if (r->open.items[i]->users == 0 &&
			(oldest == r->open.n ||
				r->open.items[i]->used < r->open.items[oldest]->used))
			oldest = i;
	if (oldest == r->open.n)
		return;
	forget(r->open.items[oldest]);
	r->open.items[oldest] = r->open.items[--r->open.n];
}

/* Forgets files that hold another segment by now, and opens the one that is asked for. */
static struct open_segment *
look_again(struct spool_reader *r, uint32_t generation)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct open_segment *found = NULL;
	struct dirent *item;

	for (size_t i = r->open.n; i-- > 0;) {
		struct segment_id now;
		struct open_segment *o = r->open.items[i];

		if (o->users > 0 ||
			(read_id(o->fd, &now) == 0 && now.generation == o->id.generation))
			continue;
		forget(o);
		r->open.items[i] = r->open.items[--r->open.n];
	}
	make_room(r);
	while (d && !found && (item = readdir(d))) {
		struct open_segment o = { .fd = -1 };

		if (strlen(item->d_name) != 12 || strcmp(item->d_name + 8, ".seg") != 0)
			continue;
		o.fd = openat(r->dir, item->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (o.fd < 0)
			continue;
		if (read_id(o.fd, &o.id) < 0 || o.id.generation != generation) {
			fd_close(&o.fd);
			continue;
		}
		found = mem_alloc(sizeof(*found));
		*found = o;
		*vec_push(&r->open) = found;
	}
	if (d)
		closedir(d);
	return found;
}

static struct open_segment *
hold_segment(struct spool_reader *r, uint32_t generation)
{
	struct open_segment *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->open.n && !found; i++)
		if (r->open.items[i]->id.generation == generation)
			found = r->open.items[i];
	if (!found)
		found = look_again(r, generation);
	if (found) {
		found->users++;
		found->used = ++r->looks;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

static void
release_segment(struct spool_reader *r, struct open_segment *o)
{
	pthread_mutex_lock(&r->lock);
	o->users--;
	pthread_mutex_unlock(&r->lock);
}

/* What was read is not what was expected: because something else is there by now? */
static int
stale_or_bad(const struct open_segment *o)
{
	struct segment_id now;

	if (read_id(o->fd, &now) == 0 && now.generation != o->id.generation)
		return ESTALE;
	return EBADMSG;
}

/* ---- records ---- */

/* `most` bytes of the record, and its header checked. 0 or an errno. */
static int
read_some(const struct open_segment *o, struct spool_where at, size_t most,
	struct arena *arena, char **bytes, struct record *rec)
{
	size_t len = MIN((size_t)at.length, most);

	if (at.length < RECORD_HEADER || (octets_t)at.offset + at.length > o->id.size)
		return ESTALE;
	*bytes = arena_alloc(arena, len);
	if (pread_all(o->fd, *bytes, len, at.offset) < 0)
		return errno_of_failure();
	/* The head is longer than what was read only in records of states. */
	if (get_u32(*bytes + 8) > len || record_get(*bytes, at.length, &o->id, rec) < 0 ||
		rec->length != at.length)
		return stale_or_bad(o);
	return 0;
}

static int
read_message(const struct open_segment *o, uint64_t mid, struct spool_where at,
	size_t most, struct arena *arena, char **bytes, struct message_head *h)
{
	struct record rec;
	int error = read_some(o, at, most, arena, bytes, &rec);

	if (error)
		return error;
	if (rec.type != RECORD_MESSAGE || rec.sequence != mid)
		return ESTALE;
	return message_head_get(*bytes, &rec, h) < 0 ? EBADMSG : 0;
}

static int
open_body(const struct spool_reader *r, uint64_t number)
{
	char name[64];

	snprintf(name, sizeof(name), "body/%016llx", (unsigned long long)number);
	return openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* The body file must be as long as the record says. */
static int
attach_body(const struct spool_reader *r, const struct message_head *h,
	struct spool_content *out)
{
	struct stat st;
	int fd CLEANUP(fd_close) = open_body(r, h->body);

	if (fd < 0)
		return errno == ENOENT ? EBADMSG : errno;
	if (fstat(fd, &st) < 0)
		return errno;
	if ((octets_t)st.st_size != h->size - h->content)
		return EBADMSG;
	out->body_fd = fd_take(&fd);
	out->body_crc = h->body_crc;
	return 0;
}

static int
read_into(struct spool_reader *r, const struct open_segment *o, uint64_t mid,
	struct spool_where at, bool envelope_only, struct arena *arena,
	struct spool_content *out)
{
	struct message_head h;
	char *bytes;
	size_t most = envelope_only ? SPOOL_BLOCK : at.length;
	int error = read_message(o, mid, at, most, arena, &bytes, &h);

	if (!error && most < MESSAGE_HEAD + (size_t)h.envelope)
		error = read_message(
			o, mid, at, MESSAGE_HEAD + (size_t)h.envelope, arena, &bytes, &h);
	if (error)
		return error;
	out->queue_id = arena_str(arena, str_c(h.queue_id));
	out->size = h.size;
	out->arrival_us = h.arrival_us;
	out->envelope = str_of(bytes + MESSAGE_HEAD, h.envelope);
	if (crc32c(0, out->envelope.data, h.envelope) != h.envelope_crc)
		return stale_or_bad(o);
	if (envelope_only)
		return 0;
	out->content = str_of(bytes + MESSAGE_HEAD + h.envelope, h.content);
	if (crc32c(0, out->content.data, h.content) != h.content_crc)
		return stale_or_bad(o);
	return h.body ? attach_body(r, &h, out) : 0;
}

int
spool_read(struct spool_reader *r, uint64_t mid, struct spool_where at,
	bool envelope_only, struct arena *arena, struct spool_content *out)
{
	struct open_segment *o;
	int error = ESTALE;

	*out = (struct spool_content){ .body_fd = -1 };
	if (at.segment == FILE_SEGMENT) {
		struct file_head h;
		struct message_head m;

		error = file_read(r->dir, mid, envelope_only, arena, out, &h);
		m.body = h.body;
		m.size = h.size;
		m.content = h.content;
		m.body_crc = h.body_crc;
		if (!error && h.body && !envelope_only)
			error = attach_body(r, &m, out);
	} else if ((o = hold_segment(r, at.segment))) {
		error = read_into(r, o, mid, at, envelope_only, arena, out);
		release_segment(r, o);
	}
	if (!error)
		return 0;
	*out = (struct spool_content){ .body_fd = -1 };
	errno = error;
	return -1;
}

static int
states_into(const struct open_segment *o, uint64_t mid, struct spool_where at,
	struct arena *arena, struct spool_state **states, size_t *n)
{
	struct record rec;
	struct states_head h;
	struct str one;
	char *bytes;
	int error = read_some(o, at, at.length, arena, &bytes, &rec);

	if (error)
		return error;
	if (states_head_get(bytes, &rec, &h) < 0 || h.mid != mid)
		return ESTALE;
	if (h.count > h.items.len / 4)
		return EBADMSG;
	*states = arena_alloc(arena, (h.count + 1) * sizeof(**states));
	while (*n < h.count && states_next(&h.items, &one))
		if (spool_state_get(one, &(*states)[(*n)++], arena) < 0)
			return EBADMSG;
	return *n == h.count ? 0 : EBADMSG;
}

int
spool_body_check(const struct spool_content *c)
{
	char piece[64 * 1024];
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t got = 0;

	while (c->body_fd >= 0 &&
		(got = pread(c->body_fd, piece, sizeof(piece), at)) > 0) {
		crc = crc32c(crc, piece, (size_t)got);
		at += got;
	}
	if (got == 0 && crc != c->body_crc && c->body_fd >= 0) {
		errno = EBADMSG;
		return -1;
	}
	return got < 0 ? -1 : 0;
}

int
spool_read_states(struct spool_reader *r, uint64_t mid, struct spool_where at,
	struct arena *arena, struct spool_state **states, size_t *n)
{
	struct open_segment *o;
	int error = ESTALE;

	*states = NULL;
	*n = 0;
	if (at.segment == FILE_SEGMENT) {
		error = file_read_states(r->dir, mid, at, arena, states, n);
	} else if ((o = hold_segment(r, at.segment))) {
		error = states_into(o, mid, at, arena, states, n);
		release_segment(r, o);
	}
	if (!error)
		return 0;
	errno = error;
	return -1;
}
