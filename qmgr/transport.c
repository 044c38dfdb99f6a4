/* transport.c -- transports and their workers: what a transport's parameters are, who
 * delivers for it, and what happens when nobody does. See schedule.h. */
#include "log.h"
#include "outside.h"
#include "schedule_impl.h"
#include "ticker.h"
#include <errno.h>

/* How long a worker may take from the first connection to its registration. */
#define START_PATIENCE ((msec_t)30000)
/* A reload may have ended the one that was started before it could register. */
#define ASK_EVERY ((msec_t)1000)

/* ---- parameters ---- */

static struct feedback
feedback_or_one(struct str transport, const char *which, struct str text)
{
	struct feedback f;

	if (feedback_parse(text, &f) == 0)
		return f;
	log_warn(STR_FMT "_destination_concurrency_%s_feedback: ignoring malformed or "
			 "unreasonable feedback: " STR_FMT,
		STR_ARG(transport), which, STR_ARG(text));
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

void
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
		.positive = feedback_or_one(t->name, "positive",
			conf_transport_str(
				c, t->name, "destination_concurrency_positive_feedback")),
		.negative = feedback_or_one(t->name, "negative",
			conf_transport_str(
				c, t->name, "destination_concurrency_negative_feedback")),
	};
	t->rules.initial = MAX(t->rules.initial, 1);
	t->recipient_limit =
		(uint32_t)conf_transport_int(c, t->name, "destination_recipient_limit");
	t->slot_rules = (struct slot_rules){
		.cost = conf_transport_int(c, t->name, "delivery_slot_cost"),
		.loan = conf_transport_int(c, t->name, "delivery_slot_loan"),
		.discount = conf_transport_int(c, t->name, "delivery_slot_discount"),
		.minimum = conf_transport_int(c, t->name, "minimum_delivery_slots"),
	};
	t->pool.most = conf_transport_int(c, t->name, "recipient_limit");
	t->pool.extra = conf_transport_int(c, t->name, "extra_recipient_limit");
	t->pool.refill = conf_transport_int(c, t->name, "recipient_refill_limit");
	t->pool.refill_delay = conf_transport_time(c, t->name, "recipient_refill_delay");
	t->rate_delay = conf_transport_time(c, t->name, "destination_rate_delay");
	t->transport_rate_delay = conf_transport_time(c, t->name, "transport_rate_delay");
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
transport_free(struct transport *t)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(t->destinations, &at, &key, &d)) {
		timer_cancel(&((struct destination *)d)->rest);
		mem_free(d);
	}
	timer_cancel(&t->rest);
	map_free(t->destinations);
	for (size_t i = 0; i < t->workers.n; i++)
		mem_free(t->workers.items[i]);
	vec_free(&t->workers);
	vec_free(&t->ready);
	mem_free(t);
}

/* ---- resting, starting and dying ---- */

bool
transport_rests(const struct transport *t)
{
	return t->transport_rate_delay > 0 && (t->flights > 0 || t->rest.place != 0);
}

static void
transport_rested(void *arg)
{
	(void)arg;
	schedule_soon();
}

/* Counted from the end of a delivery, as a destination's. */
void
transport_rest(struct transport *t)
{
	timer_set(&t->rest, deadline_in(t->transport_rate_delay), transport_rested, t);
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
ask_for_worker(struct transport *t, deadline_t now)
{
	t->ask_again = now + ASK_EVERY;
	ticker_touch();
	outside.start_worker(t);
}

void
transport_want_worker(struct transport *t)
{
	if (t->state != TRANSPORT_IDLE || has_workers(t))
		return;
	t->state = TRANSPORT_STARTING;
	t->start_until = event_now() + START_PATIENCE;
	ask_for_worker(t, event_now());
}

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

deadline_t
transport_tick(struct transport *t, deadline_t now)
{
	if (t->state == TRANSPORT_DEAD && now >= t->dead_until)
		t->state = TRANSPORT_IDLE;
	if (t->state == TRANSPORT_STARTING && now >= t->start_until)
		transport_die(t, "no delivery agent answered");
	if (t->state == TRANSPORT_STARTING && now >= t->ask_again)
		ask_for_worker(t, now);
	return t->state == TRANSPORT_DEAD ? t->dead_until
	       : t->state == TRANSPORT_STARTING
		       ? deadline_least(t->start_until, t->ask_again)
		       : DEADLINE_NEVER;
}

/* ---- workers ---- */

/* Who went there last, if it has room: it may have a connection open. Else the one with
 * most room; among equals always the same for a next hop, for the same reason. */
struct worker *
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

bool
transport_has_room(const struct transport *t)
{
	for (size_t i = 0; i < t->workers.n; i++)
		if (t->workers.items[i]->busy < t->workers.items[i]->slots)
			return true;
	return false;
}

/* One that takes no more, and has answered all it took, may end. */
void
worker_dismiss(struct worker *w)
{
	if (w->slots == 0 && w->busy == 0)
		ipc_link_close(w->link);
}

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
	schedule_soon();
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
	schedule_soon();
}
