/* account.c -- what each segment is still needed for, and what a message's life changes
 * in that.
 *
 * A segment may go when
 *   - no live message has its record in it,
 *   - no state record in it concerns a live message,
 *   - no record of a message's end in it is the only thing that keeps another segment's
 *     record of that message from being delivered again. */
#include "private.h"

static struct segment *
add_live(struct spool *s, struct place p, int sign)
{
	struct segment *g = segment_of(s, p.slot);

	g->live += (octets_t)((int64_t)p.length * sign);
	s->live += (octets_t)((int64_t)p.length * sign);
	return g;
}

void
account_message(struct spool *s, struct entry *e)
{
	index_put(&s->index, e);
	add_live(s, e->where, 1)->messages++;
	s->live += e->body ? e->size : 0;
	s->disk += e->body ? e->size : 0;
}

/* Many states of one message are worth a snapshot, once they weigh as much as the last
 * one did: what is written for snapshots stays proportional to what is written at all. */
static bool
is_crowded(const struct entry *e)
{
	const struct place *at = entry_states(e);
	octets_t since = 0;

	if (e->n_states < 8 || (e->n_states & (e->n_states - 1)) ||
		(e->flags & (ENTRY_CROWDED | ENTRY_ENDING)))
		return false;
	for (size_t i = 1; i < e->n_states; i++)
		since += at[i].length;
	return since >= at[0].length;
}

void
account_state(struct spool *s, struct entry *e, struct place at)
{
	entry_push_state(e, at);
	add_live(s, at, 1)->states++;
	if (is_crowded(e)) {
		e->flags |= ENTRY_CROWDED;
		*vec_push(&s->crowded) = e->mid;
		s->plan_due = true;
	}
}

/* A state that was written again because its first place could not be flushed. */
void
account_state_moved(struct spool *s, struct entry *e, struct place from, struct place to)
{
	struct place *at = e->n_states > 1 ? e->states.many : &e->states.one;

	for (size_t i = 0; i < e->n_states; i++)
		if (memcmp(&at[i], &from, sizeof(from)) == 0) {
			add_live(s, from, -1)->states--;
			add_live(s, to, 1)->states++;
			at[i] = to;
			break;
		}
	segment_check(s, segment_of(s, from.slot));
}

/* n: how many, from the oldest on, are superseded. */
void
account_states_replaced(
	struct spool *s, struct entry *e, size_t n, const struct place *at)
{
	const struct place *old = entry_states(e);
	VEC(uint32_t) slots = { 0 };

	for (size_t i = 0; i < n; i++) {
		add_live(s, old[i], -1)->states--;
		*vec_push(&slots) = old[i].slot;
	}
	if (at)
		add_live(s, *at, 1)->states++;
	entry_replace_states(e, n, at);
	for (size_t i = 0; i < slots.n; i++)
		segment_check(s, segment_of(s, slots.items[i]));
	vec_free(&slots);
}

/* One more segment holds the record of a message that ended. */
void
account_copy(struct spool *s, struct tomb *t, uint32_t slot)
{
	struct segment *end = segment_of(s, t->where.slot);

	*vec_push(&segment_of(s, slot)->finished) = t->mid;
	t->copies++;
	end->needs++;
	if (slot == t->where.slot) {
		t->own++;
		end->own++;
	}
}

/* The cleaner copied the message away, or recovery found it twice: the record there is of
 * no use, but it is there. */
void
account_ghost(struct spool *s, struct entry *e, uint32_t slot)
{
	*vec_push(&segment_of(s, slot)->ghosts) = e->mid;
	e->flags |= ENTRY_MOVED;
}

static void
copies_of_ghost(struct spool *s, struct tomb *t)
{
	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		for (size_t k = 0; g && k < g->ghosts.n; k++)
			if (g->ghosts.items[k] == t->mid) {
				g->ghosts.items[k] = g->ghosts.items[--g->ghosts.n];
				account_copy(s, t, g->id.slot);
				break;
			}
	}
}

void
account_finish(struct spool *s, struct entry *e, struct place end)
{
	struct tomb *t = mem_alloc(sizeof(*t));
	struct place where = e->where;
	bool moved = e->flags & ENTRY_MOVED;

	*t = (struct tomb){ .mid = e->mid, .flags = ENTRY_FINISHED, .where = end };
	add_live(s, where, -1)->messages--;
	if (e->body) {
		s->live -= e->size;
		*vec_push(&s->dead_bodies) = e->body;
		s->plan_due = true;
	}
	s->disk -= e->body ? e->size : 0;
	account_states_replaced(s, e, e->n_states, NULL);
	index_put(&s->index, (struct entry *)t); /* frees e */
	account_copy(s, t, where.slot);
	if (moved)
		copies_of_ghost(s, t);
	segment_check(s, segment_of(s, where.slot));
}

void
account_end_moved(struct spool *s, struct tomb *t, struct place to)
{
	struct segment *from = segment_of(s, t->where.slot), *g = segment_of(s, to.slot);

	from->needs -= t->copies;
	from->own -= t->own;
	g->needs += t->copies;
	t->own = 0; /* perhaps some are, but then g is just cleaned later */
	t->where = to;
	segment_check(s, from);
}

void
account_moved(struct spool *s, struct entry *e, struct place to)
{
	struct place from = e->where;

	add_live(s, from, -1)->messages--;
	add_live(s, to, 1)->messages++;
	e->where = to;
	account_ghost(s, e, from.slot);
}

/* It never was: its record was torn by a power cut before anybody was told. */
void
account_dropped(struct spool *s, struct entry *e)
{
	ensure(e->n_states == 0);
	add_live(s, e->where, -1)->messages--;
	s->live -= e->body ? e->size : 0;
	s->disk -= e->body ? e->size : 0;
	index_remove(&s->index, e->mid);
}

/* The segment has a new number on the disk: what ended in it is forgotten. */
void
account_freed(struct spool *s, struct segment *g)
{
	for (size_t i = 0; i < g->finished.n; i++) {
		struct tomb *t =
			(struct tomb *)index_get(&s->index, g->finished.items[i]);
		struct segment *end;

		ensure(t && (t->flags & ENTRY_FINISHED));
		end = segment_of(s, t->where.slot);
		end->needs--;
		if (t->own > 0 && end == g) {
			end->own--;
			t->own--;
		}
		if (--t->copies == 0)
			index_remove(&s->index, t->mid);
		if (end != g)
			segment_check(s, end);
	}
	ensure(g->needs == 0 && g->own == 0 && g->messages == 0 && g->states == 0 &&
		g->live == 0);
	vec_free(&g->finished);
	vec_free(&g->ghosts);
	g->dirty = g->from_reserve = g->stuck = false;
}

bool
segment_is_needed(const struct segment *g)
{
	return g->messages > 0 || g->states > 0 || g->needs > g->own;
}

bool
segment_is_dead(const struct segment *g)
{
	return !segment_is_needed(g) && g->busy == 0;
}

void
segment_check(struct spool *s, struct segment *g)
{
	if (!s->read_only && !s->recovery && segment_is_dead(g) &&
		(g->state == SEGMENT_SEALED || g->state == SEGMENT_RETIRED))
		segment_free(s, g);
}

struct spool_where
where_of(const struct spool *s, struct place p)
{
	return (struct spool_where){ segment_of(s, p.slot)->id.generation, p.offset,
		p.length };
}

void
entry_export(const struct spool *s, const struct entry *e, struct spool_entry *out,
	struct buf *states)
{
	const struct place *from = entry_states(e);

	*out = (struct spool_entry){
		.mid = e->mid,
		.where = where_of(s, e->where),
		.size = e->size,
		.arrival_us = e->arrival_us,
		.wake_us = e->wake_us,
		.hold = e->flags & ENTRY_HOLD,
		.expire = e->flags & ENTRY_EXPIRE,
		.n_states = e->n_states,
	};
	memcpy(out->queue_id, e->queue_id, strlen(e->queue_id) + 1);
	buf_clear(states);
	for (size_t i = 0; i < e->n_states; i++) {
		struct spool_where w = where_of(s, from[i]);

		buf_add(states, str_of(&w, sizeof(w)));
	}
	out->states = (const struct spool_where *)states->data;
}
