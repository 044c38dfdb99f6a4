/* model_test.c -- random lives of mail against a model of what must be there: the cleaner
 * runs all the time, processes die, queue_engine changes, the queue is converted, and
 * every message must be whole at each look. The seed is printed; SPOOL_TEST_SEED sets it,
 * SPOOL_TEST_STEPS the length. */
#include "spool_test.h"
#include <stdio.h>
#include <stdlib.h>

struct mail {
	uint64_t mid, seed;
	size_t len;
	uint64_t wake;
	bool hold;
	uint32_t done; /* how many of its recipients */
	char id[16];
};
struct model {
	struct rig r;
	uint64_t random;
	VEC(struct mail) mails;
	struct arena *arena;
	unsigned n;
	uint64_t freed, copied; /* by earlier lives of the spool */
	bool log_only;
	unsigned converted;
};

static uint32_t
roll(struct model *m, uint32_t below)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->random >> 33) % below;
}

enum { RCPTS = 40 };

static struct str
envelope_of(struct model *m, const struct mail *mail)
{
	struct rcpt rcpts[RCPTS] = { 0 };
	struct envelope e = {
		.queue_id = str_c(mail->id), .rcpts = rcpts, .n_rcpts = RCPTS
	};
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < RCPTS; i++)
		rcpts[i].address = STR("a@b.test");
	envelope_put(&bytes, &e);
	return arena_str(m->arena, buf_str(&bytes));
}

static void
put_done(void *arg, int error, const struct spool_entry *e)
{
	uint64_t *mid = arg;

	CHECK_INT(error, 0);
	*mid = e ? e->mid : 1;
}

static bool
all_put(void *arg)
{
	struct model *m = arg;

	for (size_t i = m->mails.n; i-- > 0 && i + 40 > m->mails.n;)
		if (m->mails.items[i].mid == 0)
			return false;
	return true;
}

/* Several at once, so that they share batches. */
static void
put_some(struct model *m)
{
	uint32_t n = 1 + roll(m, 30);

	/* done writes into the model: no growing while they are under way. */
	vec_grow((void **)&m->mails.items, &m->mails.room, m->mails.n + n,
		sizeof(*m->mails.items));
	for (uint32_t i = 0; i < n; i++) {
		struct mail *mail = vec_push(&m->mails);
		struct spool_put_request put = { .arrival_us = 1, .recipients = RCPTS };

		mail->seed = m->random;
		mail->len = roll(m, 10) ? roll(m, 4000) : roll(m, 60000);
		snprintf(mail->id, sizeof(mail->id), "M%u", m->n++);
		mail->hold = put.hold = roll(m, 10) == 0;
		put.queue_id = str_c(mail->id);
		put.envelope = envelope_of(m, mail);
		put.content = fill_str(m->arena, mail->len, mail->seed);
		spool_put(m->r.spool, &put, NULL, put_done, &mail->mid);
	}
	rig_run(all_put, m);
	arena_reset(m->arena);
}

static void
change_one(struct model *m)
{
	struct mail *mail = &m->mails.items[roll(m, (uint32_t)m->mails.n)];
	char rcpt[4];

	put_u32(rcpt, mail->done);
	switch (roll(m, 4)) {
	case 0:
		mail->wake = roll(m, 1000);
		rig_state(&m->r, mail->mid, SPOOL_DEFERRED, mail->wake);
		break;
	case 1:
		mail->hold = true;
		rig_state(&m->r, mail->mid, SPOOL_HOLD, 0);
		break;
	case 2:
		mail->hold = false;
		mail->wake = 5;
		rig_state(&m->r, mail->mid, SPOOL_RELEASE, 5);
		break;
	default:
		if (mail->done < RCPTS) {
			struct spool_state s = { .mid = mail->mid, .kind = SPOOL_DONE };

			s.rcpts = str_of(rcpt, 4);
			spool_update(m->r.spool, &s, 1, NULL, NULL);
			rig_state(&m->r, mail->mid, SPOOL_NOTIFIED, 0);
			mail->done++;
		}
	}
}

static void
finish_some(struct model *m, uint32_t percent)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->mails.n; i++) {
		struct spool_state s = { .mid = m->mails.items[i].mid,
			.kind = SPOOL_FINISHED };

		if (roll(m, 100) < percent)
			spool_update(m->r.spool, &s, 1, NULL, NULL);
		else
			m->mails.items[kept++] = m->mails.items[i];
	}
	m->mails.n = kept;
	rig_state(&m->r, 0, SPOOL_WAKE,
		0); /* the end of the turn is when they are written */
}

/* How many recipients the records say are done. */
static uint32_t
done_of(struct model *m, struct spool_reader *reader, const struct spool_entry *e)
{
	uint32_t done = 0;

	for (size_t i = 0; i < e->n_states; i++) {
		struct spool_state *states;
		size_t n;

		CHECK_INT(spool_read_states(
				  reader, e->mid, e->states[i], m->arena, &states, &n),
			0);
		for (size_t k = 0; k < n; k++)
			done += states[k].kind == SPOOL_DONE;
	}
	return done;
}

static void
look_at(struct model *m, struct spool_reader *reader, const struct mail *mail)
{
	struct spool_entry e;
	struct spool_content c;

	if (!spool_find(m->r.spool, mail->mid, &e)) {
		printf("lost: %s\n", mail->id);
		CHECK(!"message is lost");
		return;
	}
	CHECK_INT(e.hold, mail->hold);
	CHECK_INT((long long)e.wake_us, (long long)mail->wake);
	CHECK_INT(spool_read(reader, mail->mid, e.where, false, m->arena, &c), 0);
	CHECK(str_eq(c.envelope, envelope_of(m, mail)));
	CHECK_STR(c.queue_id, mail->id);
	CHECK(str_eq(c.content, fill_str(m->arena, mail->len, mail->seed)));
	CHECK_INT(done_of(m, reader, &e), mail->done);
	arena_reset(m->arena);
}

static void
look_at_all(struct model *m)
{
	struct why why;
	struct spool_reader *reader = spool_reader_open(m->r.log, &why);

	CHECK_INT((long long)spool_count(m->r.spool), (long long)m->mails.n);
	for (size_t i = 0; i < m->mails.n; i++)
		look_at(m, reader, &m->mails.items[i]);
	spool_reader_close(reader);
}

/* ---- the other engine ---- */
static bool
take_mid(const struct spool_entry *e, void *arg)
{
	struct model *m = arg;

	for (size_t i = 0; i < m->mails.n; i++)
		if (strcmp(m->mails.items[i].id, e->queue_id) == 0)
			m->mails.items[i].mid = e->mid;
	return true;
}

static void
convert(struct model *m)
{
	struct why why = { 0 };
	size_t moved;

	CHECK_INT(spool_convert(m->r.spool, &moved, &why), 0);
	CHECK_INT(why.text[0], 0);
	m->converted += (unsigned)moved;
	spool_each(m->r.spool, take_mid, m);
}

static void
restart(struct model *m)
{
	m->freed += m->r.spool->counts.freed;
	m->copied += m->r.spool->counts.copied;
	if (roll(m, 2)) {
		rig_settle(&m->r);
		rig_close(&m->r);
	} else {
		rig_state(&m->r, 0, SPOOL_WAKE, 0);
		rig_kill(&m->r);
	}
	m->r.o.files = !m->log_only && roll(m, 2);
	rig_open_early(&m->r);
	while (roll(m, 2) && m->mails.n > 0) {
		put_some(m);
		change_one(m);
		finish_some(m, 10);
		if (roll(m, 3) == 0) {
			rig_kill(&m->r);
			rig_open_early(&m->r);
		}
	}
	spool_index(m->r.spool);
	if (!m->log_only && roll(m, 4) == 0)
		convert(m);
}

static void
print_segments(const struct spool *s)
{
	printf("disk %llu, live %llu, limit %llu; spares %zu, starved %d, freed %llu\n",
		(unsigned long long)s->disk, (unsigned long long)s->live,
		(unsigned long long)disk_limit(s), (size_t)s->n_spares, s->starved,
		(unsigned long long)s->counts.freed);
	for (size_t i = 0; i < s->segments.n; i++) {
		const struct segment *g = s->segments.items[i];

		if (g)
			printf("%zu: state %d stuck %d busy %u messages %u states %u "
			       "live %llu needs %u own %u\n",
				i, (int)g->state, g->stuck, g->busy, g->messages,
				g->states, (unsigned long long)g->live, g->needs, g->own);
	}
}

static void
check_disk(struct model *m)
{
	struct spool *s = m->r.spool;

	rig_settle(&m->r);
	if (s->disk > disk_limit(s))
		print_segments(s);
	CHECK(s->disk <= disk_limit(s));
}

static long
number_of(const char *name, long preset)
{
	const char *value = getenv(name);

	return value ? atol(value) : preset;
}

static void
live(bool log_only, long preset)
{
	struct model m = { .arena = arena_new(), .log_only = log_only };
	long steps = number_of("SPOOL_TEST_STEPS", preset);

	m.random =
		(uint64_t)number_of("SPOOL_TEST_SEED", (long)(time_wall_us() % 1000000));
	printf("seed %llu, %ld steps\n", (unsigned long long)m.random, steps);
	rig_new(&m.r);
	for (long i = 0; i < steps; i++) {
		uint32_t what = roll(&m, 100);

		if (what < 50 && m.mails.n < 600)
			put_some(&m);
		else if (what < 85 && m.mails.n > 0)
			for (int k = 0; k < 20; k++)
				change_one(&m);
		else if (what < 90)
			finish_some(&m, roll(&m, 3) ? 30 : 95);
		else if (what < 94)
			restart(&m);
		else if (what < 97)
			look_at_all(&m);
		else
			check_disk(&m);
	}
	restart(&m);
	look_at_all(&m);
	check_disk(&m);
	look_at_all(&m);
	printf("%llu segments freed, %llu messages copied, %u converted, %zu live at the "
	       "end\n",
		(unsigned long long)(m.freed + m.r.spool->counts.freed),
		(unsigned long long)(m.copied + m.r.spool->counts.copied), m.converted,
		m.mails.n);
	rig_close(&m.r);
	CHECK_STR(rig_logged(), "");
	vec_free(&m.mails);
	arena_free(m.arena);
}

TEST(random_lives_of_mail)
{
	live(true, 1000);
}

TEST(random_lives_of_mail_in_both_engines)
{
	live(false, 300);
}
