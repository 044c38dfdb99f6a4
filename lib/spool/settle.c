/* settle.c -- what became of the messages that a start found: their states, from all
 * segments, in the order in which they were written. */
#include "recover.h"
#include <stdlib.h>

static int
by_sequence(const void *a, const void *b)
{
	const struct found_state *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void
settle_sort(struct recovery *r)
{
	if (r->states.n)
		qsort(r->states.items, r->states.n, sizeof(*r->states.items),
			by_sequence);
}

bool
settle_has(const struct recovery *r, uint64_t sequence)
{
	struct found_state key = { .sequence = sequence };

	return r->states.n && bsearch(&key, r->states.items, r->states.n,
				      sizeof(*r->states.items), by_sequence);
}

static void
forget_effects(struct entry *e)
{
	e->wake_us = 0;
	e->flags &= (uint8_t) ~(ENTRY_HOLD | ENTRY_EXPIRE);
	if (e->flags & ENTRY_HELD_AT_FIRST)
		e->flags |= ENTRY_HOLD;
}

static bool
is_end(const struct recovery *r, const struct found_state *f)
{
	return f->n == 1 && r->effects.items[f->first].kind == SPOOL_FINISHED;
}

static void
apply_state(struct recovery *r, const struct found_state *f)
{
	struct spool *s = r->s;
	struct entry *e = index_get(&s->index, f->mid);

	if (!e)
		return; /* of a message that is gone from the disk */
	if (e->flags & ENTRY_FINISHED) {
		struct tomb *t = (struct tomb *)e;

		if (is_end(r, f))
			account_end_moved(s, t, f->where);
		return;
	}
	if (f->snapshot) {
		account_states_replaced(s, e, e->n_states, NULL);
		forget_effects(e);
	}
	for (size_t i = 0; i < f->n; i++) {
		const struct effect *effect = &r->effects.items[f->first + i];

		if (effect->kind == SPOOL_FINISHED) {
			account_finish(s, e, f->where);
			return;
		}
		entry_apply(e, effect->kind, effect->when_us);
	}
	account_state(s, e, f->where);
}

/* One that was written twice, because its first place failed or was cleaned, counts once;
 * the end of a message counts in either place. */
static void
apply_once(struct recovery *r, const struct found_state *f)
{
	if (f->sequence != r->applied_sequence || is_end(r, f))
		apply_state(r, f);
	r->applied_sequence = f->sequence;
}

bool
settle_some(struct recovery *r, size_t most)
{
	for (; most > 0 && r->applied < r->states.n; most--)
		apply_once(r, &r->states.items[r->applied++]);
	return r->applied < r->states.n;
}

/* What was written since the start is newer than all of it. */
void
settle_late(struct recovery *r)
{
	for (size_t i = 0; i < r->late.n; i++)
		apply_once(r, &r->late.items[i]);
}
