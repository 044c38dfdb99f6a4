/* survey.c -- what one segment holds, for the recovery: heads of messages and states;
 * contents are not read. */
#include "recover.h"
#include <errno.h>

enum { PIECE = 64 << 10 };

/* The image of a segment, read piece by piece; one is made for all. */
struct image {
	struct survey *v;
	char *bytes;
	octets_t room;
	bool there[SEGMENT_MOST / PIECE];
};

void
image_free(struct image *image)
{
	if (image)
		mem_free(image->bytes);
	mem_free(image);
}

struct survey *
survey_new(struct recovery *r, struct segment *g)
{
	struct survey *v = mem_alloc(sizeof(*v));

	v->r = r;
	v->g = g;
	return v;
}

void
survey_free(struct survey *v)
{
	for (size_t i = 0; i < v->messages.n; i++)
		entry_free(v->messages.items[i]);
	vec_free(&v->messages);
	vec_free(&v->states);
	vec_free(&v->effects);
	vec_free(&v->bad);
	vec_free(&v->manifest);
	mem_free(v);
}

/* ---- in any thread ---- */
static void
found_message(
	struct survey *v, const struct record *rec, const char *bytes, struct place at)
{
	struct message_head h;
	struct entry *e;

	if (message_head_get(bytes, rec, &h) < 0)
		return;
	e = entry_new(h.queue_id);
	e->mid = rec->sequence;
	e->where = at;
	e->size = h.size;
	e->arrival_us = h.arrival_us;
	e->recipients = h.recipients;
	e->body = h.body;
	e->flags = rec->flags & RECORD_HOLD ? ENTRY_HOLD | ENTRY_HELD_AT_FIRST : 0;
	*vec_push(&v->messages) = e;
}

static void
found_states(
	struct survey *v, const struct record *rec, const char *bytes, struct place at)
{
	struct found_state f = { .sequence = rec->sequence,
		.where = at,
		.first = v->effects.n,
		.snapshot = rec->type == RECORD_SNAPSHOT };
	struct states_head h;
	struct str one;

	if (states_head_get(bytes, rec, &h) < 0)
		return;
	f.mid = h.mid;
	while (states_next(&h.items, &one)) {
		struct spool_state state;

		if (spool_state_get(one, &state, v->arena) == 0)
			*vec_push(&v->effects) =
				(struct effect){ state.when_us, state.kind };
	}
	arena_reset(v->arena);
	f.n = v->effects.n - f.first;
	*vec_push(&v->states) = f;
}

static void
found_manifest(struct survey *v, const struct record *rec, const char *bytes)
{
	struct manifest_item item;

	*vec_push(&v->states) = (struct found_state){ .sequence = rec->sequence };
	if (rec->sequence < v->manifest_sequence)
		return;
	v->manifest_sequence = rec->sequence;
	v->manifest.n = 0;
	for (uint32_t i = 0; manifest_item_get(bytes, rec, i, &item); i++)
		*vec_push(&v->manifest) = item;
}

static void
on_record(void *arg, const struct record *rec, const char *bytes, uint32_t offset)
{
	struct survey *v = ((struct image *)arg)->v;
	struct place at = { v->g->id.slot, offset, rec->length };

	if (rec->type == RECORD_MESSAGE) {
		if (!v->first)
			v->first = rec->sequence;
		v->last = rec->sequence;
		for (; v->open_bad < v->bad.n; v->open_bad++)
			v->bad.items[v->open_bad].before = rec->sequence;
		found_message(v, rec, bytes, at);
	} else if (rec->type == RECORD_STATE || rec->type == RECORD_SNAPSHOT)
		found_states(v, rec, bytes, at);
	else if (rec->type == RECORD_MANIFEST)
		found_manifest(v, rec, bytes);
}

static void
on_bad(void *arg, uint32_t from, uint32_t to, bool in_batch)
{
	struct survey *v = ((struct image *)arg)->v;

	*vec_push(&v->bad) =
		(struct bad_range){ v->g, from, to, in_batch, false, v->last, 0 };
}

/* What the disk refuses to give becomes zeroes, and so damage. */
static void
read_piece(struct image *image, uint32_t piece)
{
	uint32_t at = piece * PIECE;
	uint32_t len = MIN((uint32_t)PIECE, image->v->g->id.size - at);
	char *to = image->bytes + at;

	image->there[piece] = true;
	if (read_at(image->v->g->fd, to, len, at) == 0)
		return;
	image->v->error = errno;
	for (uint32_t i = 0; i < len; i += SPOOL_BLOCK)
		if (read_at(image->v->g->fd, to + i, SPOOL_BLOCK, at + i) < 0)
			memset(to + i, 0, SPOOL_BLOCK);
}

static void
on_need(void *arg, uint32_t from, uint32_t to)
{
	struct image *image = arg;

	for (uint32_t piece = from / PIECE; piece * PIECE < to; piece++)
		if (!image->there[piece])
			read_piece(image, piece);
}

static struct image *
image_for(struct survey *v)
{
	struct recovery *r = v->r;
	octets_t size = v->g->id.size;

	if (!r->image)
		r->image = mem_alloc(sizeof(*r->image));
	if (r->image->room < size) {
		r->image->bytes = mem_resize(r->image->bytes, size);
		r->image->room = size;
	}
	memset(r->image->there, 0, sizeof(r->image->there));
	r->image->v = v;
	return r->image;
}

static struct image *
survey_begin(struct survey *v)
{
	struct image *image = image_for(v);

	v->walk = (struct segment_walk){
		.record = on_record, .bad = on_bad, .need = on_need, .arg = image
	};
	v->arena = arena_new();
	return image;
}

void
survey_run(struct survey *v)
{
	struct image *image = survey_begin(v);

	segment_walk(str_of(image->bytes, v->g->id.size), &v->g->id, &v->walk);
	arena_free_at(&v->arena);
}

void
survey_range(struct survey *v, uint32_t from, uint32_t to)
{
	struct image *image = survey_begin(v);

	records_walk(str_of(image->bytes, v->g->id.size), &v->g->id, from, to, &v->walk);
	arena_free_at(&v->arena);
}

bool
survey_peek(struct segment *g)
{
	char head[BATCH_HEADER];
	struct batch b;

	if (read_at(g->fd, head, sizeof(head), SPOOL_BLOCK) < 0 ||
		!batch_get(head, &g->id, SPOOL_BLOCK, &b))
		return false;
	g->stream = b.stream;
	return true;
}

/* ---- in the loop's thread ---- */
static void
merge_messages(struct survey *v)
{
	struct recovery *r = v->r;

	for (size_t i = 0; i < v->messages.n; i++) {
		struct entry *e = v->messages.items[i];

		if (!index_get(&r->s->index, e->mid)) {
			account_message(r->s, e);
			continue;
		}
		/* Moved: one message, two records. */
		*vec_push(&r->twins) = (struct twin){ e->mid, e->where };
		entry_free(e);
	}
	v->messages.n = 0;
}

static void
merge_states(struct survey *v)
{
	struct recovery *r = v->r;
	size_t before = r->effects.n;

	for (size_t i = 0; i < v->states.n; i++) {
		struct found_state *f = vec_push(&r->states);

		*f = v->states.items[i];
		f->first += before;
	}
	for (size_t i = 0; i < v->effects.n; i++)
		*vec_push(&r->effects) = v->effects.items[i];
}

static void
merge_manifest(struct survey *v)
{
	struct recovery *r = v->r;

	if (v->manifest_sequence <= r->manifest_sequence)
		return;
	r->manifest_sequence = v->manifest_sequence;
	r->manifest.n = 0;
	for (size_t i = 0; i < v->manifest.n; i++)
		*vec_push(&r->manifest) = v->manifest.items[i];
}

static void
merge_segment(struct survey *v)
{
	struct recovery *r = v->r;
	struct segment *g = v->g;

	g->surveyed = true;
	g->end = v->walk.end;
	if (v->error) {
		log_error("spool: segment %u (log/%08x.seg) cannot be read everywhere: "
			  "%s; it is kept as it is. Check this disk: dmesg, smartctl",
			g->id.generation, g->id.slot, strerror(v->error));
		g->stuck = true;
		g->state = SEGMENT_RETIRED;
	}
	if (v->walk.batches == 0 && !v->error) {
		g->state = SEGMENT_SPARE;
		r->s->n_spares++;
	} else if (v->walk.batches > 0) {
		g->stream = v->walk.stream;
		if (point_before(r->durable[g->stream], v->walk.durable))
			r->durable[g->stream] = v->walk.durable;
	}
	if (v->first && g->stream == STREAM_HOT)
		*vec_push(&r->spans) =
			(struct span){ g->id.generation, v->first, v->last };
}

void
survey_merge(struct survey *v)
{
	struct recovery *r = v->r;

	if (!v->g->surveyed)
		merge_segment(v);
	merge_messages(v);
	merge_states(v);
	merge_manifest(v);
	for (size_t i = 0; i < v->bad.n; i++)
		*vec_push(&r->bad) = v->bad.items[i];
	r->last_sequence = MAX(r->last_sequence, v->walk.last_sequence);
	survey_free(v);
}
