/* harness_test.c -- see spool_test.h. */
#include "spool_test.h"
#include "files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct buf logged;

static void
keep_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&logged, line);
	buf_addc(&logged, '\n');
}

struct str
rig_logged(void)
{
	static struct buf last;

	buf_free(&last);
	last = logged;
	logged = (struct buf)BUF_INIT;
	buf_addc(&last, 0);
	last.len--;
	return buf_str(&last);
}

void
rig_new(struct rig *r)
{
	static int n;
	static bool ready;

	if (!ready)
		event_init();
	ready = true;
	log_capture(keep_line, NULL);
	(void)rig_logged();
	memset(r, 0, sizeof(*r));
	snprintf(r->queue, sizeof(r->queue), "%s/q%d", test_dir(), n++);
	snprintf(r->log, sizeof(r->log), "%s/log", r->queue);
	ensure(mkdir(r->queue, 0700) == 0 && mkdir(r->log, 0700) == 0);
	r->o = (struct spool_options){ .directory = r->log,
		.segment_size = RIG_SEGMENT,
		.state_flush = 5,
		.slack = 10 * RIG_SEGMENT };
	rig_open(r);
}

void
rig_open(struct rig *r)
{
	rig_open_early(r);
	spool_index(r->spool);
}

void
rig_open_early(struct rig *r)
{
	struct why why;

	r->spool = spool_open(&r->o, &why);
	if (!r->spool)
		printf("spool_open: %s\n", why.text);
	ensure(r->spool);
}

void
rig_close(struct rig *r)
{
	spool_close(r->spool);
	r->spool = NULL;
}

/* The workers are let run dry, what they then tell is not listened to. */
void
rig_kill(struct rig *r)
{
	struct spool *s = r->spool;

	s->closing = true;
	event_later_cancel(&s->turn);
	while (worker_collect(s->flusher, true) || worker_collect(s->keeper, true))
		event_later_cancel(&s->turn);
	while (s->files->worker && worker_collect(s->files->worker, true))
		;
	if (s->files->worker)
		worker_stop(s->files->worker);
	event_later_cancel(&s->turn);
	timer_cancel(&s->files->timer);
	timer_cancel(&s->state_timer);
	timer_cancel(&s->retry_timer);
	clean_abandon(s);
	worker_stop(s->flusher);
	worker_stop(s->keeper);
	puts_fail(s, ECANCELED);
	event_later_cancel(&s->turn);
	spool_unmake(s);
	r->spool = NULL;
}

/* ---- running ---- */
static bool (*until)(void *arg);
static void *until_arg;

static void
look(void)
{
	if (until(until_arg))
		event_stop();
}

void
rig_run(bool (*fn)(void *arg), void *arg)
{
	until = fn;
	until_arg = arg;
	event_turn_hook = look;
	event_run();
	event_turn_hook = NULL;
}

static bool
is_true(void *arg)
{
	return *(bool *)arg;
}

static bool
is_settled(void *arg)
{
	struct spool *s = arg;

	return !s->recovery && worker_is_idle(s->flusher) && worker_is_idle(s->keeper) &&
	       !s->turn.queued && !s->state_timer.place && flush_idle(s) &&
	       s->pending.n == 0 && files_idle(s);
}

void
rig_settle(struct rig *r)
{
	rig_run(is_settled, r->spool);
}

/* ---- mail ---- */
struct waiting {
	bool done;
	int error;
	uint64_t mid;
};

static void
put_done(void *arg, int error, const struct spool_entry *e)
{
	struct waiting *w = arg;

	w->done = true;
	w->error = error;
	w->mid = e ? e->mid : 0;
}

int
rig_put(struct rig *r, const char *queue_id, const char *envelope, struct str content,
	uint64_t *mid)
{
	struct spool_put_request m = { .queue_id = str_c(queue_id),
		.arrival_us = 1000,
		.recipients = 1,
		.envelope = str_c(envelope),
		.content = content };
	struct waiting w = { 0 };

	spool_put(r->spool, &m, NULL, put_done, &w);
	rig_run(is_true, &w.done);
	if (mid)
		*mid = w.mid;
	return w.error;
}

static void
update_done(void *arg, int error)
{
	struct waiting *w = arg;

	w->done = true;
	w->error = error;
}

int
rig_state(struct rig *r, uint64_t mid, uint8_t kind, uint64_t when_us)
{
	struct spool_state state = {
		.mid = mid, .kind = kind, .when_us = when_us, .reason = STR("because")
	};
	struct waiting w = { 0 };

	spool_update(r->spool, &state, 1, update_done, &w);
	rig_run(is_true, &w.done);
	return w.error;
}

void
rig_finish(struct rig *r, uint64_t mid)
{
	CHECK_INT(rig_state(r, mid, SPOOL_FINISHED, 0), 0);
}

void
rig_expect(struct rig *r, uint64_t mid, const char *envelope, struct str content)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_entry e;
	struct spool_content c;
	struct why why;
	struct spool_reader *reader;

	if (!spool_find(r->spool, mid, &e)) {
		CHECK(!"message is not there");
		return;
	}
	reader = spool_reader_open(r->log, &why);
	ensure(reader);
	CHECK_INT(spool_read(reader, mid, e.where, true, arena, &c), 0);
	CHECK_STR(c.envelope, envelope);
	CHECK_INT(spool_read(reader, mid, e.where, false, arena, &c), 0);
	CHECK_STR(c.envelope, envelope);
	CHECK(str_eq(c.content, content));
	CHECK_INT((long long)c.size, (long long)content.len);
	spool_reader_close(reader);
}

struct str
fill_str(struct arena *a, size_t len, uint64_t seed)
{
	char *p = arena_alloc(a, len);

	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (char)("abcdefghijklmnopqrstuvwxyz0123\n ,"[(seed >> 40) % 33]);
	}
	return str_of(p, len);
}
