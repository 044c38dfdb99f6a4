/* work.c -- a workload on lib/spool that tells, in the recorder's notes, what it was
 *told: small segments, so that the cleaner moves mail and segments are used again all the
 *time.
 *
 *	p ID LENGTH SEED BODY	about to put         P ID	the put was acknowledged
 *	d ID N			about to write that N recipients are done, D ID N: written
 *	f ID			about to end it
 *	S			every state written before is flushed by now
 *
 * usage: work ENGINE DIRECTORY NOTES MESSAGES SEED [no-flush | order] */
#include "files.h"
#include "work.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_FLIGHT = 8, LIVE = 60, SLACK = 1 };

struct mail {
	char id[16];
	uint64_t mid, seed;
	size_t length, body;
	unsigned done;
};
static struct spool *spool;
static int notes;
static uint64_t state;
static unsigned total, started, in_flight, waiting;
static VEC(struct mail *) live;
static VEC(struct mail *) changed; /* in the update under way */
static VEC(char) changed_kind;

static unsigned
roll(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

static void note(const char *fmt, ...) PRINTF(1, 2);
static void
note(const char *fmt, ...)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	if (write_all(notes, buf_str(&line)) < 0)
		log_fatal("notes: %m");
}

/* ---- putting ---- */
static void next(void);

static void
put_done(void *arg, int error, const struct spool_entry *e)
{
	struct mail *m = arg;

	in_flight--;
	if (error)
		log_fatal("put %s: %s", m->id, strerror(error));
	m->mid = e->mid;
	note("P %s", m->id);
	*vec_push(&live) = m;
	next();
}

static struct spool_body *
write_body(const struct mail *m)
{
	int error;
	struct spool_body *b;
	char *bytes CLEANUP(mem_free_at) = mem_alloc(m->body);

	if (!m->body)
		return NULL;
	b = spool_body_new(spool, &error);
	fill(bytes, m->body, m->seed + 1);
	if (!b || spool_body_write(b, str_of(bytes, m->body)) < 0 ||
		spool_body_finish(b) < 0)
		log_fatal("body of %s: %m", m->id);
	return b;
}

static void
put_one(void)
{
	struct mail *m = mem_alloc(sizeof(*m));
	struct spool_put_request ask = { .arrival_us = 1, .recipients = 100 };
	struct spool_body *body;
	char *bytes CLEANUP(mem_free_at) = NULL;

	snprintf(m->id, sizeof(m->id), "W%u", started++);
	m->seed = state;
	m->length = roll(12) ? roll(5000) : roll(40000);
	m->body = roll(25) ? 0 : 1 + roll(200000);
	bytes = mem_alloc(m->length + 1);
	fill(bytes, m->length, m->seed);
	note("p %s %zu %llu %zu", m->id, m->length, (unsigned long long)m->seed, m->body);
	body = write_body(m);
	ask.queue_id = ask.envelope = str_c(m->id);
	ask.content = str_of(bytes, m->length);
	in_flight++;
	spool_put(spool, &ask, body, put_done, m);
}

/* ---- what becomes of it ---- */
static void
updated(void *arg, int error)
{
	(void)arg;
	if (error)
		log_fatal("update: %s", strerror(error));
	for (size_t i = 0; i < changed.n; i++) {
		struct mail *m = changed.items[i];

		if (changed_kind.items[i] == 'f')
			mem_free(m);
		else
			note("D %s %u", m->id, m->done);
	}
	changed.n = changed_kind.n = 0;
	waiting--;
	next();
}

static void
finish_at(size_t i)
{
	struct spool_state s = { .mid = live.items[i]->mid, .kind = SPOOL_FINISHED };

	note("f %s", live.items[i]->id);
	*vec_push(&changed) = live.items[i];
	*vec_push(&changed_kind) = 'f';
	live.items[i] = live.items[--live.n];
	spool_update(spool, &s, 1, NULL, NULL);
}

static bool
is_changing(const struct mail *m)
{
	for (size_t i = 0; i < changed.n; i++)
		if (changed.items[i] == m)
			return true;
	return false;
}

static void
deliver_one_of(size_t i)
{
	struct mail *m = live.items[i];
	char rcpt[4];
	struct spool_state s = {
		.mid = m->mid, .kind = SPOOL_DONE, .status = STR("2.0.0")
	};

	if (m->done >= 100 || is_changing(m))
		return;
	put_u32(rcpt, m->done);
	s.rcpts = str_of(rcpt, 4);
	note("d %s %u", m->id, ++m->done);
	*vec_push(&changed) = m;
	*vec_push(&changed_kind) = 'd';
	spool_update(spool, &s, 1, NULL, NULL);
}

static void
change_some(void)
{
	for (unsigned n = roll(6); n > 0 && live.n > 0; n--)
		deliver_one_of(roll((unsigned)live.n));
	while (live.n > LIVE || (live.n > 5 && roll(3) == 0)) {
		size_t i = roll((unsigned)live.n);

		if (is_changing(live.items[i]))
			break;
		finish_at(i);
	}
	waiting++;
	spool_update(spool, NULL, 0, updated, NULL);
}

/* ---- the states are flushed at last, without any help from new mail ---- */
static bool flushing;

static void
look(void)
{
	if (!flushing || spool->pending.n > 0 || !files_idle(spool))
		return;
	flushing = false;
	note("S");
	if (started == total)
		event_stop();
	else
		next();
}

static void
next(void)
{
	if (flushing || waiting)
		return;
	if (in_flight == 0 && (started == total || (started % 32 == 0 && roll(2)))) {
		flushing = true;
		return;
	}
	while (in_flight < IN_FLIGHT && started < total) {
		put_one();
		if (started % 32 == 0)
			break;
	}
	/* A put that is under way calls again. */
	if (in_flight == 0 || roll(2))
		change_some();
}

int
main(int argc, char **argv)
{
	struct spool_options o = { .segment_size = WORK_SEGMENT,
		.state_flush = 30,
		.slack = SLACK * WORK_SEGMENT };
	struct why why;

	if (argc < 6) {
		fprintf(stderr, "usage: work ENGINE DIRECTORY NOTES MESSAGES SEED "
				"[no-flush|order]\n");
		return 2;
	}
	log_open("work", LOG_TO_STDERR, -1, 0);
	o.files = strcmp(argv[1], "files") == 0;
	o.directory = argv[2];
	notes = open(argv[3], O_WRONLY | O_CLOEXEC);
	total = (unsigned)atoi(argv[4]);
	state = (uint64_t)atoll(argv[5]);
	o.broken_no_flush = argc > 6 && strcmp(argv[6], "no-flush") == 0;
	o.broken_order = argc > 6 && strcmp(argv[6], "order") == 0;
	event_init();
	spool = spool_open(&o, &why);
	if (!spool || notes < 0)
		log_fatal("cannot start: %s", spool ? "notes" : why.text);
	event_turn_hook = look;
	next();
	event_run();
	printf("%u messages, %llu segments recycled, %llu messages moved\n", started,
		(unsigned long long)spool->counts.freed,
		(unsigned long long)spool->counts.copied);
	fflush(stdout);
	_exit(0); /* the power goes: nothing is closed */
}
