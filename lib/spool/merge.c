/* merge.c -- which of one message's states still say something. What a later one repeats
 * or overrules is left out of snapshots, or years of deferrals would be carried along. */
#include "private.h"

/* A set of recipients; no list means all of them. */
struct rcpt_set {
	uint8_t *bits;
	uint32_t n;
};

/* Adds a state's recipients; true when one of them is new. */
static bool
set_add(struct rcpt_set *set, struct str rcpts, struct arena *arena)
{
	size_t n = rcpts.len ? rcpts.len / 4 : set->n;
	bool news = false;

	if (!set->bits)
		set->bits = arena_alloc(arena, set->n / 8 + 1);
	for (size_t i = 0; i < n; i++) {
		uint32_t at = rcpts.len ? get_u32(rcpts.data + 4 * i) : (uint32_t)i;

		if (at >= set->n || (set->bits[at / 8] & (1 << (at % 8))))
			continue;
		set->bits[at / 8] |= (uint8_t)(1 << (at % 8));
		news = true;
	}
	return news;
}

struct merging {
	struct rcpt_set ended, tried, notified, delayed;
	bool hold, release, wake, requeue, reroute, expire;
	struct arena *arena;
};

static bool
first_time(bool *seen)
{
	bool first = !*seen;

	*seen = true;
	return first;
}

/* Seen from the newest to the oldest. */
static bool
still_says_something(struct merging *m, const struct spool_state *s)
{
	switch (s->kind) {
	case SPOOL_DONE:
	case SPOOL_FAILED:
		(void)set_add(&m->tried, s->rcpts, m->arena);
		return set_add(&m->ended, s->rcpts, m->arena);
	case SPOOL_DEFERRED:
		return set_add(&m->tried, s->rcpts, m->arena);
	case SPOOL_NOTIFIED:
		return set_add(&m->notified, s->rcpts, m->arena);
	case SPOOL_DELAY_SENT:
		return set_add(&m->delayed, s->rcpts, m->arena);
	case SPOOL_HOLD:
		return first_time(&m->hold);
	case SPOOL_RELEASE: /* also says when to wake: after a later hold, too */
		(void)first_time(&m->hold);
		return first_time(&m->release);
	case SPOOL_WAKE:
		return first_time(&m->wake);
	case SPOOL_REQUEUE:
		return first_time(&m->requeue);
	case SPOOL_REROUTE:
		return first_time(&m->reroute);
	case SPOOL_EXPIRE:
		return first_time(&m->expire);
	default:
		return true; /* a kind that is newer than this program */
	}
}

size_t
states_merge(const struct spool_state *in, size_t n, uint32_t recipients,
	struct arena *arena, size_t *kept)
{
	struct rcpt_set none = { NULL, MAX(recipients, 1) };
	struct merging m = { .ended = none,
		.tried = none,
		.notified = none,
		.delayed = none,
		.arena = arena };
	size_t to = n;

	for (size_t i = n; i-- > 0;)
		if (still_says_something(&m, &in[i]))
			kept[--to] = i;
	if (n > 0)
		memmove(kept, kept + to, (n - to) * sizeof(*kept));
	return n - to;
}
