/* engine.c -- the calls of spool.h that each engine answers for its own mail. */
#include "engine.h"
#include "file.h"
#include <errno.h>

const struct engine *const engines[ENGINES] = { &seglog_engine, &files_engine };

const struct engine *
engine_of(uint64_t mid)
{
	return is_file_mid(mid) ? &files_engine : &seglog_engine;
}

const struct engine *
engine_for_new(const struct spool *s)
{
	return s->o.files ? &files_engine : &seglog_engine;
}

/* ---- writing ---- */
void
spool_put(struct spool *s, const struct spool_put_request *m, struct spool_body *body,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg)
{
	engine_for_new(s)->put(s, m, body, NULL, 0, done, arg);
}

/* Is there a state that no segment could hold? */
static bool
too_long(const struct spool *s, const struct spool_state *states, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		octets_t len = states[i].rcpts.len;

		len += states[i].status.len + states[i].reason.len + states[i].detail.len;
		if (len + SPOOL_BLOCK > s->o.segment_size / 4)
			return true;
	}
	return false;
}

void
spool_update(struct spool *s, const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error), void *arg)
{
	if (too_long(s, states, n)) {
		if (done)
			done(arg, EMSGSIZE);
		return;
	}
	for (size_t i = 0; i < n; i++)
		engine_of(states[i].mid)->update(s, &states[i]);
	if (done)
		*vec_push(&s->updates) = (struct callback){ done, arg };
	spool_turn(s);
}

void
states_write(struct spool *s)
{
	size_t n = s->updates.n;
	bool wait = false, due = n > 0;

	for (size_t i = 0; i < ENGINES; i++)
		due |= engines[i]->has_unwritten(s);
	if (!due)
		return;
	for (size_t i = 0; i < ENGINES; i++) {
		int error = engines[i]->write(s);

		wait |= error < 0;
		if (error > 0)
			s->update_error = error;
	}
	if (wait)
		return;
	for (size_t i = 0; i < n; i++) {
		struct callback c = s->updates.items[i];

		c.fn(c.arg, s->update_error);
	}
	vec_drop(&s->updates, n);
	s->update_error = 0;
}

/* ---- flushing: one engine after the other ---- */
struct flush_wait {
	void (*fn)(struct spool *s, void *arg);
	void *arg;
	size_t engine; /* the next one */
};

static void
flush_next(struct spool *s, void *arg)
{
	struct flush_wait *w = arg;
	struct flush_wait all = *w;

	if (w->engine < ENGINES) {
		engines[w->engine++]->when_flushed(s, flush_next, w);
		return;
	}
	mem_free(w);
	all.fn(s, all.arg);
}

void
spool_flush(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg)
{
	struct flush_wait *w = mem_alloc(sizeof(*w));

	*w = (struct flush_wait){ fn, arg, 0 };
	flush_next(s, w);
}

/* ---- looking ---- */
size_t
spool_count(const struct spool *s)
{
	size_t n = 0;

	for (size_t i = 0; i < ENGINES; i++)
		n += engines[i]->index(s)->live;
	return n;
}

static bool
each_of(struct spool *s, const struct engine *engine,
	bool (*fn)(const struct spool_entry *e, void *arg), void *arg)
{
	struct buf states CLEANUP(buf_free) = BUF_INIT;
	const struct index *x = engine->index(s);

	for (size_t i = 0; i < x->room; i++) {
		struct spool_entry out;

		if (x->table[i] && engine->export(s, x->table[i], &out, &states) &&
			!fn(&out, arg))
			return false;
	}
	return true;
}

bool
spool_each(struct spool *s, bool (*fn)(const struct spool_entry *e, void *arg), void *arg)
{
	for (size_t i = 0; i < ENGINES; i++)
		if (!each_of(s, engines[i], fn, arg))
			return false;
	return true;
}

bool
spool_find(struct spool *s, uint64_t mid, struct spool_entry *out)
{
	const struct engine *engine = engine_of(mid);
	const struct entry *e = index_get(engine->index(s), mid);

	return e && engine->export(s, e, out, &s->exported);
}
