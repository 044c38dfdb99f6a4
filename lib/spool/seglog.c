/* seglog_engine.c -- the segment log's table; the work is done in put.c (new mail),
 * update.c (states) and flush_barrier(). */
#include "seglog.h"

static bool
has_unwritten(const struct spool *s)
{
	return s->pending_written < s->pending.n;
}

static void
demand(struct spool *s)
{
	s->flush_due |= !flush_idle(s);
}

static bool
is_idle(const struct spool *s)
{
	return flush_idle(s) && !s->gather && !has_unwritten(s) && s->barriers.n == 0;
}

static bool
collect(struct spool *s)
{
	return worker_collect(s->flusher, s->flushing != NULL);
}

static void
stop(struct spool *s)
{
	timer_cancel(&s->state_timer);
	worker_stop(s->flusher);
}

static const struct index *
index_of(const struct spool *s)
{
	return &s->index;
}

static void
space(const struct spool *s, struct spool_space_reply *sum)
{
	sum->live += s->live;
	sum->disk += s->disk;
	sum->limit += disk_limit(s);
	sum->spares += s->n_spares;
	sum->written += s->counts.written[STREAM_HOT] + s->counts.written[STREAM_COLD];
	sum->moved += s->counts.written[STREAM_COLD];
	for (size_t i = 0; i < s->segments.n; i++)
		sum->segments += s->segments.items[i] && s->segments.items[i]->fd >= 0;
}

static bool export(const struct spool *s, const struct entry *e, struct spool_entry *out,
	struct buf *states)
{
	if ((e->flags & (ENTRY_FINISHED | ENTRY_ENDING)) || is_unsettled(s, e->mid))
		return false;
	entry_export(s, e, out, states);
	return true;
}

const struct engine seglog_engine = {
	.name = "log",
	.put = seglog_put,
	.update = seglog_update,
	.write = seglog_write,
	.has_unwritten = has_unwritten,
	.kick = flush_kick,
	.demand = demand,
	.is_idle = is_idle,
	.when_flushed = flush_barrier,
	.collect = collect,
	.stop = stop,
	.index = index_of,
	.space = space,
	.export = export,
};
