/* destination.c -- destinations: which of them may deliver now, which rest and which are
 * dead. See schedule.h. */
#include "active.h"
#include "log.h"
#include "outside.h"
#include "schedule_impl.h"
#include "shaping.h"
#include "suspend.h"
#include "throttle.h"
#include "ticker.h"

/* ---- the dead ---- */

static void
dead_add(struct destination *d)
{
	struct destination *first = schedule.dead;

	schedule.n_dead++;
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
	schedule.n_dead--;
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
	shaping_look(d);
	return d;
}

bool
destination_is_dead(const struct destination *d)
{
	return d->window.size == 0;
}

bool
destination_has_room(const struct destination *d)
{
	return d->busy < d->window.size && d->rest.place == 0 && !d->looking &&
	       (!d->throttle || d->throttle->open);
}

/* Puts d where it belongs: among the ready, nowhere, or away. */
void
destination_consider(struct destination *d)
{
	bool may = d->shares && destination_has_room(d);

	if (destination_is_dead(d))
		return;
	if (may && !d->place)
		ready_add(d);
	else if (!may && d->place)
		ready_remove(d);
	if (!d->shares && d->busy == 0 && d->rest.place == 0 && !d->looking) {
		throttle_leave(d);
		map_set(d->transport->destinations, d->key, NULL);
		mem_free(d);
	}
}

static void
destination_rested(void *arg)
{
	destination_consider(arg);
	schedule_soon();
}

/* <transport>_destination_rate_delay, counted from the end of a delivery. */
void
destination_rest(struct destination *d)
{
	timer_set(&d->rest, deadline_in(d->transport->rate_delay), destination_rested, d);
}

/* Everything queued for d ends here, for this attempt. */
void
destination_defer_jobs(struct destination *d, const char *code, struct str text)
{
	while (d->shares) {
		struct share *s = d->shares;
		struct active *a = s->job->message;
		uint32_t n = s->n, at = s->first;

		share_drop(s);
		while (n-- > 0) {
			uint32_t after = a->chain[at];

			/* The last one may end the message, and its arena. */
			active_settle_here(a, at, TEMPFAIL, code, text);
			at = after;
		}
	}
}

static void
destination_suspend(struct destination *d)
{
	const struct suspension *s = suspend_why(d->transport->name, d->nexthop);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();

	if (!s)
		return;
	for (const struct share *share = d->shares; share;) {
		share->job->message->message->suspended = true;
		share = share->next == d->shares ? NULL : share->next;
	}
	destination_defer_jobs(d, "4.3.2", suspend_text(s, scratch));
	destination_consider(d);
}

void
destinations_shape(struct transport *t)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(t->destinations, &at, &key, &d)) {
		shaping_look(d);
		destination_consider(d);
	}
}

void
destinations_suspend(struct transport *t)
{
	size_t at = 0;
	struct str key;
	void *d;

	while (map_next(t->destinations, &at, &key, &d))
		destination_suspend(d); /* may remove it, which map_next allows */
}

void
destination_die(struct destination *d, const struct why *why)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();

	d->why = *why;
	d->window.size = 0;
	d->dead_until = event_now() + outside.conf->p.minimal_backoff_time;
	if (d->place)
		ready_remove(d);
	dead_add(d);
	if (schedule.n_dead > (size_t)outside.conf->p.qmgr_message_recipient_limit)
		first_dead_lives();
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

void
first_dead_lives(void)
{
	struct destination *d = schedule.dead;

	destination_revive(d);
	destination_consider(d);
}

/* ---- the window ---- */

/* For destination_concurrency_feedback_debug, in Postfix's words. */
static void
window_debug(const struct destination *d, const char *function)
{
	const struct window *w = &d->window;

	if (!outside.conf->p.destination_concurrency_feedback_debug)
		return;
	if (w->step >= 0)
		log_line(QMGR_FEEDBACK, str_c(function), log_fmt("%g", w->step));
	log_line(QMGR_WINDOW, str_c(function), d->key, log_num(d->transport->rules.limit),
		log_num(w->size), log_fmt("%g", w->success), log_fmt("%g", w->credit),
		log_fmt("%g", w->cohorts));
}

void
destination_succeeded(struct destination *d)
{
	if (destination_is_dead(d))
		destination_revive(d); /* it ended late, and well */
	else
		window_succeeded(&d->window, &d->transport->rules, d->busy + 1);
	window_debug(d, "qmgr_queue_unthrottle");
}

void
destination_failed(struct destination *d, const struct why *why)
{
	bool dead = window_failed(&d->window, &d->transport->rules);

	window_debug(d, "qmgr_queue_throttle");
	if (dead)
		destination_die(d, why);
}
