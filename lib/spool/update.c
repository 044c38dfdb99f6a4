/* update.c -- what happened to messages: written at the end of the turn, before anybody
 * is told, so that it survives the death of any process; flushed within o.state_flush. */
#include "seglog.h"
#include <errno.h>

enum { STATES_MOST = 256 << 10 }; /* in one batch */

static struct str
pending_str(const struct spool *s, const struct pending *p)
{
	return str_of(s->pending_bytes.data + (p->at - s->pending_base), p->length);
}

void
seglog_update(struct spool *s, const struct spool_state *state)
{
	struct entry *e = index_get(&s->index, state->mid);
	struct pending *p;
	size_t before = s->pending_bytes.len;

	if (is_unsettled(s, state->mid))
		e = NULL; /* written all the same */
	else if (!e || (e->flags & (ENTRY_FINISHED | ENTRY_ENDING)))
		return;
	if (e && state->kind == SPOOL_FINISHED)
		e->flags |= ENTRY_ENDING;
	spool_state_put(&s->pending_bytes, state);
	p = vec_push(&s->pending);
	p->mid = state->mid;
	p->sequence = ++s->sequence;
	p->when_us = state->when_us;
	p->kind = state->kind;
	p->at = s->pending_base + before;
	p->length = (uint32_t)(s->pending_bytes.len - before);
}

/* It is in the log: from now on it counts. */
static void
state_written(struct spool *s, struct pending *p, struct place at)
{
	struct entry *e = index_get(&s->index, p->mid);
	struct place before = p->where;

	if (is_unsettled(s, p->mid)) {
		recovery_state(s, p, at);
		p->where = at;
		return;
	}
	p->where = at;
	if (!e)
		return;
	if (e->flags & ENTRY_FINISHED) {
		if (before.length && p->kind == SPOOL_FINISHED)
			account_end_moved(s, (struct tomb *)e, at);
	} else if (before.length) {
		account_state_moved(s, e, before, at);
	} else if (p->kind == SPOOL_FINISHED) {
		account_finish(s, e, at);
	} else {
		account_state(s, e, at);
		entry_apply(e, p->kind, p->when_us);
	}
}

/* One batch of what is not written yet. */
static int
write_some(struct spool *s)
{
	size_t from = s->pending_written, to = from;
	size_t most = MIN((size_t)STATES_MOST, (size_t)s->o.segment_size / 4);
	uint32_t offset;
	uint32_t slot;

	build_clear(&s->scratch);
	while (to < s->pending.n &&
		(to == from ||
			s->scratch.bytes.len + s->pending.items[to].length < most)) {
		const struct pending *p = &s->pending.items[to++];
		struct str item = pending_str(s, p);

		build_states(&s->scratch, p->mid, p->sequence, RECORD_STATE, &item, 1);
	}
	if (stream_write(s, &s->streams[STREAM_HOT], &s->scratch, true, &offset) < 0)
		return -1;
	slot = s->streams[STREAM_HOT].seg->id.slot;
	s->pending_written = to;
	if (!s->gather)
		s->cleaned_in_vain = 0;
	for (size_t i = 0; i < s->scratch.records.n; i++) {
		const struct built *r = &s->scratch.records.items[i];
		struct place at = { slot, offset + r->at, r->r.length };

		state_written(s, &s->pending.items[from + i], at);
	}
	return 0;
}

static void
flush_is_due(void *arg)
{
	struct spool *s = arg;

	s->flush_due = true;
	spool_turn(s);
}

void
flush_later(struct spool *s)
{
	if (!s->state_timer.place)
		timer_set(
			&s->state_timer, deadline_in(s->o.state_flush), flush_is_due, s);
}

/* Nobody was told of those that could not be written. */
static void
give_up_unwritten(struct spool *s)
{
	for (size_t i = s->pending_written; i < s->pending.n; i++) {
		struct entry *e = index_get(&s->index, s->pending.items[i].mid);

		if (e && !(e->flags & ENTRY_FINISHED))
			e->flags &= (uint8_t)~ENTRY_ENDING;
	}
	s->pending.n = s->pending_written;
}

/* All that is gathered. False: there is no segment for it now, but one may come. */
static bool
write_all_pending(struct spool *s)
{
	while (s->pending_written < s->pending.n)
		/* A refused write retires the segment: the next try goes elsewhere. */
		if (write_some(s) < 0 && errno == ENOSPC)
			return false;
	return true;
}

int
seglog_write(struct spool *s)
{
	int error = 0;

	if (!write_all_pending(s)) {
		s->plan_due = true;
		if (!s->closing && !clean_is_hopeless(s))
			return -1; /* tried again when a segment was freed */
		error = ENOSPC;
		log_error(
			"spool: no segment left for %zu state records; remove what fills "
			"the disk of the queue directory",
			s->pending.n - s->pending_written);
		give_up_unwritten(s);
	}
	if (s->pending_written)
		flush_later(s);
	return error;
}

void
states_flushed(struct spool *s, size_t n)
{
	uint64_t upto;

	ensure(n <= s->pending_written);
	upto = n < s->pending.n ? s->pending.items[n].at
				: s->pending_base + s->pending_bytes.len;
	buf_drop(&s->pending_bytes, (size_t)(upto - s->pending_base));
	s->pending_base = upto;
	vec_drop(&s->pending, n);
	s->pending_written -= n;
	timer_cancel(&s->state_timer);
	if (s->pending_written)
		flush_later(s);
}

void
states_again(struct spool *s)
{
	s->pending_written = 0;
	s->states_lost = false;
	s->flush_due = true;
	spool_turn(s);
}

void
states_retired(struct spool *s, uint32_t slot)
{
	for (size_t i = 0; i < s->pending_written && !s->states_lost; i++)
		s->states_lost = s->pending.items[i].where.slot == slot;
	if (s->states_lost && !s->flushing)
		states_again(s);
}
