/* attempt.c -- the end of an attempt: what is over, what the sender is told, and when the
 * rest is tried again. */
#include "active_impl.h"
#include "backoff.h"
#include "events.h"
#include "log.h"
#include "outside.h"
#include "store.h"
#include "ticker.h"

static struct backoff_rules
backoff(void)
{
	const struct params *p = &outside.conf->p;

	return (struct backoff_rules){ .least = p->minimal_backoff_time,
		.most = p->maximal_backoff_time,
		.run_delay = p->queue_run_delay,
		.lifetime = p->maximal_queue_lifetime,
		.bounce_lifetime = p->bounce_queue_lifetime };
}

static msec_t
age_of(const struct active *a)
{
	int64_t age = (outside.now_us() - (int64_t)a->message->arrival_us) / 1000;

	return MAX(age, 0); /* a clock that was set back */
}

/* What was deferred has been so for too long: it failed. */
static void
expire(struct active *a)
{
	size_t n;
	uint32_t *list = rcpts_in(a, RCPT_DEFERRED, &n);
	struct backoff_rules rules = backoff();

	if (n && !a->soon &&
		(a->message->expire || backoff_expired(&rules, age_of(a),
					       a->envelope.sender.len == 0))) {
		log_line(QMGR_EXPIRED, str_c(a->message->queue_id), a->envelope.sender,
			a->message->expire ? STR("force-expired") : STR("expired"));
		for (size_t i = 0; i < n; i++) {
			a->now[list[i]].state = RCPT_FAILED;
			events_expired(a, list[i]);
		}
		write_alike(a, list, n, RCPT_FAILED, SPOOL_FAILED, 0);
	}
	mem_free(list);
}

/* delay_warning_time: once for a message, when an attempt of it ends late. Nobody is told
 * of the delay of a notice. */
static bool
is_late(const struct active *a)
{
	msec_t limit = outside.conf->p.delay_warning_time;

	return limit > 0 && !a->delay_sent && !a->soon && a->envelope.sender.len > 0 &&
	       age_of(a) >= limit;
}

/* RFC 3461 section 4.1: no NOTIFY at all means that failures are reported, and delays
 * where that is done at all. */
bool
active_notice_is_due(const struct active *a, uint32_t n, unsigned kind)
{
	uint8_t notify = a->envelope.rcpts[n].notify;

	switch (kind) {
	case NOTICE_FAILURE:
		return a->now[n].state == RCPT_FAILED &&
		       (notify == 0 || (notify & NOTIFY_FAILURE));
	case NOTICE_SUCCESS:
		return a->now[n].state == RCPT_REPORTED ||
		       (a->reporting && (a->now[n].state == RCPT_FAILED ||
						a->now[n].state == RCPT_DEFERRED));
	default:
		return a->now[n].state == RCPT_DEFERRED && is_late(a) &&
		       (notify == 0 || (notify & NOTIFY_DELAY));
	}
}

static bool
any_notice_is_due(const struct active *a)
{
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		for (unsigned kind = NOTICE_FAILURE; kind <= NOTICE_SUCCESS; kind++)
			if (active_notice_is_due(a, i, kind))
				return true;
	return false;
}

/* What needs no notice, or whose notice was accepted, is over. */
static void
ends_are_over(struct active *a, unsigned accepted)
{
	struct buf rcpts CLEANUP(buf_free) = BUF_INIT;

	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		unsigned kind =
			a->now[i].state == RCPT_FAILED ? NOTICE_FAILURE : NOTICE_SUCCESS;

		if ((a->now[i].state != RCPT_FAILED &&
			    a->now[i].state != RCPT_REPORTED) ||
			(active_notice_is_due(a, i, kind) && !(accepted & 1u << kind)))
			continue;
		a->now[i].state = RCPT_NOTIFIED;
		add_rcpt(&rcpts, i);
	}
	if (rcpts.len && !all_over(a))
		write_state(a, SPOOL_NOTIFIED, &rcpts, NULL, 0);
}

static void
sleep_until_next(struct active *a)
{
	struct backoff_rules rules = backoff();
	msec_t delay = a->soon ? 1000 : backoff_delay(&rules, age_of(a));
	uint64_t when_us = (uint64_t)outside.now_us() + (uint64_t)delay * 1000;
	size_t n;
	uint32_t *list = rcpts_in(a, RCPT_DEFERRED, &n);
	struct message *m = a->message;

	write_alike(a, list, n, RCPT_DEFERRED, SPOOL_DEFERRED, when_us);
	mem_free(list);
	m->flush = false;
	active_free(a);
	index_sleep(&queue_index, m, (uint32_t)((when_us + 999999) / 1000000));
	ticker_touch();
}

static void
message_ends(struct active *a)
{
	struct message *m = a->message;

	active_free(a);
	store_finish(m);
}

static void
attempt_over(struct active *a)
{
	ends_are_over(a, 0);
	if (all_over(a))
		message_ends(a);
	else
		sleep_until_next(a);
}

/* The message was deleted or put on hold while it was worked on. */
static void
cancelled(struct active *a)
{
	struct message *m = a->message;
	enum queue_name queue = (enum queue_name)m->queue;

	if (queue != QUEUE_GONE && a->undecided == 0 && all_over(a)) {
		message_ends(a);
		return;
	}
	active_free(a);
	if (queue == QUEUE_GONE && m->confirmed)
		index_remove(&queue_index, m);
	else if (queue != QUEUE_GONE && queue != QUEUE_ON_HOLD) /* released again */
		index_make_ready(&queue_index, m, false);
}

void
attempt_ended(struct active *a)
{
	if (a->resolving || a->on_errand || a->flights > 0)
		return;
	if (a->cancelled) {
		cancelled(a);
		return;
	}
	expire(a);
	if (any_notice_is_due(a)) {
		a->on_errand = true;
		outside.send_notice(a);
	} else {
		attempt_over(a);
	}
}

/* The record outlives a restart: nobody is told twice. */
static void
delay_was_told(struct active *a)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	a->delay_sent = true;
	write_state(a, SPOOL_DELAY_SENT, &all, NULL, 0);
}

void
active_notices_ended(struct active *a, unsigned accepted)
{
	a->on_errand = false;
	ends_are_over(a, accepted);
	if (accepted & 1u << NOTICE_DELAY && !a->cancelled)
		delay_was_told(a);
	if (a->cancelled)
		cancelled(a);
	else
		attempt_over(a);
}

/* Its end is no removal: the log has its new queue id. */
void
active_requeued(struct active *a, enum verdict verdict, const char *code, struct str text)
{
	a->on_errand = false;
	a->resolving = true;
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		if (a->now[i].state != RCPT_TODO)
			continue;
		if (verdict == ACCEPT) {
			a->now[i].state = RCPT_DONE;
			a->undecided--;
		} else if (!a->cancelled) {
			active_settle_here(a, i, verdict, code, text);
		}
	}
	a->resolving = false;
	if (verdict == ACCEPT)
		a->message->told = true;
	attempt_ended(a);
}

void
active_cancel(struct active *a)
{
	a->cancelled = true;
	schedule_cancel(a);
	attempt_ended(a);
}
