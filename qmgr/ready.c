/* ready.c -- the destinations of a transport that may deliver now: a binary heap, in
 * which the one whose first job is the first in the transport's order is on top, and of
 * those of the same job the one that waits longest. See schedule.h. */
#include "schedule_impl.h"

static bool
goes_first(const struct destination *d, const struct destination *other)
{
	const struct share *s = d->shares, *o = other->shares;

	return s->job->rank != o->job->rank ? s->job->rank < o->job->rank
					    : s->turn < o->turn;
}

static void
put(struct transport *t, size_t place, struct destination *d)
{
	t->ready.items[place - 1] = d;
	d->place = place;
}

/* Moves d from a place, which is free but for it, to where it belongs. */
static void
settle(struct transport *t, size_t place, struct destination *d)
{
	struct destination **at = t->ready.items - 1; /* from 1 */
	size_t child;

	for (; place > 1 && goes_first(d, at[place / 2]); place /= 2)
		put(t, place, at[place / 2]);
	for (; (child = 2 * place) <= t->ready.n; place = child) {
		if (child < t->ready.n && goes_first(at[child + 1], at[child]))
			child++;
		if (!goes_first(at[child], d))
			break;
		put(t, place, at[child]);
	}
	put(t, place, d);
}

void
ready_add(struct destination *d)
{
	struct transport *t = d->transport;

	*vec_push(&t->ready) = d;
	settle(t, t->ready.n, d);
	if (d->shares->job != t->preemption.of)
		preempt_look_again(t);
}

void
ready_remove(struct destination *d)
{
	struct transport *t = d->transport;
	size_t place = d->place;
	struct destination *last = t->ready.items[--t->ready.n];

	d->place = 0;
	if (last != d)
		settle(t, place, last);
}

void
ready_moved(struct destination *d)
{
	if (d->place)
		settle(d->transport, d->place, d);
}
