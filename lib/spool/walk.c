/* walk.c -- finds every batch and record of a segment's image, however damaged it is. */
#include "format.h"

/* Are these bytes of the image there? They are by now. */
static void
need(const struct segment_walk *w, uint32_t from, uint32_t to)
{
	if (w->need)
		w->need(w->arg, from, to);
}

/* The next offset from `at` on where a genuine batch begins, or `limit`. */
static uint32_t
next_batch(const char *image, const struct segment_id *id, uint32_t at, uint32_t limit,
	const struct segment_walk *w)
{
	struct batch b;

	for (at = round_up(at, SPOOL_PACK); at + BATCH_HEADER <= limit;
		at += SPOOL_PACK) {
		need(w, at, at + BATCH_HEADER);
		if (batch_get(image + at, id, at, &b))
			return at;
	}
	return limit;
}

/* A batch is followed by zeroes up to the end of its block, unless another one begins
 * there: so an empty rest can be told from a damaged header. */
static bool
is_zero(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static uint32_t
after_batch(const char *image, uint32_t end, const struct segment_walk *w)
{
	uint32_t at = round_up(end, SPOOL_PACK), block = round_up(end, SPOOL_BLOCK);

	need(w, at, block);
	return is_zero(image + at, block - at) ? block : at;
}

/* record_get(), when no more of the record is there than what it needs. */
static int
get_record(const char *image, const struct segment_id *id, uint32_t at, uint32_t end,
	const struct segment_walk *w, struct record *r)
{
	uint32_t head;

	if (end - at < RECORD_HEADER)
		return -1;
	need(w, at, at + RECORD_HEADER);
	head = get_u32(image + at + 8);
	if (head > end - at)
		return -1;
	need(w, at, at + head);
	return record_get(image + at, end - at, id, r);
}

/* Within a batch records follow each other. Where one is damaged its length cannot be
 * trusted: look for the next one that proves itself. */
void
records_walk(struct str image, const struct segment_id *id, uint32_t from, uint32_t to,
	struct segment_walk *w)
{
	uint32_t at = round_up(from, SPOOL_ALIGN), end = to;

	while (at < end) {
		struct record r;
		uint32_t bad = at;

		while (at < end && get_record(image.data, id, at, end, w, &r) < 0)
			at += SPOOL_ALIGN;
		at = MIN(at, end);
		if (at != bad)
			w->bad(w->arg, bad, at, true);
		if (at == end)
			break;
		w->record(w->arg, &r, image.data + at, at);
		w->last_sequence = MAX(w->last_sequence, r.sequence);
		at += round_up(r.length, SPOOL_ALIGN);
	}
}

void
segment_walk(struct str image, const struct segment_id *id, struct segment_walk *w)
{
	uint32_t at = SPOOL_BLOCK, limit = id->size - SPOOL_BLOCK;

	w->end = SPOOL_BLOCK;
	w->durable = (struct log_point){ 0, 0 };
	w->last_sequence = 0;
	w->stream = 0;
	w->batches = 0;
	if (image.len < id->size || id->size < SEGMENT_LEAST || id->size > SEGMENT_MOST)
		return;
	while (at + BATCH_HEADER <= limit) {
		struct batch b;

		need(w, at, at + BATCH_HEADER);
		if (!batch_get(image.data + at, id, at, &b)) {
			uint32_t found = next_batch(image.data, id, at + 1, limit, w);

			if (found == limit)
				break;
			w->bad(w->arg, at, found, false);
			at = found;
			continue;
		}
		if (point_before(w->durable, b.durable))
			w->durable = b.durable;
		w->stream = b.stream;
		w->batches++;
		if (!(b.flags & BATCH_FILL))
			records_walk(image, id, b.offset + BATCH_HEADER,
				b.offset + b.length, w);
		w->end = b.offset + b.length;
		at = after_batch(image.data, w->end, w);
	}
}
