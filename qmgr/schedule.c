/* schedule.c -- see schedule.h. */
#include "schedule.h"
#include "active.h"
#include "delivery.h"
#include "log.h"
#include "outside.h"
#include "ticker.h"
#include <errno.h>

/* How long a worker may take from the first connection to its registration. */
#define START_PATIENCE ((msec_t)30000)

static struct {
	struct map *transports;
	struct destination *dead; /* ring in the order of dead_until (one span for all) */
	size_t flights;
	bool paused;
	struct event_later later;
} schedule;

static void schedule_run(void *arg);
static void destination_consider(struct destination *d);

static void
run_later(void)
{
	schedule.later.fn = schedule_run;
	event_at_turn_end(&schedule.later);
}

/* ---- transports ---- */

static struct feedback
feedback_or_one(struct str transport, struct str text)
{
	struct feedback f;

	if (feedback_parse(text, &f) == 0)
		return f;
	log_warn("transport " STR_FMT ": bad concurrency feedback: " STR_FMT
		 " (specify a number from 0 to 1, 1/concurrency or 1/sqrt_concurrency)",
		STR_ARG(transport), STR_ARG(text));
	return (struct feedback){ FEEDBACK_FIXED, 1 };
}

bool
transport_is_deferred(struct str name)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct strs deferred = conf_list(outside.conf->p.defer_transports, scratch);

	for (size_t i = 0; i < deferred.n; i++)
		if (str_eq(deferred.items[i], name))
			return true;
	return false;
}

static void
transport_configure(struct transport *t)
{
	const struct conf *c = outside.conf;

	t->rules = (struct window_rules){
		.initial = (int)conf_transport_int(
			c, t->name, "initial_destination_concurrency"),
		.limit = (int)conf_transport_int(
			c, t->name, "destination_concurrency_limit"),
		.cohort_limit = (int)conf_transport_int(
			c, t->name, "destination_concurrency_failed_cohort_limit"),
		.positive = feedback_or_one(t->name,
			conf_transport_str(c, t->name,
				"destination_concurrency_positive_feedback")),
		.negative = feedback_or_one(t->name,
			conf_transport_str(c, t->name,
				"destination_concurrency_negative_feedback")),
	};
	t->rules.initial = MAX(t->rules.initial, 1);
	t->recipient_limit =
		(uint32_t)conf_transport_int(c, t->name, "destination_recipient_limit");
	t->rate_delay = conf_transport_time(c, t->name, "destination_rate_delay");
	if (t->rate_delay > 0)
		t->rules.limit = t->rules.initial = 1;
	t->deferred = transport_is_deferred(t->name);
}

struct transport *
transport_get(struct str name)
{
	struct transport *t = map_get(schedule.transports, name);

	if (t)
		return t;
	t = mem_alloc(sizeof(*t) + name.len);
	memcpy((char *)(t + 1), name.data, name.len);
	t->name = str_of(t + 1, name.len);
	t->destinations = map_new();
	transport_configure(t);
	map_set(schedule.transports, t->name, t);
	return t;
}

bool
transport_is_dead(const struct transport *t)
{
	return t->state == TRANSPORT_DEAD;
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
	run_later();
}

/* ---- lists ---- */

static void
ready_add(struct destination *d)
{
	struct transport *t = d->transport;

	d->listed = true;
	d->next = NULL;
	d->prev = t->ready_last;
	if (t->ready_last)
		t->ready_last->next = d;
	else
		t->ready_first = d;
	t->ready_last = d;
}

static void
ready_remove(struct destination *d)
{
	struct transport *t = d->transport;

	d->listed = false;
	if (d->prev)
		d->prev->next = d->next;
	else
		t->ready_first = d->next;
	if (d->next)
		d->next->prev = d->prev;
	else
		t->ready_last = d->prev;
	d->prev = d->next = NULL;
}

static void
dead_add(struct destination *d)
{
	struct destination *first = schedule.dead;

	if (!first) {
		schedule.dead = d->prev = d->next = d;
		return;
	}
	d->next = first;
	d->prev = first->prev;
	d->prev->next = first->prev = d;
}

static void
dead_remove(struct destination *d)
{
	if (d->next == d) {
		schedule.dead = NULL;
	} else {
		d->prev->next = d->next;
		d->next->prev = d->prev;
		if (schedule.dead == d)
			schedule.dead = d->next;
	}
	d->prev = d->next = NULL;
}

static void
job_link(struct job *j)
{
	struct destination *d = j->to;

	if (!d->jobs) {
		d->jobs = j->prev = j->next = j;
		return;
	}
	j->next = d->jobs;
	j->prev = d->jobs->prev;
	j->prev->next = d->jobs->prev = j;
}

static void
job_unlink(struct job *j)
{
	struct destination *d = j->to;

	ensure(j->next && j->prev);
	if (j->next == j) {
		d->jobs = NULL;
	} else {
		j->prev->next = j->next;
		j->next->prev = j->prev;
		if (d->jobs == j)
			d->jobs = j->next;
	}
	j->prev = j->next = NULL;
}

/* ---- destinations ---- */

struct destination *
destination_get(struct transport *t, struct str nexthop, struct str recipient)
{
	/* With one recipient for each delivery the queue is the recipient's: two letters
	 * to one mailbox are what the limit means then. */
	struct str key = t->recipient_limit == 1 ? recipient : nexthop;
	struct destination *d;
	char *text;

	if (t->recipient_limit != 1 && (d = map_get(t->destinations, key)))
		return d;
	struct arena *scratch CLEANUP(arena_free_at) = NULL;
	if (t->recipient_limit == 1) {
		scratch = arena_new();
		key = arena_lower(scratch, arena_printf(scratch, STR_FMT " " STR_FMT,
						   STR_ARG(recipient), STR_ARG(nexthop)));
		if ((d = map_get(t->destinations, key)))
			return d;
	}
	d = mem_alloc(sizeof(*d) + key.len + nexthop.len);
	text = (char *)(d + 1);
	memcpy(text, key.data, key.len);
	if (nexthop.len)
		memcpy(text + key.len, nexthop.data, nexthop.len);
	d->key = str_of(text, key.len);
	d->nexthop = str_of(text + key.len, nexthop.len);
	d->transport = t;
	window_open(&d->window, &t->rules);
	map_set(t->destinations, d->key, d);
	return d;
}

bool
destination_is_dead(const struct destination *d)
{
	return d->window.size == 0;
}

/* Puts d where it belongs: among the ready, nowhere, or away. */
static void
destination_consider(struct destination *d)
{
	bool may = d->jobs && d->busy < d->window.size && d->rest.place == 0;

	if (destination_is_dead(d))
		return;
	if (may && !d->listed)
		ready_add(d);
	else if (!may && d->listed)
		ready_remove(d);
	if (!d->jobs && d->busy == 0 && d->rest.place == 0) {
		map_set(d->transport->destinations, d->key, NULL);
		mem_free(d);
	}
}

static void
destination_rested(void *arg)
{
	destination_consider(arg);
	run_later();
}

/* <transport>_destination_rate_delay, counted from the end of a delivery. */
static void
destination_rest(struct destination *d)
{
	timer_set(&d->rest, deadline_in(d->transport->rate_delay), destination_rested, d);
}

/* Everything queued for d ends here, for this attempt. */
static void
destination_defer_jobs(struct destination *d, const char *code, struct str text)
{
	while (d->jobs) {
		struct job *j = d->jobs;
		struct active *a = j->message;
		uint32_t n = j->n, at = j->first;

		job_unlink(j);
		d->waiting -= n;
		d->transport->waiting -= n;
		j->n = 0;
		while (n-- > 0) {
			uint32_t after = a->chain[at];

			/* The last one may end the message, and its arena. */
			active_settle_here(a, at, TEMPFAIL, code, text);
			at = after;
		}
	}
}

static void
destination_die(struct destination *d, const struct why *why)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();

	d->why = *why;
	d->dead_until = event_now() + outside.conf->p.minimal_backoff_time;
	if (d->listed)
		ready_remove(d);
	dead_add(d);
	ticker_touch();
	destination_defer_jobs(d, why->code,
		arena_printf(scratch, "delivery temporarily suspended: %s", why->text));
}

/* The caller lets destination_consider() follow. */
static void
destination_revive(struct destination *d)
{
	dead_remove(d);
	window_open(&d->window, &d->transport->rules);
}

static void
first_dead_lives(void)
{
	struct destination *d = schedule.dead;

	destination_revive(d);
	destination_consider(d);
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
	run_later();
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

/* Who went there last, if it has room: it may have a connection open. Else the one with
 * most room; among equals always the same for a next hop, for the same reason. */
static struct worker *
worker_for(const struct transport *t, const struct destination *d)
{
	struct worker *best = NULL;
	size_t first = t->workers.n > 1 ? str_hash(d->nexthop) % t->workers.n : 0;

	for (size_t i = 0; i < t->workers.n; i++) {
		struct worker *w = t->workers.items[(first + i) % t->workers.n];

		if (w->busy >= w->slots)
			continue;
		if (w == d->last)
			return w;
		if (!best || w->slots - w->busy > best->slots - best->busy)
			best = w;
	}
	return best;
}

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
	d->last = w;
	w->busy++;
	schedule.flights++;
	f->message->flights++;
	/* To the end of the line. */
	if (d->listed)
		ready_remove(d);
	destination_consider(d);
	delivery_begin(f);
}

static bool
has_workers(const struct transport *t)
{
	for (size_t i = 0; i < t->workers.n; i++)
		if (t->workers.items[i]->slots > 0)
			return true;
	return false; /* none, or they are about to leave */
}

static void
transport_want_worker(struct transport *t)
{
	if (t->state != TRANSPORT_IDLE || has_workers(t))
		return;
	t->state = TRANSPORT_STARTING;
	t->start_until = event_now() + START_PATIENCE;
	ticker_touch();
	outside.start_worker(t);
}

static void
transport_run(struct transport *t)
{
	struct worker *w;

	if (t->ready_first)
		transport_want_worker(t);
	while (t->ready_first && (w = worker_for(t, t->ready_first)))
		flight_begin(t->ready_first, w);
}

static void
schedule_run(void *arg)
{
	size_t at = 0;
	struct str name;
	void *t;

	(void)arg;
	if (schedule.paused)
		return;
	while (map_next(schedule.transports, &at, &name, &t))
		transport_run(t);
}

void
schedule_pause(bool pause)
{
	schedule.paused = pause;
	if (!pause)
		run_later();
}

size_t
schedule_flights(void)
{
	return schedule.flights;
}

/* ---- the end of a delivery ---- */

/* One that takes no more, and has answered all it took, may end. */
static void
worker_dismiss(struct worker *w)
{
	if (w->slots == 0 && w->busy == 0)
		ipc_link_close(w->link);
}

void
flight_ended(struct flight *f, enum flight_end how, const struct why *why)
{
	struct destination *d = f->to;
	struct window_rules *rules = &d->transport->rules;

	schedule.flights--;
	d->busy--;
	f->worker->busy--;
	worker_dismiss(f->worker);
	mem_free(f);
	if (how == FLIGHT_TALKED && destination_is_dead(d))
		destination_revive(d); /* it ended late, and well */
	else if (how == FLIGHT_TALKED)
		window_succeeded(&d->window, rules, d->busy + 1);
	else if (how == FLIGHT_SITE_DOWN && window_failed(&d->window, rules))
		destination_die(d, why);
	if (d->transport->rate_delay > 0)
		destination_rest(d);
	destination_consider(d);
	run_later();
}

/* ---- time ---- */

static void
transport_die(struct transport *t, const char *error)
{
	size_t at = 0;
	struct str key;
	void *d;

	log_line(QMGR_TRANSPORT, t->name, str_c(error));
	t->state = TRANSPORT_DEAD;
	t->dead_until = event_now() + outside.conf->p.transport_retry_time;
	ticker_touch();
	while (map_next(t->destinations, &at, &key, &d)) {
		destination_defer_jobs(d, "4.3.0", STR("mail transport unavailable"));
		destination_consider(d); /* may remove it, which map_next allows */
	}
}

void
transport_started(struct transport *t, int error)
{
	if (error && t->state == TRANSPORT_STARTING)
		transport_die(t, strerror(error));
}

static deadline_t
transport_tick(struct transport *t, deadline_t now)
{
	if (t->state == TRANSPORT_DEAD && now >= t->dead_until)
		t->state = TRANSPORT_IDLE;
	if (t->state == TRANSPORT_STARTING && now >= t->start_until)
		transport_die(t, "no delivery agent answered");
	return t->state == TRANSPORT_DEAD       ? t->dead_until
	       : t->state == TRANSPORT_STARTING ? t->start_until
						: DEADLINE_NEVER;
}

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
	run_later();
}

/* ---- workers ---- */

static struct worker *
worker_on(struct ipc_link *link)
{
	return ipc_link_own(link);
}

void
worker_ready(
	struct ipc_link *link, const char *program, struct str transport, uint32_t slots)
{
	struct worker *w = worker_on(link);

	if (!w) {
		w = mem_alloc(sizeof(*w));
		w->link = link;
		w->transport = transport_get(transport);
		w->reads_content = strcmp(program, "error") != 0;
		*vec_push(&w->transport->workers) = w;
		ipc_link_set_own(link, w);
	}
	w->slots = slots;
	if (slots > 0)
		w->transport->state = TRANSPORT_IDLE;
	else
		worker_dismiss(w);
	run_later();
}

/* No destination may think of it any more. */
static void
forget_worker(struct transport *t, const struct worker *w)
{
	size_t at = 0;
	struct str key;
	void *p;

	while (map_next(t->destinations, &at, &key, &p)) {
		struct destination *d = p;

		if (d->last == w)
			d->last = NULL;
	}
	for (size_t i = 0; i < t->workers.n; i++)
		if (t->workers.items[i] == w)
			t->workers.items[i--] = t->workers.items[--t->workers.n];
}

/* Its calls have failed already: nothing of it is under way. */
void
worker_gone(struct ipc_link *link)
{
	struct worker *w = worker_on(link);

	if (!w)
		return;
	ipc_link_set_own(link, NULL);
	forget_worker(w->transport, w);
	mem_free(w);
	run_later();
}

static void
transport_free(struct transport *t)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(t->destinations, &at, &key, &d)) {
		timer_cancel(&((struct destination *)d)->rest);
		mem_free(d);
	}
	map_free(t->destinations);
	for (size_t i = 0; i < t->workers.n; i++)
		mem_free(t->workers.items[i]);
	vec_free(&t->workers);
	mem_free(t);
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
	event_later_cancel(&schedule.later);
}
