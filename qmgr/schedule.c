/* schedule.c -- see schedule.h. */
#include "schedule_impl.h"
#include "active.h"
#include "delivery.h"
#include "exchangers.h"
#include "outside.h"
#include "shaping.h"
#include "throttle.h"

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

	while (map_next(schedule.transports, &at, &name, &t)) {
		transport_configure(t);
		jobs_count_again(t);
		destinations_shape(t);
	}
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
	throttles_free();
	exchangers_free();
	event_later_cancel(&running.later);
}

/* ---- jobs ---- */

void
schedule_add(struct active *a, struct destination *d, uint32_t n)
{
	share_add(share_get(a, d), n);
	destination_warn(d);
	destination_consider(d);
	schedule_soon();
}

void
schedule_cancel(struct active *a)
{
	for (struct job *j = a->jobs; j; j = j->sibling)
		for (struct share *s = j->shares; s; s = s->more)
			if (s->n > 0) {
				share_drop(s);
				destination_consider(s->to);
			}
}

void
schedule_suspend(void)
{
	size_t at = 0;
	struct str name;
	void *t;

	while (map_next(schedule.transports, &at, &name, &t))
		destinations_suspend(t);
}

void
schedule_each(void (*fn)(const struct destination *d, void *arg), void *arg)
{
	size_t at = 0, place;
	struct str name;
	void *t, *d;

	while (map_next(schedule.transports, &at, &name, &t)) {
		place = 0;
		while (map_next(((struct transport *)t)->destinations, &place, &name, &d))
			fn(d, arg);
	}
}

/* ---- choosing ---- */

static struct flight *
flight_take(struct destination *d, struct worker *w)
{
	struct share *s = d->shares;
	uint32_t n = share_batch(s);
	struct flight *f = mem_alloc(sizeof(*f) + n * sizeof(f->rcpts[0]));

	f->message = s->job->message;
	f->job = s->job;
	f->to = d;
	f->worker = w;
	f->throttle = d->throttle;
	f->news = d->throttle ? d->throttle->news : 0;
	f->n = n;
	share_take(s, n, f->rcpts);
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
	throttle_began(f->throttle);
	destination_consider(d);
	delivery_begin(f);
}

static void
transport_run(struct transport *t)
{
	struct destination *d;

	if (ready_first(t))
		transport_want_worker(t);
	while (ready_first(t) && !transport_rests(t) && transport_has_room(t)) {
		/* What goes before it has a destination that is ready, too. */
		preempt(ready_first(t)->shares->job);
		d = ready_first(t);
		flight_begin(d, worker_for(t, d));
	}
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
schedule_recipients(void)
{
	size_t at = 0, sum = 0;
	struct str name;
	void *t;

	while (map_next(schedule.transports, &at, &name, &t))
		sum += (size_t)((struct transport *)t)->pool.used;
	return sum;
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
	struct throttle *throttle = f->throttle;

	running.flights--;
	d->busy--;
	d->transport->flights--;
	job_release(f->job, f->n);
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
	if (shaping_is_stale(d))
		shaping_look(d);
	destination_consider(d);
	throttle_ended(throttle);
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
