/* files_flush.c -- the files engine's flushes: what goes into one, and what its end
 * means. */
#include "files.h"
#include <errno.h>

enum {
	BATCH_MOST = 256, /* files in one batch */
	AGAIN = 1000,     /* ms until a failed try is repeated */
};

static void
flush_is_due(void *arg)
{
	struct spool *s = arg;

	s->files->flush_due = true;
	spool_turn(s);
}

void
files_flush_soon(struct spool *s, msec_t when)
{
	if (!s->files->timer.place)
		timer_set(&s->files->timer, deadline_in(when), flush_is_due, s);
}

static bool
is_among(const uint64_t *mids, size_t n, uint64_t mid)
{
	for (size_t i = 0; i < n; i++)
		if (mids[i] == mid)
			return true;
	return false;
}

/* The states that this job flushes, and whose files. */
static void
take_dirty(struct files *f, struct file_job *k)
{
	uint64_t last = 0;

	for (size_t i = 0; i < f->pending.n; i++) {
		struct file_pending *p = &f->pending.items[i];
		struct entry *e = index_get(&f->index, p->mid);

		if (!p->is_written || (e && e->copying))
			continue;
		p->in_flush = true;
		if (e && p->mid != last)
			*vec_push(&k->dirty) = last = p->mid;
	}
}

static void
take_rewrites(struct files *f, struct file_job *k)
{
	for (size_t i = 0; i < f->rewrite.n; i++) {
		uint64_t mid = f->rewrite.items[i];
		struct entry *e = index_get(&f->index, mid);
		struct file_rewrite *w;

		if (!e)
			continue;
		w = vec_push(&k->rewrites);
		*w = (struct file_rewrite){
			.mid = mid, .places = places_of(e), .recipients = e->recipients
		};
		for (size_t p = 0; p < f->pending.n; p++)
			if (f->pending.items[p].mid == mid &&
				f->pending.items[p].is_written) {
				f->pending.items[p].in_flush = true;
				*vec_push(&w->states) = f->pending.items[p].state;
			}
	}
	f->rewrite.n = 0;
}

static void job_done(struct job *j);

void
files_kick(struct spool *s)
{
	struct files *f = s->files;
	struct file_job *k;
	size_t n;

	if (f->job || (!f->gather.n && !f->flush_due))
		return;
	if (!f->worker)
		f->worker = worker_start();
	k = f->job = mem_alloc(sizeof(*k));
	k->job = (struct job){ file_job_run, job_done, NULL };
	k->s = s;
	n = MIN(f->gather.n, (size_t)BATCH_MOST);
	for (size_t i = 0; i < n; i++)
		*vec_push(&k->puts) = f->gather.items[i];
	vec_drop(&f->gather, n);
	if (f->flush_due) {
		k->flush = ++f->flushes;
		f->flush_due = false;
		timer_cancel(&f->timer);
		take_rewrites(f, k);
		take_dirty(f, k);
		for (size_t i = 0; i < f->ended.n; i++)
			*vec_push(&k->ended) = f->ended.items[i];
		for (size_t i = 0; i < f->ended_bodies.n; i++)
			*vec_push(&k->ended_bodies) = f->ended_bodies.items[i];
		f->ended.n = f->ended_bodies.n = 0;
	}
	if (s->o.broken_order && k->puts.n)
		files_puts_stored(s, k);
	worker_submit(f->worker, &k->job);
}

static void
rewrite_done(struct files *f, struct file_rewrite *w)
{
	struct entry *e = index_get(&f->index, w->mid);

	if (!e)
		return;
	if (w->error) {
		log_error("spool: %s: its file cannot be written anew: %s; tried again",
			e->queue_id, strerror(w->error));
		if (!f->s->closing)
			*vec_push(&f->rewrite) = w->mid; /* still copying */
		f->refused = f->unwritten ? w->error : 0;
		return;
	}
	e->copying = false;
	f->written += w->places.size;
	f->moved += w->places.size;
	file_changed(f, e, &w->places);
	set_pack_at(e);
	if (f->s->moved) {
		struct buf states CLEANUP(buf_free) = BUF_INIT;
		struct spool_entry out;

		if (file_export(f->s, e, &out, &states))
			f->s->moved(&out, f->s->moved_arg);
	}
}

/* In the order in which they were written. */
static void
is_durable(struct entry *e, octets_t end)
{
	struct file_places at = places_of(e);

	at.durable = MAX(at.durable, end);
	set_places(e, &at);
}

/* What the job flushed, or failed to. */
static void
states_done(struct files *f, struct file_job *k)
{
	if (k->dirty_error)
		log_error("spool: states of %zu messages were not flushed: %s; their "
			  "files are "
			  "written anew",
			k->dirty.n, strerror(k->dirty_error));
	for (size_t i = 0; i < k->dirty.n; i++) {
		struct entry *e = index_get(&f->index, k->dirty.items[i]);
		struct file_places at;

		if (!e)
			continue;
		if (k->dirty_error) {
			file_write_anew(f, e);
			continue;
		}
		at = places_of(e);
		if (at.end - at.begin > (octets_t)e->where.length * FILE_ALIGN)
			file_write_anew(f, e);
	}
	for (size_t i = 0; i < f->pending.n; i++) {
		struct file_pending *p = &f->pending.items[i];
		struct entry *e = index_get(&f->index, p->mid);
		bool lost = e && k->dirty_error &&
			    is_among(k->dirty.items, k->dirty.n, p->mid);

		for (size_t w = 0; w < k->rewrites.n; w++)
			lost |= e && k->rewrites.items[w].mid == p->mid &&
				k->rewrites.items[w].error;
		if (p->in_flush && !lost && e)
			is_durable(e, p->end);
		if (p->in_flush && (!lost || f->s->closing))
			p->kind = 0;
		p->in_flush = false;
	}
	files_forget(f, 0);
}

/* Those whose flush failed wait for the next one. */
static void
barriers_run(struct spool *s, uint64_t flush, bool failed)
{
	struct files *f = s->files;
	size_t n = f->barriers.n, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct barrier b = f->barriers.items[i];

		if (b.flush <= flush && !failed) {
			b.fn(s, b.arg); /* may add others behind the n */
			continue;
		}
		if (b.flush <= flush)
			b.flush = f->flushes + 1;
		f->barriers.items[kept++] = b;
	}
	if (n > kept)
		memmove(f->barriers.items + kept, f->barriers.items + n,
			(f->barriers.n - n) * sizeof(*f->barriers.items));
	f->barriers.n -= n - kept;
}

static void
job_done(struct job *j)
{
	struct file_job *k = (struct file_job *)j;
	struct spool *s = k->s;
	struct files *f = s->files;
	bool again = k->ended_error != 0;

	f->job = NULL;
	if (!s->o.broken_order && k->put_error)
		files_puts_lost(s, k);
	else if (!s->o.broken_order)
		files_puts_stored(s, k);
	for (size_t i = 0; i < k->puts.n; i++)
		file_put_free(k->puts.items[i]);
	if (k->ended_error) {
		log_error("spool: files of messages that ended cannot be removed: %s; "
			  "tried "
			  "again",
			strerror(k->ended_error));
		for (size_t i = 0; i < k->ended.n && !s->closing; i++)
			*vec_push(&f->ended) = k->ended.items[i];
		for (size_t i = 0; i < k->ended_bodies.n && !s->closing; i++)
			*vec_push(&f->ended_bodies) = k->ended_bodies.items[i];
	}
	states_done(f, k);
	for (size_t i = 0; i < k->rewrites.n; i++) {
		rewrite_done(f, &k->rewrites.items[i]);
		again |= k->rewrites.items[i].error != 0;
		vec_free(&k->rewrites.items[i].states);
	}
	if (again)
		files_flush_soon(s, AGAIN);
	else if (f->pending.n || f->ended.n)
		files_flush_soon(s, s->o.state_flush);
	if (k->flush)
		barriers_run(s, k->flush, again || k->dirty_error);
	vec_free(&k->puts);
	vec_free(&k->dirty);
	vec_free(&k->ended);
	vec_free(&k->ended_bodies);
	vec_free(&k->rewrites);
	mem_free(k);
	spool_turn(s);
}

void
files_barrier(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg)
{
	struct files *f = s->files;

	if (files_idle(s)) {
		fn(s, arg);
		return;
	}
	*vec_push(&f->barriers) = (struct barrier){ fn, arg, f->flushes + 1 };
	f->flush_due = true;
	spool_turn(s);
}

bool
files_idle(const struct spool *s)
{
	const struct files *f = s->files;

	return !f->job && !f->gather.n && !f->pending.n && !f->ended.n && !f->rewrite.n &&
	       !f->barriers.n;
}
