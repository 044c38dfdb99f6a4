/* index.c -- what the log holds, by mid: an open-addressed table of pointers, so that a
 * sleeping message with one recipient costs some 120 bytes. */
#include "private.h"

/* mids are handed out one after the other: spread them. */
static size_t
slot_of(const struct index *x, uint64_t mid)
{
	return (size_t)((mid * 0x9e3779b97f4a7c15u) >> 20) & (x->room - 1);
}

void
index_free(struct index *x)
{
	for (size_t i = 0; i < x->room; i++)
		if (x->table[i])
			entry_free(x->table[i]);
	mem_free(x->table);
	*x = (struct index){ 0 };
}

/* Where mid is, or the empty place where it would go. */
static size_t
find(const struct index *x, uint64_t mid)
{
	size_t i = slot_of(x, mid);

	while (x->table[i] && x->table[i]->mid != mid)
		i = (i + 1) & (x->room - 1);
	return i;
}

struct entry *
index_get(const struct index *x, uint64_t mid)
{
	return x->used ? x->table[find(x, mid)] : NULL;
}

static void
resize(struct index *x, size_t room)
{
	struct index old = *x;

	x->table = mem_alloc(room * sizeof(*x->table));
	x->room = room;
	for (size_t i = 0; i < old.room; i++)
		if (old.table[i])
			x->table[find(x, old.table[i]->mid)] = old.table[i];
	mem_free(old.table);
}

void
index_put(struct index *x, struct entry *e)
{
	size_t i;

	if ((x->used + 1) * 4 > x->room * 3)
		resize(x, x->room ? x->room * 2 : 256);
	i = find(x, e->mid);
	if (!x->table[i])
		x->used++;
	else {
		x->live -= !(x->table[i]->flags & ENTRY_FINISHED);
		entry_free(x->table[i]);
	}
	x->table[i] = e;
	x->live += !(e->flags & ENTRY_FINISHED);
}

/* Frees the entry; those that had to step aside for it move up. */
void
index_remove(struct index *x, uint64_t mid)
{
	size_t mask = x->room - 1, hole;

	if (!x->used || !x->table[hole = find(x, mid)])
		return;
	x->live -= !(x->table[hole]->flags & ENTRY_FINISHED);
	x->used--;
	entry_free(x->table[hole]);
	for (size_t i = (hole + 1) & mask; x->table[i]; i = (i + 1) & mask) {
		size_t home = slot_of(x, x->table[i]->mid);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			x->table[hole] = x->table[i];
			hole = i;
		}
	}
	x->table[hole] = NULL;
	if (x->room > 256 && x->used * 8 < x->room)
		resize(x, x->room / 2);
}

/* ---- entries ---- */
struct entry *
entry_new(const char *queue_id)
{
	size_t len = strlen(queue_id);
	struct entry *e = mem_alloc(sizeof(*e) + len + 1);

	memcpy(e->queue_id, queue_id, len);
	return e;
}

void
entry_free(struct entry *e)
{
	if (!(e->flags & ENTRY_FINISHED) && e->n_states > 1)
		mem_free(e->states.many);
	mem_free(e);
}

const struct place *
entry_states(const struct entry *e)
{
	return e->n_states > 1 ? e->states.many : &e->states.one;
}

void
entry_push_state(struct entry *e, struct place at)
{
	size_t n = e->n_states;

	if (n == 0) {
		e->states.one = at;
	} else if (n == 1) {
		struct place *many = mem_alloc(2 * sizeof(*many));

		many[0] = e->states.one;
		many[1] = at;
		e->states.many = many;
	} else {
		if ((n & (n - 1)) == 0)
			e->states.many =
				mem_resize(e->states.many, 2 * n * sizeof(struct place));
		e->states.many[n] = at;
	}
	e->n_states++;
}

void
entry_replace_states(struct entry *e, size_t n, const struct place *at)
{
	struct entry old = *e;

	ensure(n <= old.n_states);
	e->n_states = 0;
	if (at)
		entry_push_state(e, *at);
	for (size_t i = n; i < old.n_states; i++)
		entry_push_state(e, entry_states(&old)[i]);
	if (old.n_states > 1)
		mem_free(old.states.many);
}

/* What a state says about the message as a whole; the rest is for qmgr to read. */
void
entry_apply(struct entry *e, uint8_t kind, uint64_t when_us)
{
	switch (kind) {
	case SPOOL_DEFERRED:
	case SPOOL_WAKE:
	case SPOOL_REQUEUE:
	case SPOOL_REROUTE:
		e->wake_us = when_us;
		break;
	case SPOOL_HOLD:
		e->flags |= ENTRY_HOLD;
		break;
	case SPOOL_RELEASE:
		e->flags &= (uint8_t)~ENTRY_HOLD;
		e->wake_us = when_us;
		break;
	case SPOOL_EXPIRE:
		e->flags |= ENTRY_EXPIRE;
		break;
	default:
		break;
	}
}
