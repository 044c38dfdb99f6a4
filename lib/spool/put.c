/* put.c -- new mail: gathered into batches, flushed one batch at a time.
 *
 * While the flusher writes and syncs a batch, the next one gathers; when the sync has
 * ended, that one goes. Nothing waits on purpose: alone, a message is on its way at the
 * end of the turn it came in; among hundreds, hundreds share one sync. */
#include "seglog.h"
#include <errno.h>
#include <unistd.h>

enum {
	BATCH_MOST = 4 << 20,    /* one write; longer batches only for a longer message */
	GATHER_MOST = 256 << 20, /* what may wait while there is no segment */
	BROKEN_DELAY_US = 20000, /* broken_order: enough for a kill to come in between */
};

struct put {
	struct entry *e;
	uint32_t at; /* of its record in the batch */
	void (*done)(void *arg, int error, const struct spool_entry *e);
	void *arg;
};
struct put_batch {
	struct build build;
	VEC(struct put) puts;
	struct segment *seg; /* once placed */
	uint32_t offset;
	struct put_batch *next;
};

/* ---- gathering ---- */
static struct put_batch *
batch_for(struct spool *s, uint32_t length)
{
	struct put_batch *b = s->gather_last;
	uint32_t most = MIN((uint32_t)BATCH_MOST, (uint32_t)s->o.segment_size / 4);

	if (b && b->build.bytes.len + length <= most)
		return b;
	b = mem_alloc(sizeof(*b));
	if (s->gather_last)
		s->gather_last->next = b;
	else
		s->gather = b;
	return s->gather_last = b;
}

static void
batch_free(struct put_batch *b)
{
	build_free(&b->build);
	vec_free(&b->puts);
	mem_free(b);
}

static struct entry *
entry_of(struct spool *s, const struct spool_put_request *m, struct spool_body *body)
{
	char id[32] = "";
	struct entry *e;

	memcpy(id, m->queue_id.data, MIN(m->queue_id.len, sizeof(id) - 1));
	e = entry_new(id);
	e->mid = ++s->sequence;
	e->arrival_us = m->arrival_us;
	e->recipients = m->recipients;
	e->size = m->content.len + (body ? body_size(body) : 0);
	e->body = body ? body_number(body) : 0;
	e->flags = m->hold ? ENTRY_HOLD | ENTRY_HELD_AT_FIRST : 0;
	return e;
}

static uint32_t
add_record(struct build *b, const struct entry *e, const struct spool_put_request *m,
	const struct spool_body *body)
{
	struct record r = {
		.length = MESSAGE_HEAD + (uint32_t)(m->envelope.len + m->content.len),
		.head = MESSAGE_HEAD,
		.sequence = e->mid,
		.type = RECORD_MESSAGE,
		.flags = m->hold ? RECORD_HOLD : 0,
	};
	struct message_head head = {
		.arrival_us = e->arrival_us,
		.size = e->size,
		.recipients = e->recipients,
		.envelope = (uint32_t)m->envelope.len,
		.content = (uint32_t)m->content.len,
		.envelope_crc = crc32c(0, m->envelope.data, m->envelope.len),
		.content_crc = crc32c(0, m->content.data, m->content.len),
		.body_crc = body ? body_crc(body) : 0,
		.body = e->body,
	};
	char *p = build_record(b, &r);

	memcpy(head.queue_id, e->queue_id, strlen(e->queue_id));
	message_head_put(p, &head);
	p += MESSAGE_HEAD;
	if (m->envelope.len)
		memcpy(p, m->envelope.data, m->envelope.len);
	if (m->content.len)
		memcpy(p + m->envelope.len, m->content.data, m->content.len);
	return (uint32_t)(p - MESSAGE_HEAD - b->bytes.data);
}

/* What cannot be taken at all: 0, or the errno to answer. */
static int
refusal(struct spool *s, const struct spool_put_request *m)
{
	octets_t length = MESSAGE_HEAD + m->envelope.len + m->content.len;

	if (length + BATCH_HEADER > s->o.segment_size / 2)
		return EMSGSIZE;
	if (m->queue_id.len == 0 || m->queue_id.len > 31 ||
		memchr(m->queue_id.data, 0, m->queue_id.len))
		return EINVAL;
	if (spool_starved(s) || s->gathered + length > GATHER_MOST)
		return ENOSPC;
	return 0;
}

static void
put_alone(struct spool *s, const struct spool_put_request *m, struct spool_body *body,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg)
{
	int error = refusal(s, m);
	struct put_batch *b;
	struct put put = { .done = done, .arg = arg };

	if (error) {
		if (body)
			spool_body_abort(body);
		done(arg, error, NULL);
		return;
	}
	b = batch_for(s, MESSAGE_HEAD + (uint32_t)(m->envelope.len + m->content.len));
	put.e = entry_of(s, m, body);
	put.at = add_record(&b->build, put.e, m, body);
	*vec_push(&b->puts) = put;
	s->gathered += m->envelope.len + m->content.len;
	if (body)
		body_keep(body);
	spool_turn(s);
}

/* ---- a message that comes with states: they follow it ---- */
struct put_with {
	struct spool *s;
	struct spool_state *states;
	size_t n;
	uint64_t mid;
	void (*done)(void *arg, int error, const struct spool_entry *e);
	void *arg;
};

static void
with_done(struct put_with *w, int error)
{
	struct spool_entry e;

	if (!error && !spool_find(w->s, w->mid, &e))
		error = ENOENT;
	w->done(w->arg, error, error ? NULL : &e);
	mem_free(w->states);
	mem_free(w);
}

static void
with_flushed(struct spool *s, void *arg)
{
	(void)s;
	with_done(arg, 0);
}

static void
with_written(void *arg, int error)
{
	struct put_with *w = arg;

	if (error)
		with_done(w, error);
	else
		flush_barrier(w->s, with_flushed, w);
}

static void
with_stored(void *arg, int error, const struct spool_entry *e)
{
	struct put_with *w = arg;

	if (error) {
		with_done(w, error);
		return;
	}
	w->mid = e->mid;
	for (size_t i = 0; i < w->n; i++)
		w->states[i].mid = e->mid;
	spool_update(w->s, w->states, w->n, with_written, w);
}

void
seglog_put(struct spool *s, const struct spool_put_request *m, struct spool_body *body,
	const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg)
{
	struct put_with *w;

	if (n == 0) {
		put_alone(s, m, body, done, arg);
		return;
	}
	w = mem_alloc(sizeof(*w));
	*w = (struct put_with){ .s = s, .n = n, .done = done, .arg = arg };
	w->states = mem_alloc(n * sizeof(*states));
	memcpy(w->states, states, n * sizeof(*states));
	put_alone(s, m, body, with_stored, w);
}

/* ---- flushing ---- */
struct flush_job {
	struct job job;
	struct spool *s;
	struct put_batch *batch; /* or NULL: only states */
	struct str bytes;
	struct segment **dirty; /* to be synced, the open one last */
	size_t n_dirty;
	size_t states; /* that this flush covers */
	struct mark upto;
	bool marks; /* there is a segment that the mark can name */
	uint64_t number;
	int error;
	struct segment *failed;
};

static void
flush_run(struct job *j)
{
	struct flush_job *f = (struct flush_job *)j;
	const struct spool_options *o = &f->s->o;

	if (f->batch && o->broken_order)
		usleep(BROKEN_DELAY_US);
	if (f->batch && write_at(f->batch->seg->fd, f->bytes, f->batch->offset) < 0) {
		f->error = errno;
		f->failed = f->batch->seg;
		return;
	}
	for (size_t i = 0; i < f->n_dirty && !o->broken_no_flush; i++)
		if ((o->sync ? o->sync : fdatasync)(f->dirty[i]->fd) < 0) {
			/* Never again: a second call may claim success for pages that
			 * the first one lost. */
			f->error = errno;
			f->failed = f->dirty[i];
			return;
		}
	if (f->marks && !o->broken_no_flush)
		mark_write(f->s, STREAM_HOT, &f->upto);
	if (!f->batch)
		mark_sync(f->s);
}

static struct str
envelope_of(const struct build *b, uint32_t at)
{
	const char *p = b->bytes.data + at;

	return str_of(p + MESSAGE_HEAD, get_u32(p + RECORD_HEADER + 28));
}

/* The messages of a flushed batch are there from now on. */
static void
batch_stored(struct spool *s, struct put_batch *b)
{
	struct buf states CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < b->puts.n; i++)
		account_message(s, b->puts.items[i].e);
	for (size_t i = 0; i < b->puts.n; i++) {
		const struct put *p = &b->puts.items[i];
		struct spool_entry e;

		entry_export(s, p->e, &e, &states);
		e.envelope = envelope_of(&b->build, p->at);
		p->done(p->arg, 0, &e);
	}
}

/* Their sender was told, or will be, that the messages were not taken. Their records may
 * be on the disk all the same: end them, lest the next start deliver them. */
static void
batch_lost(struct spool *s, struct put_batch *b, int error)
{
	for (size_t i = 0; i < b->puts.n; i++) {
		struct put *p = &b->puts.items[i];

		if (b->seg) {
			struct spool_state end = { .mid = p->e->mid,
				.kind = SPOOL_FINISHED };

			account_message(s, p->e);
			spool_update(s, &end, 1, NULL, NULL);
		} else {
			if (p->e->body) {
				*vec_push(&s->dead_bodies) = p->e->body;
				s->plan_due = true;
			}
			entry_free(p->e);
		}
	}
	for (size_t i = 0; i < b->puts.n; i++)
		b->puts.items[i].done(b->puts.items[i].arg, error, NULL);
}

static void
barriers_run(struct spool *s, uint64_t ended, bool failed)
{
	size_t n = s->barriers.n, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct barrier b = s->barriers.items[i];

		if (b.flush > ended)
			s->barriers.items[kept++] = b;
		else if (failed) {
			b.flush = s->flushes + 1;
			s->barriers.items[kept++] = b;
			s->flush_due = true;
		} else
			b.fn(s, b.arg); /* may add others behind the n */
	}
	if (n > kept)
		memmove(s->barriers.items + kept, s->barriers.items + n,
			(s->barriers.n - n) * sizeof(*s->barriers.items));
	s->barriers.n -= n - kept;
}

static void
flush_done(struct job *j)
{
	struct flush_job *f = (struct flush_job *)j;
	struct spool *s = f->s;

	s->flushing = NULL;
	for (size_t i = 0; i < f->n_dirty; i++)
		f->dirty[i]->busy--;
	if (f->error) {
		for (size_t i = 0; i < f->n_dirty; i++)
			f->dirty[i]->dirty = f->dirty[i] != f->failed;
		segment_retire(s, f->failed, f->error);
		states_again(s);
		if (f->batch && !s->o.broken_order)
			batch_lost(s, f->batch, f->error);
	} else {
		s->streams[STREAM_HOT].durable = f->upto.durable;
		states_flushed(s, f->states);
		if (f->batch)
			flush_later(s); /* the mark, if no batch follows */
		if (s->states_lost)
			states_again(s);
		if (f->batch && !s->o.broken_order)
			batch_stored(s, f->batch);
	}
	for (size_t i = 0; i < f->n_dirty; i++)
		segment_check(s, f->dirty[i]);
	barriers_run(s, f->number, f->error != 0);
	if (f->batch)
		batch_free(f->batch);
	mem_free(f->dirty);
	mem_free(f);
	spool_turn(s);
}

/* Takes the first gathered batch and gives it a place. */
static struct put_batch *
batch_place(struct spool *s, struct flush_job *f)
{
	struct stream *t = &s->streams[STREAM_HOT];
	struct put_batch *b = s->gather;

	if (!b)
		return NULL;
	b->seg = stream_room(s, t, build_size(&b->build), false);
	if (!b->seg)
		return NULL;
	s->cleaned_in_vain = 0;
	if (!(s->gather = b->next))
		s->gather_last = NULL;
	b->offset = round_up(t->off, SPOOL_BLOCK);
	f->bytes = build_finish(&b->build, &b->seg->id, t->id, b->offset, t->durable);
	t->off = b->offset + (uint32_t)b->build.bytes.len;
	s->counts.written[t->id] += b->build.bytes.len;
	b->seg->dirty = true;
	for (size_t i = 0; i < b->puts.n; i++) {
		const struct put *p = &b->puts.items[i];
		const struct built *r = &b->build.records.items[i];

		p->e->where =
			(struct place){ b->seg->id.slot, b->offset + r->at, r->r.length };
		s->gathered -= r->r.length - MESSAGE_HEAD;
	}
	return b;
}

uint64_t
put_next_sequence(const struct spool *s)
{
	return s->gather ? s->gather->puts.items[0].e->mid : s->sequence + 1;
}

static void
take_dirty(struct spool *s, struct flush_job *f)
{
	size_t n = 0;

	f->dirty = mem_alloc(s->segments.n * sizeof(*f->dirty));
	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->dirty && g->stream == STREAM_HOT) {
			g->dirty = false;
			g->busy++;
			f->dirty[n++] = g;
		}
	}
	f->n_dirty = n;
}

void
flush_kick(struct spool *s)
{
	struct stream *t = &s->streams[STREAM_HOT];
	struct flush_job *f;

	if (s->flushing)
		return;
	f = mem_alloc(sizeof(*f));
	f->batch = batch_place(s, f);
	if (!f->batch && !s->flush_due) {
		mem_free(f);
		if (s->gather && (s->starved || s->closing))
			puts_fail(s, ENOSPC);
		return;
	}
	f->job = (struct job){ flush_run, flush_done, NULL };
	f->s = s;
	f->number = ++s->flushes;
	f->states = s->pending_written;
	f->marks = t->seg != NULL;
	f->upto = f->marks ? stream_mark(s, t) : (struct mark){ .durable = t->durable };
	take_dirty(s, f);
	t->may_pack = false;
	s->flush_due = false;
	s->flushing = f;
	if (f->batch && s->o.broken_order)
		batch_stored(s, f->batch);
	worker_submit(s->flusher, &f->job);
}

bool
flush_idle(const struct spool *s)
{
	for (size_t i = 0; i < s->segments.n; i++)
		if (s->segments.items[i] && s->segments.items[i]->dirty &&
			s->segments.items[i]->stream == STREAM_HOT)
			return false;
	return !s->flushing;
}

void
flush_barrier(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg)
{
	*vec_push(&s->barriers) = (struct barrier){ fn, arg, s->flushes + 1 };
	s->flush_due = true;
	spool_turn(s);
}

void
puts_fail(struct spool *s, int error)
{
	struct put_batch *b;

	while ((b = s->gather)) {
		if (!(s->gather = b->next))
			s->gather_last = NULL;
		s->gathered = s->gather ? s->gathered : 0;
		batch_lost(s, b, error);
		batch_free(b);
	}
}
