/* spool_test.c -- the writer and the reader, end to end. */
#include "spool_test.h"
#include <errno.h>

TEST(a_message_is_stored_and_read)
{
	struct rig r;
	uint64_t mid;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("Subject: x\n\nhello\n"), &mid), 0);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	CHECK_INT((long long)spool_count(r.spool), 1);
	rig_settle(&r);
	rig_close(&r);
	rig_open(&r);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	rig_finish(&r, mid);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST(states_survive_the_death_of_the_process)
{
	struct rig r;
	uint64_t mid;
	struct spool_entry e;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), &mid), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 77), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	rig_kill(&r);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e));
	CHECK_INT((long long)e.wake_us, 77);
	CHECK(e.hold && !e.expire);
	CHECK_INT((long long)e.n_states, 2);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

/* ---- a start with much old mail ---- */
static void
count_put(void *arg, int error, const struct spool_entry *e)
{
	unsigned *n = arg;

	CHECK_INT(error, 0);
	CHECK(e && e->n_states == 0);
	++*n;
}

static void
update_ok(void *arg, int error)
{
	CHECK_INT(error, 0);
	++*(unsigned *)arg;
}

static bool
both_done(void *arg)
{
	return *(unsigned *)arg == 2;
}

/* Thirty messages in several segments; closed. */
static void
thirty(struct rig *r, uint64_t mids[30])
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	rig_new(r);
	for (uint64_t i = 0; i < 30; i++)
		CHECK_INT(
			rig_put(r, "OLD", "OLD", fill_str(arena, 30000, i), &mids[i]), 0);
	rig_settle(r);
	rig_close(r);
}

TEST(new_mail_and_states_do_not_wait_for_old_mail)
{
	struct rig r;
	uint64_t mids[30];
	struct spool_entry e;
	struct spool_put_request put = {
		.queue_id = STR("NEW"), .recipients = 1, .envelope = STR("NEW")
	};

	thirty(&r, mids);
	for (int killed = 0; killed < 2; killed++) {
		struct spool_state states[2] = {
			{ .mid = mids[killed], .kind = SPOOL_FINISHED },
			{ .mid = mids[5],
				.kind = SPOOL_DEFERRED,
				.when_us = 70 + killed },
		};
		unsigned done = 0;

		rig_open_early(&r);
		CHECK(!spool_is_indexed(r.spool));
		CHECK(!spool_find(r.spool, mids[5], &e));
		spool_put(r.spool, &put, NULL, count_put, &done);
		spool_update(r.spool, states, 2, update_ok, &done);
		rig_run(both_done, &done);
		if (killed) {
			rig_kill(&r);
			rig_open_early(&r);
		}
		spool_index(r.spool);
		CHECK_INT((long long)spool_count(r.spool), 30);
		CHECK(!spool_find(r.spool, mids[killed], &e));
		CHECK(spool_find(r.spool, mids[5], &e));
		CHECK_INT((long long)e.wake_us, 70 + killed);
		CHECK_INT((long long)e.n_states, 1 + killed);
		rig_settle(&r);
		rig_close(&r);
	}
	CHECK_STR(rig_logged(), "");
}

/* ---- segments that come back ---- */

/* Puts mail that ends at once until another segment is begun; gives the one before. */
static struct segment *
fill_segment(struct rig *r)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct stream *hot = &r->spool->streams[STREAM_HOT];
	struct segment *first = hot->seg;

	while (hot->seg == first) {
		uint64_t mid;

		CHECK_INT(rig_put(r, "FILL", "f", fill_str(arena, 20000, 1), &mid), 0);
		rig_finish(r, mid);
	}
	return first;
}

/* Both records lie where its end does, as after a crash in the middle of a copy into the
 * segment that the next copy goes to as well. */
TEST(a_message_that_is_twice_in_the_segment_of_its_end)
{
	struct rig r;
	struct entry *e;
	struct segment *g;
	uint64_t mid;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), &mid), 0);
	e = index_get(&r.spool->index, mid);
	account_ghost(r.spool, e, e->where.slot);
	rig_finish(&r, mid);
	g = fill_segment(&r);
	rig_settle(&r);
	CHECK_INT((long long)r.spool->counts.freed, 1);
	CHECK_INT(g->state, SEGMENT_SPARE);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

static bool
is_cleaning(void *arg)
{
	return ((struct spool *)arg)->cleaning;
}

static bool
is_not_cleaning(void *arg)
{
	return !is_cleaning(arg);
}

/* A flush that is still at work in it when its last record was moved is no damage. */
TEST(a_segment_that_is_busy_when_it_was_cleaned)
{
	struct rig r;
	struct segment *g;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), NULL), 0);
	g = fill_segment(&r);
	rig_settle(&r);
	CHECK_INT(g->state, SEGMENT_SEALED);
	r.o.slack = 0;
	spool_change(r.spool, &r.o);
	rig_run(is_cleaning, r.spool);
	g->busy++;
	rig_run(is_not_cleaning, r.spool);
	CHECK(!g->stuck);
	CHECK_INT(g->state, SEGMENT_SEALED);
	g->busy--;
	segment_check(r.spool, g);
	rig_settle(&r);
	CHECK(g->state != SEGMENT_SEALED);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST_MAIN()
