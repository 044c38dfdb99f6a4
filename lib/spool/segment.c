/* segment.c -- the files: made, numbered anew, and kept in the table.
 *
 * A file is zeroed with writes, not reserved with fallocate(): a write into reserved
 * space changes metadata, which makes each fdatasync() a journal commit. It gets its name
 * only when all of it is on the disk. */
#include "private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

int
write_at(int fd, struct str bytes, octets_t at)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.data, bytes.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return -1;
		}
		bytes = str_from(bytes, (size_t)n);
		at += (octets_t)n;
	}
	return 0;
}

int
read_at(int fd, char *out, size_t len, octets_t at)
{
	while (len) {
		ssize_t n = pread(fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return -1;
		}
		out += n;
		len -= (size_t)n;
		at += (octets_t)n;
	}
	return 0;
}

void
segment_name(char out[24], uint32_t slot)
{
	snprintf(out, 24, "%08x.seg", slot);
}

static int
zero_out(int fd, uint32_t size)
{
	size_t piece = MIN(size, 1 << 20);
	char *zero CLEANUP(mem_free_at) = mem_alloc(piece);

	for (uint32_t at = 0; at < size; at += (uint32_t)piece)
		if (write_at(fd, str_of(zero, MIN(piece, size - at)), at) < 0)
			return -1;
	return 0;
}

/* Both headers; the caller syncs. */
static int
write_id(int fd, const struct segment_id *id)
{
	char block[SPOOL_BLOCK] = { 0 };

	segment_put(block, id);
	if (write_at(fd, str_of(block, sizeof(block)), 0) < 0)
		return -1;
	return write_at(fd, str_of(block, sizeof(block)), id->size - SPOOL_BLOCK);
}

int
segment_make(int dir, const struct segment_id *id)
{
	char name[24];
	int fd = openat(dir, "new.tmp",
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	segment_name(name, id->slot);
	if (fd < 0)
		return -1;
	if (zero_out(fd, id->size) < 0 || write_id(fd, id) < 0 || fsync(fd) < 0 ||
		renameat(dir, "new.tmp", dir, name) < 0)
		goto undo;
	if (fsync(dir) < 0) {
		int error = errno;

		unlinkat(dir, name, 0);
		errno = error;
		goto undo;
	}
	return fd;
undo:;
	int error = errno;
	unlinkat(dir, "new.tmp", 0);
	close(fd);
	errno = error;
	return -1;
}

int
segment_renumber(int fd, const struct segment_id *id)
{
	return write_id(fd, id) < 0 || fdatasync(fd) < 0 ? -1 : 0;
}

int
segment_read_id(int fd, octets_t size, struct segment_id *out, bool *mend)
{
	char head[SEGMENT_HEADER], tail[SEGMENT_HEADER];
	struct segment_id first, last;
	bool first_good, last_good;

	*mend = false;
	if (size < SEGMENT_LEAST || size > SEGMENT_MOST || size % SPOOL_BLOCK)
		return -1;
	first_good = read_at(fd, head, sizeof(head), 0) == 0 &&
		     segment_get(head, &first) == 0 && first.size == size;
	last_good = read_at(fd, tail, sizeof(tail), size - SPOOL_BLOCK) == 0 &&
		    segment_get(tail, &last) == 0 && last.size == size;
	if (!first_good && !last_good)
		return -1;
	*mend = !first_good || !last_good || memcmp(head, tail, sizeof(head)) != 0;
	*out = first_good ? first : last;
	return 0;
}

/* ---- the table ---- */
struct segment *
segment_add(struct spool *s, int fd, const struct segment_id *id)
{
	struct segment *g = mem_alloc(sizeof(*g));

	while (s->segments.n <= id->slot)
		(void)vec_push(&s->segments);
	ensure(!s->segments.items[id->slot]);
	s->segments.items[id->slot] = g;
	g->fd = fd;
	g->id = *id;
	s->disk += id->size;
	return g;
}

struct segment *
segment_of_generation(const struct spool *s, uint32_t generation)
{
	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->fd >= 0 && g->id.generation == generation)
			return g;
	}
	return NULL;
}

void
segment_forget(struct spool *s, struct segment *g)
{
	s->segments.items[g->id.slot] = NULL;
	s->disk -= g->id.size;
	fd_close(&g->fd);
	vec_free(&g->finished);
	vec_free(&g->ghosts);
	mem_free(g);
}

uint32_t
segment_free_slot(struct spool *s)
{
	uint32_t slot = 0;

	while (slot < s->segments.n && s->segments.items[slot])
		slot++;
	if (slot == s->segments.n)
		(void)vec_push(&s->segments); /* taken from now on: see keeper.c */
	return slot;
}

struct segment_id
segment_next_id(struct spool *s, uint32_t slot, uint32_t size)
{
	struct segment_id id = {
		.generation = ++s->generation, .slot = slot, .size = size
	};

	if (getrandom(&id.salt, sizeof(id.salt), 0) != sizeof(id.salt))
		log_panic("spool: no random numbers");
	return id;
}

/* After a failed write or sync nobody knows what the disk holds and what the page cache
 * only pretends: the file is never written again. What it holds is served as long as it
 * can be. */
void
segment_retire(struct spool *s, struct segment *g, int error)
{
	char name[24];

	if (g->state == SEGMENT_RETIRED)
		return;
	segment_name(name, g->id.slot);
	log_error("spool: cannot write to segment %u (log/%s): %s; nothing more goes "
		  "there. "
		  "Check this disk: dmesg, smartctl",
		g->id.generation, name, strerror(error));
	for (size_t i = 0; i < STREAMS; i++)
		if (s->streams[i].seg == g)
			stream_seal(s, &s->streams[i]);
	g->state = SEGMENT_RETIRED;
	g->dirty = false;
	states_retired(s, g->id.slot);
}
