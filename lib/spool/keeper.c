/* keeper.c -- the supply of segments: spares made ahead of time, dead ones numbered anew,
 * too many of them given back; and body files whose message ended. */
#include "private.h"
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct keeper_job {
	struct job job;
	struct spool *s;
	struct segment *g;
	struct segment_id id;
	int fd, error;
	bool failed;
	uint64_t *bodies;
	size_t n_bodies;
};

static struct keeper_job *
job_new(struct spool *s, void (*run)(struct job *), void (*done)(struct job *))
{
	struct keeper_job *k = mem_alloc(sizeof(*k));

	k->job = (struct job){ run, done, NULL };
	k->s = s;
	k->fd = -1;
	return k;
}

octets_t
disk_limit(const struct spool *s)
{
	return 2 * s->live + s->o.slack;
}

/* ---- is there room on the disk? ---- */
static bool
free_space_is(const struct spool *s, octets_t least)
{
	struct statvfs v;

	return fstatvfs(s->dir, &v) < 0 || (octets_t)v.f_bavail * v.f_frsize >= least;
}

bool
space_is_short(struct spool *s)
{
	if (deadline_passed(s->space_at)) {
		s->below_reserve = s->o.reserve > 0 && !free_space_is(s, s->o.reserve);
		s->space_at = deadline_in(1000);
	}
	return s->below_reserve;
}

bool
spool_starved(const struct spool *s)
{
	const struct stream *t = &s->streams[STREAM_HOT];

	return s->starved && s->n_spares <= RESERVE &&
	       !stream_has_room(t, (uint32_t)s->o.segment_size / 8);
}

bool
spool_full(const struct spool *s)
{
	/* Asked often: the answer is remembered, which is no change of the spool. */
	return space_is_short((struct spool *)s) || spool_starved(s);
}

/* ---- making spares ---- */
static void
make_run(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;

	if (!free_space_is(k->s, k->s->o.reserve + k->id.size))
		errno = ENOSPC;
	else
		k->fd = segment_make(k->s->dir, &k->id);
	k->error = k->fd < 0 ? errno : 0;
}

static void
try_again(void *arg)
{
	struct spool *s = arg;

	s->plan_due = true;
	spool_turn(s);
}

static void
make_done(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;
	struct spool *s = k->s;

	s->n_making--;
	if (k->error) {
		if (!s->starved)
			log_warn("spool: no room for another log segment of %u bytes: "
				 "%s; new mail "
				 "is refused when the present ones are full",
				k->id.size, strerror(k->error));
		s->starved = true;
		timer_set(&s->retry_timer, deadline_in(1000), try_again, s);
	} else {
		struct segment *g = segment_add(s, k->fd, &k->id);

		g->state = SEGMENT_SPARE;
		g->is_new = true;
		s->n_spares++;
		s->counts.made++;
		s->starved = false;
		s->plan_due = true;
	}
	mem_free(k);
	spool_turn(s);
}

static void
make_spare(struct spool *s)
{
	struct keeper_job *k = job_new(s, make_run, make_done);

	k->id = segment_next_id(s, segment_free_slot(s), (uint32_t)s->o.segment_size);
	s->n_making++;
	worker_submit(s->keeper, &k->job);
}

/* ---- freeing ---- */
static void
renumber_run(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;

	k->error = segment_renumber(k->fd, &k->id) < 0 ? errno : 0;
}

static void
renumber_done(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;
	struct spool *s = k->s;
	struct segment *g = k->g;

	if (k->error) {
		g->stuck = true;
		segment_retire(s, g, k->error);
	} else {
		account_freed(s, g);
		g->id = k->id;
		g->state = SEGMENT_SPARE;
		s->n_spares++;
		s->counts.freed++;
		s->plan_due = true;
	}
	mem_free(k);
	spool_turn(s);
}

static void
renumber(struct spool *s, void *arg)
{
	struct keeper_job *k = job_new(s, renumber_run, renumber_done);

	k->g = arg;
	k->fd = k->g->fd;
	k->id = segment_next_id(s, k->g->id.slot, k->g->id.size);
	worker_submit(s->keeper, &k->job);
}

static void
unlink_run(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;
	char name[24];

	segment_name(name, k->g->id.slot);
	if (unlinkat(k->s->dir, name, 0) < 0 || fsync(k->s->dir) < 0)
		k->error = errno;
}

static void
unlink_done(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;

	if (k->error) {
		log_warn("spool: cannot remove segment file log/%08x.seg: %s",
			k->g->id.slot, strerror(k->error));
		k->g->state = SEGMENT_RETIRED;
		k->g->stuck = true;
	} else {
		account_freed(k->s, k->g);
		segment_forget(k->s, k->g);
		k->s->plan_due = true;
	}
	spool_turn(k->s);
	mem_free(k);
}

static void
unlink_it(struct spool *s, void *arg)
{
	struct keeper_job *k = job_new(s, unlink_run, unlink_done);

	k->g = arg;
	worker_submit(s->keeper, &k->job);
}

/* Takes the file out of the log for good: a new list of segments first, or the next start
 * would miss it. */
static void
discard(struct spool *s, struct segment *g)
{
	struct build b = { 0 };
	enum segment_state before = g->state;
	uint32_t offset;

	g->state = SEGMENT_GONE;
	manifest_build(s, &b);
	if (stream_write(s, &s->streams[STREAM_HOT], &b, true, &offset) < 0)
		g->state = before;
	else {
		s->n_spares -= before == SEGMENT_SPARE;
		flush_barrier(s, unlink_it, g);
	}
	build_free(&b);
}

/* Nothing in it counts any more. What says so (newer states, copies) must be flushed
 * before it goes: see flush_barrier(). */
void
segment_free(struct spool *s, struct segment *g)
{
	if (g->state == SEGMENT_RETIRED) {
		if (!g->stuck)
			discard(s, g);
		return;
	}
	g->state = SEGMENT_FREEING;
	flush_barrier(s, renumber, g);
}

/* ---- bodies ---- */
static void
bodies_run(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;
	char name[32];

	for (size_t i = 0; i < k->n_bodies; i++) {
		body_name(name, k->bodies[i]);
		if (unlinkat(k->s->bodies, name, 0) < 0)
			k->error = errno; /* removed as an orphan at the next start */
	}
}

static void
bodies_done(struct job *j)
{
	struct keeper_job *k = (struct keeper_job *)j;

	mem_free(k->bodies);
	mem_free(k);
}

static void
bodies_remove(struct spool *s, void *arg)
{
	struct keeper_job *k = arg;

	worker_submit(s->keeper, &k->job);
}

/* The end of their messages must be flushed first: a message without its body would be
 * worse than a body without its message. */
static void
bodies_plan(struct spool *s)
{
	struct keeper_job *k;

	if (s->dead_bodies.n == 0)
		return;
	k = job_new(s, bodies_run, bodies_done);
	k->bodies = s->dead_bodies.items;
	k->n_bodies = s->dead_bodies.n;
	memset(&s->dead_bodies, 0, sizeof(s->dead_bodies));
	flush_barrier(s, bodies_remove, k);
}

/* ---- the plan ---- */
static struct segment *
any_spare(struct spool *s)
{
	for (size_t i = s->segments.n; i-- > 0;)
		if (s->segments.items[i] && s->segments.items[i]->state == SEGMENT_SPARE)
			return s->segments.items[i];
	return NULL;
}

/* A dead segment that a disk's trouble had retired leaves when there is room to say so.
 */
static struct segment *
dead_retired(const struct spool *s)
{
	for (size_t i = 0; i < s->segments.n && s->n_spares > RESERVE; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->state == SEGMENT_RETIRED && !g->stuck && segment_is_dead(g))
			return g;
	}
	return NULL;
}

void
keeper_plan(struct spool *s)
{
	struct segment *retired = s->recovery ? NULL : dead_retired(s);

	octets_t after = s->disk + s->o.segment_size;
	/* Before all is known nothing can be cleaned, and new mail needs room. */
	bool may_grow = after <= disk_limit(s) || clean_is_stuck(s) || s->recovery;

	bodies_plan(s);
	if (retired)
		discard(s, retired);
	if (s->n_spares < SPARES && s->n_making == 0 && may_grow && !s->retry_timer.place)
		make_spare(s);
	if (s->n_spares > SPARES && s->disk > disk_limit(s) && !s->recovery)
		discard(s, any_spare(s));
}
