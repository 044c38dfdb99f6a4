/* schedule.c -- see schedule.h. */
#include "schedule_impl.h"
#include "active.h"
#include "delivery.h"
#include "outside.h"

struct schedule schedule;

static struct {
	size_t flights;
	bool paused;
	struct event_later later;
} running;

static void schedule_run(void *arg);

void
schedule_soon(void)
{
	running.later.fn = schedule_run;
	event_at_turn_end(&running.later);
}

void
schedule_init(void)
{
	memset(&schedule, 0, sizeof(schedule));
	schedule.transports = map_new();
}

void
schedule_reload(void)
{
	size_t at = 0;
	struct str name;
	void *t;

	while (map_next(schedule.transports, &at, &name, &t))
		transport_configure(t);
	schedule_soon();
}

void
schedule_free(void)
{
	size_t at = 0;
	struct str name;
	void *t;

	while (map_next(schedule.transports, &at, &name, &t))
		transport_free(t);
	map_free(schedule.transports);
	event_later_cancel(&running.later);
}

/* ---- jobs ---- */

static struct job *
job_for(struct active *a, struct destination *d)
{
	struct job *j;

	/* The message's recipients are added in one go: its job is at the end of the
	 * ring. */
	if (d->jobs && d->jobs->prev->message == a)
		return d->jobs->prev;
	for (j = a->jobs; j; j = j->sibling)
		if (j->to == d && j->n > 0)
			return j;
	j = arena_alloc(a->arena, sizeof(*j));
	j->message = a;
	j->to = d;
	j->sibling = a->jobs;
	a->jobs = j;
	job_link(j);
	return j;
}

void
schedule_add(struct active *a, struct destination *d, uint32_t n)
{
	struct job *j = job_for(a, d);

	if (j->n++ == 0)
		j->first = n;
	else
		a->chain[j->last] = n;
	j->last = n;
	d->waiting++;
	d->transport->waiting++;
	destination_consider(d);
	schedule_soon();
}

void
schedule_cancel(struct active *a)
{
	for (struct job *j = a->jobs; j; j = j->sibling) {
		if (!j->n)
			continue;
		job_unlink(j);
		j->to->waiting -= j->n;
		j->to->transport->waiting -= j->n;
		j->n = 0;
		destination_consider(j->to);
	}
	a->jobs = NULL;
}

/* ---- choosing ---- */

static struct flight *
flight_take(struct destination *d, struct worker *w)
{
	struct job *j = d->jobs;
	uint32_t limit = d->transport->recipient_limit;
	uint32_t n = j->message->verp.len ? 1 : limit ? MIN(j->n, limit) : j->n;
	struct flight *f = mem_alloc(sizeof(*f) + n * sizeof(f->rcpts[0]));

	f->message = j->message;
	f->to = d;
	f->worker = w;
	for (; f->n < n; f->n++) {
		f->rcpts[f->n] = j->first;
		j->first = j->message->chain[j->first];
	}
	j->n -= n;
	d->waiting -= n;
	d->transport->waiting -= n;
	if (j->n == 0)
		job_unlink(j);
	else
		d->jobs = j->next; /* the next message's turn */
	return f;
}

static void
flight_begin(struct destination *d, struct worker *w)
{
	struct flight *f = flight_take(d, w);

	d->busy++;
	d->transport->flights++;
	d->last = w;
	w->busy++;
	running.flights++;
	f->message->flights++;
	/* To the end of the line. */
	if (d->listed)
		ready_remove(d);
	destination_consider(d);
	delivery_begin(f);
}

static void
transport_run(struct transport *t)
{
	struct worker *w;

	if (t->ready_first)
		transport_want_worker(t);
	while (t->ready_first && !transport_rests(t) &&
		(w = worker_for(t, t->ready_first)))
		flight_begin(t->ready_first, w);
}

static void
schedule_run(void *arg)
{
	size_t at = 0;
	struct str name;
	void *t;

	(void)arg;
	if (running.paused)
		return;
	while (map_next(schedule.transports, &at, &name, &t))
		transport_run(t);
}

void
schedule_pause(bool pause)
{
	running.paused = pause;
	if (!pause)
		schedule_soon();
}

size_t
schedule_flights(void)
{
	return running.flights;
}

/* ---- the end of a delivery ---- */

void
flight_ended(struct flight *f, enum flight_end how, const struct why *why)
{
	struct destination *d = f->to;

	running.flights--;
	d->busy--;
	d->transport->flights--;
	f->worker->busy--;
	worker_dismiss(f->worker);
	mem_free(f);
	if (how == FLIGHT_TALKED)
		destination_succeeded(d);
	else if (how == FLIGHT_SITE_DOWN)
		destination_failed(d, why);
	if (d->transport->transport_rate_delay > 0)
		transport_rest(d->transport);
	if (d->transport->rate_delay > 0)
		destination_rest(d);
	destination_consider(d);
	schedule_soon();
}

/* ---- time ---- */

deadline_t
schedule_tick(deadline_t now)
{
	deadline_t next = DEADLINE_NEVER;
	size_t at = 0;
	struct str name;
	void *t;

	while (schedule.dead && schedule.dead->dead_until <= now)
		first_dead_lives();
	if (schedule.dead)
		next = schedule.dead->dead_until;
	while (map_next(schedule.transports, &at, &name, &t))
		next = deadline_least(next, transport_tick(t, now));
	return next;
}

void
schedule_revive(void)
{
	size_t at = 0;
	struct str name;
	void *p;

	while (schedule.dead)
		first_dead_lives();
	while (map_next(schedule.transports, &at, &name, &p)) {
		struct transport *t = p;

		if (t->state == TRANSPORT_DEAD)
			t->state = TRANSPORT_IDLE;
	}
	schedule_soon();
}
