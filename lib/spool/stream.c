/* stream.c -- where batches go: two streams, new mail and states in the hot one, what the
 * cleaner keeps in the cold one. Each has one open segment. */
#include "private.h"
#include <errno.h>
#include <limits.h>
#include <time.h>

/* Spares are used in the order of their numbers, so that numbers grow along a stream. */
static struct segment *
take_spare(struct spool *s)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->state == SEGMENT_SPARE &&
			(!best || g->id.generation < best->id.generation))
			best = g;
	}
	if (best) {
		best->from_reserve = s->n_spares <= RESERVE;
		s->n_spares--;
		s->plan_due = true;
	}
	return best;
}

void
stream_seal(struct spool *s, struct stream *t)
{
	struct segment *g = t->seg;

	if (!g)
		return;
	t->seg = NULL;
	g->state = SEGMENT_SEALED;
	g->end = t->off;
	s->plan_due = true;
	s->nothing_to_clean = false;
}

struct mark
stream_mark(const struct spool *s, const struct stream *t)
{
	return (struct mark){
		.durable = { t->seg->id.generation, t->off },
		.salt = t->seg->id.salt,
		.next = put_next_sequence(s),
	};
}

static uint32_t
next_offset(const struct stream *t, bool pack)
{
	return round_up(t->off, pack && t->may_pack ? SPOOL_PACK : SPOOL_BLOCK);
}

bool
stream_has_room(const struct stream *t, uint32_t size)
{
	return t->seg && (octets_t)round_up(t->off, SPOOL_BLOCK) + size <=
				 t->seg->id.size - SPOOL_BLOCK;
}

/* Places the batch at the end of the open segment and writes it. */
static int
write_here(
	struct spool *s, struct stream *t, struct build *b, bool pack, uint32_t *offset)
{
	struct segment *g = t->seg;
	uint32_t at = next_offset(t, pack);
	struct str bytes = build_finish(b, &g->id, t->id, at, t->durable);

	g->dirty = true;
	if (write_at(g->fd, bytes, at) < 0) {
		int error = errno;

		segment_retire(s, g, error);
		errno = error;
		return -1;
	}
	t->off = at + (uint32_t)b->bytes.len;
	s->counts.written[t->id] += b->bytes.len;
	t->may_pack = pack;
	*offset = at;
	return 0;
}

static bool
is_listed(const struct segment *g)
{
	return g && g->state != SEGMENT_GONE && g->fd >= 0;
}

/* The list of all segments goes first into each new one: a later start can tell a file
 * that is missing from one that never was. */
void
manifest_build(struct spool *s, struct build *b)
{
	struct record r = { .sequence = ++s->sequence, .type = RECORD_MANIFEST };
	uint32_t n = 0;
	char *p;

	for (size_t i = 0; i < s->segments.n; i++)
		n += is_listed(s->segments.items[i]);
	r.length = r.head = MANIFEST_HEAD + n * MANIFEST_ITEM;
	p = build_record(b, &r);
	put_u32(p + RECORD_HEADER, n);
	p += MANIFEST_HEAD;
	for (size_t i = 0; i < s->segments.n; i++) {
		const struct segment *g = s->segments.items[i];
		struct manifest_item item;

		if (!is_listed(g))
			continue;
		item = (struct manifest_item){ g->id, g->end, (uint8_t)g->state,
			g->stream };
		manifest_item_put(p, &item);
		p += MANIFEST_ITEM;
	}
}

static int
open_segment(struct spool *s, struct stream *t, struct segment *g)
{
	struct build b = { 0 };
	uint32_t offset;
	int result;

	g->state = SEGMENT_OPEN;
	g->stream = t->id;
	g->end = 0;
	t->seg = g;
	t->off = SPOOL_BLOCK;
	t->may_pack = false;
	manifest_build(s, &b);
	if (build_size(&b) > g->id.size / 2)
		result = 0; /* tests with tiny segments */
	else
		result = write_here(s, t, &b, true, &offset);
	build_free(&b);
	return result;
}

/* Moving mail needs room, and without moving no segment would ever come back: a spare, or
 * the larger part of the segment that is open for it. */
bool
cleaner_has_room(const struct spool *s, unsigned spares, octets_t besides)
{
	const struct stream *cold = &s->streams[STREAM_COLD];
	octets_t size = s->o.segment_size;

	return spares > 0 ||
	       (cold->seg && stream_has_room(cold, (uint32_t)(size / 2 + besides)));
}

/* May the next segment be opened? */
static bool
may_take_spare(const struct spool *s, const struct stream *t, bool reserve)
{
	if (!reserve)
		return s->n_spares > RESERVE;
	return s->n_spares > 0 &&
	       (t->id == STREAM_COLD || cleaner_has_room(s, s->n_spares - 1, 0));
}

struct segment *
stream_room(struct spool *s, struct stream *t, uint32_t size, bool reserve)
{
	for (;;) {
		struct segment *g;

		if (stream_has_room(t, size)) {
			if (!reserve && t->seg->from_reserve && s->n_spares < RESERVE)
				return NULL;
			return t->seg;
		}
		if (!may_take_spare(s, t, reserve)) {
			if (reserve)
				stream_seal(s, t); /* what is dead in it can be cleaned */
			return NULL;
		}
		stream_seal(s, t);
		g = take_spare(s);
		ensure(g);
		if (open_segment(s, t, g) == 0 && !stream_has_room(t, size))
			return NULL; /* too big for any segment */
	}
}

int
stream_write(
	struct spool *s, struct stream *t, struct build *b, bool pack, uint32_t *offset)
{
	if (!stream_room(s, t, build_size(b), true)) {
		errno = ENOSPC;
		return -1;
	}
	return write_here(s, t, b, pack, offset);
}
