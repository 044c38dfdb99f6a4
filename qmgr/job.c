/* job.c -- what messages have for a transport, in the order in which it is delivered. See
 * schedule.h.
 *
 * A job's place in the order is a number between those of its neighbours, so that jobs of
 * different destinations can be compared at once. Where there is no number left between
 * two, all get new ones: the order stays. */
#include "active.h"
#include "schedule_impl.h"

/* Between a job and the one that comes behind it. */
#define RANK_STEP (UINT64_C(1) << 32)

static uint64_t turns;

/* ---- the order of a transport ---- */

static void
rank_all(struct transport *t)
{
	uint64_t rank = 0;

	for (struct job *j = t->first_job; j; j = j->next)
		j->rank = rank += RANK_STEP;
}

static void
rank_between(struct job *j)
{
	uint64_t above = j->prev ? j->prev->rank : 0;
	uint64_t below = j->next ? j->next->rank : above + 2 * RANK_STEP;

	j->rank = above + (below - above) / 2;
	if (below < above || j->rank == above)
		rank_all(j->transport);
}

/* Behind `behind`, or first. */
static void
job_link(struct job *j, struct job *behind)
{
	struct transport *t = j->transport;

	j->prev = behind;
	j->next = behind ? behind->next : t->first_job;
	*(j->prev ? &j->prev->next : &t->first_job) = j;
	*(j->next ? &j->next->prev : &t->last_job) = j;
	rank_between(j);
}

static void
job_unlink(struct job *j)
{
	struct transport *t = j->transport;

	*(j->prev ? &j->prev->next : &t->first_job) = j->next;
	*(j->next ? &j->next->prev : &t->last_job) = j->prev;
	j->prev = j->next = NULL;
	j->rank = 0;
}

/* Behind those whose messages were taken up before. */
static void
job_enter(struct job *j)
{
	struct job *behind = j->transport->last_job;

	while (behind && behind->message->number > j->message->number)
		behind = behind->prev;
	job_link(j, behind);
}

/* Nothing is left of it, but perhaps what an agent loses. Those that went before it are
 * in front of it. */
static void
job_leave(struct job *j)
{
	preempt_forget(j);
	for (struct job *child = j->prev; j->children > 0; child = child->prev)
		if (child->parent == j) {
			child->parent = NULL;
			j->children--;
		}
	if (j->parent)
		j->parent->children--;
	j->parent = NULL;
	job_unlink(j);
}

/* ---- shares in the order of a destination ---- */

/* Of the first d->shares points to; the last is before it in the ring. */
static void
share_link(struct share *s, struct share *before)
{
	struct destination *d = s->to;

	if (!d->shares) {
		d->shares = s->prev = s->next = s;
		return;
	}
	s->next = before ? before : d->shares;
	s->prev = s->next->prev;
	s->prev->next = s->next->prev = s;
	if (before == d->shares) {
		d->shares = s;
		ready_moved(d);
	}
}

static void
share_unlink(struct share *s)
{
	struct destination *d = s->to;
	bool was_first = d->shares == s;

	ensure(s->next && s->prev);
	s->prev->next = s->next;
	s->next->prev = s->prev;
	if (was_first)
		d->shares = s->next == s ? NULL : s->next;
	s->prev = s->next = NULL;
	if (!d->shares && d->place)
		ready_remove(d);
	else if (was_first)
		ready_moved(d);
}

/* The share behind which one of j belongs, from the end: what comes late is late. NULL:
 * it is the first. */
static struct share *
share_before(const struct destination *d, const struct job *j)
{
	struct share *s;

	if (!d->shares || d->shares->job->rank > j->rank)
		return NULL;
	for (s = d->shares->prev; s->job->rank > j->rank;)
		s = s->prev;
	return s;
}

static void
share_enter(struct share *s)
{
	struct destination *d = s->to;
	struct share *behind = share_before(d, s->job);

	share_link(s, !behind                     ? d->shares
		      : behind->next == d->shares ? NULL
						  : behind->next);
}

static struct job *
job_get(struct active *a, struct transport *t)
{
	struct job *j = a->jobs;

	while (j && j->transport != t)
		j = j->sibling;
	if (j)
		return j;
	j = arena_alloc(a->arena, sizeof(*j));
	j->message = a;
	j->transport = t;
	j->sibling = a->jobs;
	a->jobs = j;
	return j;
}

struct share *
share_get(struct active *a, struct destination *d)
{
	struct job *j = job_get(a, d->transport);
	struct share *s;

	if (j->rank == 0)
		job_enter(j);
	s = share_before(d, j);
	if (s && s->job == j)
		return s;
	s = arena_alloc(a->arena, sizeof(*s));
	s->job = j;
	s->to = d;
	s->more = j->shares;
	j->shares = s;
	s->turn = ++turns;
	share_enter(s);
	return s;
}

/* ---- recipients, and the deliveries that they take ---- */

/* How many one delivery has at most. */
static uint32_t
batch_limit(const struct share *s)
{
	uint32_t limit = s->job->transport->recipient_limit;

	return s->job->message->verp.len ? 1 : limit ? limit : UINT32_MAX;
}

static uint32_t
deliveries(const struct share *s)
{
	return (uint32_t)(((uint64_t)s->n + batch_limit(s) - 1) / batch_limit(s));
}

/* They all hear of the same sender; deliveries() does not count what that takes in
 * further ones. */
uint32_t
share_batch(const struct share *s)
{
	const struct active *a = s->job->message;
	const struct rcpt *rcpts = a->envelope.rcpts;
	uint32_t most = MIN(s->n, batch_limit(s)), n = 1, at = s->first;

	if (a->srs.len == 0)
		return most;
	for (; n < most; n++) {
		at = a->chain[at];
		if (rcpts[at].forwarded != rcpts[s->first].forwarded)
			break;
	}
	return n;
}

/* Changes how many recipients it has. */
static void
share_set(struct share *s, uint32_t n)
{
	struct job *j = s->job;
	uint32_t before = deliveries(s), after;

	s->n = n;
	after = deliveries(s);
	j->left += after - before;
	s->to->left += after - before;
	if (n == 0)
		share_unlink(s);
	/* It keeps its place for recipients that are still to come. */
	if (j->left == 0 && j->message->unrouted == 0)
		job_leave(j);
}

void
job_release(struct job *j, uint32_t n)
{
	j->recipients -= n;
	j->transport->pool.used -= n;
}

void
share_add(struct share *s, uint32_t rcpt)
{
	s->job->recipients++;
	s->job->transport->pool.used++;
	if (s->n == 0)
		s->first = rcpt;
	else
		s->job->message->chain[s->last] = rcpt;
	s->last = rcpt;
	share_set(s, s->n + 1);
	preempt_look_again(s->job->transport);
}

void
share_take(struct share *s, uint32_t n, uint32_t *out)
{
	struct job *j = s->job;

	for (uint32_t i = 0; i < n; i++) {
		out[i] = s->first;
		s->first = j->message->chain[s->first];
	}
	j->taken++;
	j->slots++;
	s->turn = ++turns;
	share_set(s, s->n - n);
	if (s->n > 0)
		ready_moved(s->to);
}

void
share_drop(struct share *s)
{
	job_release(s->job, s->n);
	share_set(s, 0);
}

void
jobs_are_complete(struct active *a)
{
	for (struct job *j = a->jobs; j; j = j->sibling) {
		j->transport->pool.extra_used -= j->extra;
		j->extra = 0;
		if (j->rank > 0 && j->left == 0)
			job_leave(j);
	}
}

void
jobs_count_again(struct transport *t)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(t->destinations, &at, &key, &d))
		((struct destination *)d)->left = 0;
	for (struct job *j = t->first_job; j; j = j->next) {
		j->left = 0;
		for (const struct share *s = j->shares; s; s = s->more)
			if (s->n > 0) {
				j->left += deliveries(s);
				s->to->left += deliveries(s);
			}
	}
}

/* ---- out of turn ---- */

void
job_go_before(struct job *j, struct job *before)
{
	ensure(j->rank > 0 && before->rank > 0 && j != before);
	if (j->parent)
		j->parent->children--;
	j->parent = before;
	before->children++;
	for (struct share *s = j->shares; s; s = s->more)
		if (s->n > 0)
			share_unlink(s);
	job_unlink(j);
	job_link(j, before->prev);
	for (struct share *s = j->shares; s; s = s->more)
		if (s->n > 0) {
			share_enter(s);
			destination_consider(s->to);
		}
}
