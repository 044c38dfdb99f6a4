/* clean.c -- moves what stays out of segments that are mostly dead.
 *
 * A victim is surveyed (which records are in it), then what still counts is copied piece
 * by piece: live messages as they are, all states of a message as one snapshot, the ends
 * of messages whose records are still elsewhere. A piece is read, written to the cold
 * stream and flushed by the keeper; then the loop switches the index. What happened to a
 * message meanwhile is newer than the copy, and stays so: a snapshot has the sequence of
 * the moment when its sources were chosen. When the last piece is out, the victim is
 * dead. */
#include "private.h"
#include "clean.h"
#include <errno.h>

enum { PIECE = 1 << 20, SNAPSHOTS_AT_ONCE = 256 };

struct cleaning {
	struct segment *victim;
	VEC(struct found) list;
	size_t at;
	bool blocked; /* no segment is left to copy to */
	int error;
};
struct survey_job {
	struct job job;
	struct spool *s;
	struct segment *g;
	struct cleaning *c;
};

/* ---- the survey, in the keeper ---- */
static void
found_record(void *arg, const struct record *r, const char *bytes, uint32_t offset)
{
	struct cleaning *c = arg;
	struct states_head h;
	struct found f = { r->sequence, offset, r->length, r->type };

	if (r->type == RECORD_STATE || r->type == RECORD_SNAPSHOT) {
		if (states_head_get(bytes, r, &h) < 0)
			return;
		f.mid = h.mid;
	} else if (r->type != RECORD_MESSAGE) {
		return;
	}
	*vec_push(&c->list) = f;
}

static void
found_bad(void *arg, uint32_t from, uint32_t to, bool in_batch)
{
	(void)arg, (void)from, (void)to, (void)in_batch;
}

static void
survey_run(struct job *j)
{
	struct survey_job *v = (struct survey_job *)j;
	char *image CLEANUP(mem_free_at) = mem_resize(NULL, v->g->id.size);
	struct segment_walk w = { .record = found_record, .bad = found_bad, .arg = v->c };

	if (read_at(v->g->fd, image, v->g->id.size, 0) < 0)
		v->c->error = errno;
	else
		segment_walk(str_of(image, v->g->id.size), &v->g->id, &w);
}

static void
survey_done(struct job *j)
{
	struct survey_job *v = (struct survey_job *)j;

	v->s->plan_due = true;
	spool_turn(v->s);
	v->s->cleaning = v->c;
	v->s->cleaning_busy = false;
	mem_free(v);
}

static void
survey(struct spool *s, struct segment *g)
{
	struct survey_job *v = mem_alloc(sizeof(*v));

	v->job = (struct job){ survey_run, survey_done, NULL };
	v->s = s;
	v->g = g;
	v->c = mem_alloc(sizeof(*v->c));
	v->c->victim = g;
	g->busy++;
	s->cleaning_busy = true;
	worker_submit(s->keeper, &v->job);
}

/* ---- what counts ---- */
static bool
place_is(struct place p, const struct segment *g, const struct found *f)
{
	return p.slot == g->id.slot && p.offset == f->offset;
}

static bool
has_states_in(const struct entry *e, const struct segment *g)
{
	const struct place *at = entry_states(e);

	for (size_t i = 0; i < e->n_states; i++)
		if (at[i].slot == g->id.slot)
			return true;
	return false;
}

static void
add_source(struct spool *s, struct copy_job *k, struct copy_item *item, struct place p)
{
	struct segment *g = segment_of(s, p.slot);

	g->busy++; /* see release_sources() */
	*vec_push(&k->sources) = (struct copy_source){ g->fd, g->id, p };
	item->n_sources++;
	k->estimate += p.length + SPOOL_ALIGN;
}

/* Appends what is to be done about one record; false when nothing is. */
static bool
add_item(struct spool *s, struct copy_job *k, const struct segment *victim,
	const struct found *f)
{
	struct entry *e = index_get(&s->index, f->mid);
	const struct tomb *t = (const struct tomb *)e;
	struct copy_item item = { .mid = f->mid, .first_source = k->sources.n };

	if (!e)
		return false;
	if (e->flags & ENTRY_FINISHED) {
		if (!place_is(t->where, victim, f) || t->copies == t->own)
			return false;
		item.what = COPY_END;
		add_source(s, k, &item, t->where);
	} else if (f->type == RECORD_MESSAGE) {
		if (!place_is(e->where, victim, f))
			return false;
		item.what = COPY_MESSAGE;
		add_source(s, k, &item, e->where);
	} else {
		if (!has_states_in(e, victim) || e->copying)
			return false;
		item.what = COPY_STATES;
		item.sequence = ++s->sequence;
		item.recipients = e->recipients;
		e->copying = true;
		for (size_t i = 0; i < e->n_states; i++)
			add_source(s, k, &item, entry_states(e)[i]);
	}
	*vec_push(&k->items) = item;
	return true;
}

/* ---- one piece ---- */

/* While a record is being copied, its segment stays: were a message to end meanwhile and
 * all that is known of it be forgotten, nobody would know of the copy that appears. */
static void
release_sources(struct spool *s, const struct copy_job *k)
{
	for (size_t i = 0; i < k->sources.n; i++)
		segment_of(s, k->sources.items[i].place.slot)->busy--;
	for (size_t i = 0; i < k->sources.n; i++)
		segment_check(s, segment_of(s, k->sources.items[i].place.slot));
}

static void
item_done(struct spool *s, struct copy_job *k, struct copy_item *item)
{
	struct entry *e = index_get(&s->index, item->mid);
	bool ended = !e || (e->flags & ENTRY_FINISHED);
	const struct copy_source *from = &k->sources.items[item->first_source];
	struct place to = { k->to->id.slot, k->offset + item->at, item->length };

	switch (item->what) {
	case COPY_MESSAGE:
		if (!e || item->error)
			break;
		if (ended)
			account_copy(s, (struct tomb *)e, to.slot);
		else if (k->error)
			account_ghost(s, e, to.slot);
		else if (memcmp(&e->where, &from->place, sizeof(to)) == 0) {
			account_moved(s, e, to);
			s->counts.copied++;
			item->moved = true;
		}
		break;
	case COPY_STATES:
		if (ended)
			break;
		e->copying = false;
		e->flags &= (uint8_t)~ENTRY_CROWDED;
		if (!item->error && !k->error) {
			account_states_replaced(s, e, item->n_sources, &to);
			item->moved = true;
		}
		break;
	case COPY_END:
		if (e && ended && !item->error && !k->error)
			account_end_moved(s, (struct tomb *)e, to);
		break;
	}
}

static void
tell_moved(struct spool *s, const struct copy_job *k)
{
	struct buf states CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; s->moved && i < k->items.n; i++) {
		const struct entry *e = index_get(&s->index, k->items.items[i].mid);
		struct spool_entry out;

		if (!k->items.items[i].moved || !e || (e->flags & ENTRY_FINISHED))
			continue;
		entry_export(s, e, &out, &states);
		s->moved(&out, s->moved_arg);
	}
}

/* A record that should be there could not be read: what holds it is never recycled. */
static void
source_is_bad(struct spool *s, const struct copy_job *k, const struct copy_item *item)
{
	const struct entry *e = index_get(&s->index, item->mid);
	const struct copy_source *from;
	struct segment *g;

	if (!e || (e->flags & ENTRY_FINISHED)) /* it ended meanwhile: no matter */
		return;
	from = &k->sources.items[item->bad_source];
	g = segment_of(s, from->place.slot);
	g->stuck = true;
	log_error("spool: %s: a record of this message in segment %u (log/%08x.seg) at "
		  "byte %u "
		  "is damaged; the segment is kept, the bytes are copied to corrupt/",
		e->queue_id, g->id.generation, g->id.slot, from->place.offset);
	damage_keep(s, g, from->place.offset, from->place.offset + from->place.length);
}

static void
copy_done(struct job *j)
{
	struct copy_job *k = (struct copy_job *)j;
	struct spool *s = k->s;
	struct stream *t = &s->streams[STREAM_COLD];

	s->cleaning_busy = false;
	k->to->busy--;
	k->to->dirty = false;
	if (k->error) {
		segment_retire(s, k->to, k->error);
		if (s->cleaning)
			s->cleaning->at = 0; /* once more, to another segment */
	} else if (k->build.records.n) {
		t->off = k->offset + (uint32_t)k->build.bytes.len;
		s->counts.written[STREAM_COLD] += k->build.bytes.len;
		t->durable = (struct log_point){ k->to->id.generation, t->off };
	}
	for (size_t i = 0; i < k->items.n; i++) {
		if (k->items.items[i].error)
			source_is_bad(s, k, &k->items.items[i]);
		item_done(s, k, &k->items.items[i]);
	}
	tell_moved(s, k);
	release_sources(s, k);
	segment_check(s, k->to);
	copy_free(k);
	s->plan_due = true;
	spool_turn(s);
}

/* Sends the piece on its way. False when no segment is left to copy to. */
static bool
copy_start(struct spool *s, struct copy_job *k)
{
	struct stream *t = &s->streams[STREAM_COLD];

	k->to = stream_room(s, t, round_up(k->estimate, SPOOL_BLOCK), true);
	if (!k->to)
		return false;
	k->s = s;
	k->job = (struct job){ copy_run, copy_done, NULL };
	k->offset = round_up(t->off, SPOOL_BLOCK);
	k->durable = t->durable;
	t->may_pack = false;
	k->to->busy++;
	s->cleaning_busy = true;
	worker_submit(s->keeper, &k->job);
	return true;
}

static void
copy_cancel(struct spool *s, struct copy_job *k)
{
	for (size_t i = 0; i < k->items.n; i++) {
		struct entry *e = index_get(&s->index, k->items.items[i].mid);

		if (k->items.items[i].what == COPY_STATES)
			e->copying = false;
	}
	release_sources(s, k);
	copy_free(k);
}

static struct copy_job *
copy_new(void)
{
	struct copy_job *k = mem_alloc(sizeof(*k));

	k->estimate = BATCH_HEADER;
	return k;
}

/* For a segment: new mail, or states that could not be written. */
static bool
somebody_waits(const struct spool *s)
{
	return s->gather || s->pending_written < s->pending.n;
}

static void
cleaning_end(struct spool *s)
{
	struct cleaning *c = s->cleaning;

	s->cleaning = NULL;
	c->victim->busy--;
	if (!s->closing) {
		/* Nothing that counts was found in it any more: it is dead, or damaged.
		 * (A flush may be at work in it, and will look again when it ends.) */
		c->victim->stuck |= c->error || segment_is_needed(c->victim);
		segment_check(s, c->victim);
	}
	vec_free(&c->list);
	mem_free(c);
	if (somebody_waits(s)) {
		s->cleaned_in_vain++;
		spool_turn(s); /* for the next victim, whatever became of this one */
	} else {
		s->cleaned_in_vain = 0;
	}
}

/* The next piece of the victim; at its end, the victim should be dead. */
static void
clean_more(struct spool *s)
{
	struct cleaning *c = s->cleaning;
	struct copy_job *k = copy_new();
	size_t before = c->at;
	size_t most = MIN((size_t)PIECE, (size_t)s->o.segment_size / 4);

	for (; c->at < c->list.n && k->estimate < most; c->at++)
		add_item(s, k, c->victim, &c->list.items[c->at]);
	if (k->items.n == 0) {
		copy_free(k);
		cleaning_end(s);
	} else {
		c->blocked = !copy_start(s, k);
		if (c->blocked) {
			c->at = before; /* until a spare comes */
			copy_cancel(s, k);
		}
	}
}

static void
snapshots(struct spool *s)
{
	struct copy_job *k = copy_new();
	size_t n = MIN(s->crowded.n, (size_t)SNAPSHOTS_AT_ONCE), i;

	for (i = 0; i < n && k->estimate < PIECE; i++) {
		struct entry *e = index_get(&s->index, s->crowded.items[i]);

		if (e && !(e->flags & ENTRY_FINISHED) && e->n_states > 1) {
			struct place at = entry_states(e)[0];
			struct found f = { e->mid, at.offset, at.length, RECORD_STATE };

			add_item(s, k, segment_of(s, at.slot), &f);
		}
	}
	if (k->items.n == 0)
		copy_free(k);
	else if (!cleaner_has_room(s, s->n_spares, k->estimate) || !copy_start(s, k)) {
		copy_cancel(s, k);
		return;
	}
	vec_drop(&s->crowded, i);
}

/* ---- which segment ---- */
static octets_t
cost(const struct segment *g)
{
	return g->live + (octets_t)(g->needs - g->own) * 80;
}

static struct segment *
choose(struct spool *s)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (!g || g->stuck || g->busy || segment_is_dead(g) ||
			(g->state != SEGMENT_SEALED && g->state != SEGMENT_RETIRED))
			continue;
		if (cost(g) > (octets_t)g->id.size * 3 / 4)
			continue;
		if (!best || cost(g) < cost(best))
			best = g;
	}
	return best;
}

/* When the disk is full, what is left to clean may be the segment that the cleaner itself
 * has open: mostly snapshots that newer ones replaced. */
static struct segment *
choose_own(struct spool *s)
{
	struct segment *g = s->streams[STREAM_COLD].seg;

	if (!s->starved || s->n_spares == 0 || !g || g->busy ||
		cleaner_has_room(s, 0, 0) || cost(g) > (octets_t)g->id.size * 3 / 8)
		return NULL;
	stream_seal(s, &s->streams[STREAM_COLD]);
	return g;
}

/* More on the disk than it should be, or about to be. */
bool
disk_is_pressed(const struct spool *s)
{
	octets_t limit = disk_limit(s);

	if (s->recovery)
		return false; /* nobody knows */
	return s->disk > limit ||
	       (s->n_spares < SPARES && s->disk + s->o.segment_size > limit) ||
	       (s->starved && s->n_spares < SPARES);
}

/* Is a segment about to come back, or to become one that can be chosen? */
static bool
is_freeing(const struct spool *s)
{
	for (size_t i = 0; i < s->segments.n; i++) {
		const struct segment *g = s->segments.items[i];

		if (!g || (s->cleaning && s->cleaning->victim == g))
			continue;
		if (g->state == SEGMENT_FREEING ||
			(g->state == SEGMENT_SEALED && g->busy))
			return true;
	}
	return false;
}

/* Cleaning gives no segment: nothing is worth it, or none is left to copy to. */
bool
clean_is_stuck(const struct spool *s)
{
	return s->cleaning ? s->cleaning->blocked : s->nothing_to_clean;
}

/* No segment will come, however long one waits. */
bool
clean_is_hopeless(const struct spool *s)
{
	return clean_is_stuck(s) && s->starved && !s->cleaning_busy && !s->recovery &&
	       s->n_making == 0 && !is_freeing(s);
}

/* As many victims as there are segments gave nobody a place: what is live does not pack
 * any better, or nothing can be written. Cleaning would go on for ever; the log must
 * grow. */
static bool
goes_round(const struct spool *s)
{
	return somebody_waits(s) && s->cleaned_in_vain > s->segments.n;
}

void
clean_plan(struct spool *s)
{
	struct segment *g;

	s->nothing_to_clean = false;
	if (s->cleaning_busy || s->closing || s->recovery)
		return;
	if (s->cleaning) {
		clean_more(s);
		return;
	}
	if (s->crowded.n > 0)
		snapshots(s);
	if (s->cleaning_busy || !disk_is_pressed(s) || is_freeing(s))
		return;
	g = goes_round(s) ? NULL : choose(s);
	if (!g)
		g = choose_own(s);
	if (g)
		survey(s, g);
	else
		s->nothing_to_clean = true;
}

void
clean_abandon(struct spool *s)
{
	if (s->cleaning)
		cleaning_end(s);
}
