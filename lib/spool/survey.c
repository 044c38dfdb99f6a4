/* survey.c -- what one segment holds, for the recovery. */
#include "recover.h"
#include <errno.h>

static void
found_message(
	struct recovery *r, const struct record *rec, const char *bytes, struct place at)
{
	struct spool *s = r->s;
	struct message_head h;
	struct entry *e;

	if (message_head_get(bytes, rec, &h) < 0)
		return;
	if (index_get(&s->index, rec->sequence)) { /* moved: one message, two records */
		*vec_push(&r->twins) = (struct twin){ rec->sequence, at };
		return;
	}
	e = entry_new(h.queue_id);
	e->mid = rec->sequence;
	e->where = at;
	e->size = h.size;
	e->arrival_us = h.arrival_us;
	e->recipients = h.recipients;
	e->body = h.body;
	e->flags = rec->flags & RECORD_HOLD ? ENTRY_HOLD | ENTRY_HELD_AT_FIRST : 0;
	account_message(s, e);
}

static void
found_states(
	struct recovery *r, const struct record *rec, const char *bytes, struct place at)
{
	struct found_state f = { .sequence = rec->sequence,
		.where = at,
		.first = r->effects.n,
		.snapshot = rec->type == RECORD_SNAPSHOT };
	struct states_head h;
	struct str one;

	if (states_head_get(bytes, rec, &h) < 0)
		return;
	f.mid = h.mid;
	while (states_next(&h.items, &one)) {
		struct spool_state state;

		if (spool_state_get(one, &state, r->arena) == 0)
			*vec_push(&r->effects) =
				(struct effect){ state.when_us, state.kind };
	}
	f.n = r->effects.n - f.first;
	*vec_push(&r->states) = f;
}

static void
found_manifest(struct recovery *r, const struct record *rec, const char *bytes)
{
	struct manifest_item item;

	if (rec->sequence < r->manifest_sequence)
		return;
	r->manifest_sequence = rec->sequence;
	r->manifest.n = 0;
	for (uint32_t i = 0; manifest_item_get(bytes, rec, i, &item); i++)
		*vec_push(&r->manifest) = item;
}

static void
on_record(void *arg, const struct record *rec, const char *bytes, uint32_t offset)
{
	struct recovery *r = arg;
	struct place at = { r->g->id.slot, offset, rec->length };

	if (rec->type == RECORD_MESSAGE)
		found_message(r, rec, bytes, at);
	else if (rec->type == RECORD_STATE || rec->type == RECORD_SNAPSHOT)
		found_states(r, rec, bytes, at);
	else if (rec->type == RECORD_MANIFEST)
		found_manifest(r, rec, bytes);
}

static void
on_bad(void *arg, uint32_t from, uint32_t to, bool in_batch)
{
	struct recovery *r = arg;

	*vec_push(&r->bad) = (struct bad_range){ r->g, from, to, in_batch, false };
}

/* Reads all of it; what the disk refuses to give becomes zeroes, and so damage. */
static void
read_image(struct recovery *r, struct segment *g)
{
	uint32_t piece = 1 << 20;

	if (r->image_room < g->id.size) {
		r->image = mem_resize(r->image, g->id.size);
		r->image_room = g->id.size;
	}
	for (uint32_t at = 0; at < g->id.size; at += piece) {
		uint32_t len = MIN(piece, g->id.size - at);

		if (read_at(g->fd, r->image + at, len, at) == 0)
			continue;
		for (uint32_t i = 0; i < len; i += SPOOL_BLOCK)
			if (read_at(g->fd, r->image + at + i, SPOOL_BLOCK, at + i) < 0)
				memset(r->image + at + i, 0, SPOOL_BLOCK);
	}
}

void
survey_segment(struct recovery *r, struct segment *g)
{
	struct segment_walk w = { .record = on_record, .bad = on_bad, .arg = r };

	r->g = g;
	read_image(r, g);
	segment_walk(str_of(r->image, g->id.size), &g->id, &w);
	arena_reset(r->arena);
	r->last_sequence = MAX(r->last_sequence, w.last_sequence);
	if (w.batches == 0) {
		g->state = SEGMENT_SPARE;
		r->s->n_spares++;
		return;
	}
	g->state = SEGMENT_SEALED;
	g->stream = w.stream;
	g->end = w.end;
	if (point_before(r->durable[w.stream], w.durable))
		r->durable[w.stream] = w.durable;
}
