/* refill.c -- how many recipients of a message have destinations at a time.
 *
 * A message is in memory with its whole envelope, but what a recipient costs beside that,
 * its route and its place in the schedule, is bounded as in Postfix's SCHEDULER_README.
 * The first recipients of each message are routed at once: as many as
 * qmgr_message_recipient_limit has left, at least qmgr_message_recipient_minimum. More
 * follow as those have their outcomes: the minimum, and what transport_recipient_limit of
 * its transports leaves to the first message that has more to come. They come at least
 * transport_recipient_refill_limit together, or what there is every
 * transport_recipient_refill_delay. */
#include "active_impl.h"
#include "event.h"
#include "outside.h"

static void refill_run(void *arg);

/* Messages that have recipients without a destination, in the order of their numbers. */
static struct {
	struct active *first, *last;
	struct event_later later;
} unread = { .later.fn = refill_run };

void
refill_begin(struct active *a)
{
	a->unrouted = a->undecided;
	if (a->unrouted == 0)
		return;
	a->unread_prev = unread.last;
	*(unread.last ? &unread.last->unread_next : &unread.first) = a;
	unread.last = a;
}

void
refill_end(struct active *a)
{
	if (unread.first != a && !a->unread_prev)
		return; /* it did already */
	*(a->unread_prev ? &a->unread_prev->unread_next : &unread.first) = a->unread_next;
	*(a->unread_next ? &a->unread_next->unread_prev : &unread.last) = a->unread_prev;
	a->unread_prev = a->unread_next = NULL;
	jobs_are_complete(a);
}

/* The first of them that has mail for t. */
static struct active *
first_unread(const struct transport *t)
{
	for (struct active *a = unread.first; a; a = a->unread_next)
		for (const struct job *j = a->jobs; j; j = j->sibling)
			if (j->transport == t)
				return a;
	return NULL;
}

/* How many more may be given destinations. */
static int64_t
room_for(const struct active *a)
{
	int64_t most = outside.conf->p.qmgr_message_recipient_minimum;

	for (const struct job *j = a->jobs; j; j = j->sibling) {
		const struct recipient_pool *p = &j->transport->pool;

		most += j->extra;
		if (first_unread(j->transport) == a)
			most += MAX(p->most - p->used + j->recipients, 0);
	}
	return most - (int64_t)in_hand(a);
}

size_t
refill_batch(struct active *a)
{
	const struct params *p = &outside.conf->p;
	int64_t n = a->refilled_us ? room_for(a)
				   : MAX(p->qmgr_message_recipient_limit -
						     (int64_t)schedule_recipients(),
					     p->qmgr_message_recipient_minimum);

	a->refilled_us = outside.now_us();
	return (size_t)MAX(n, 1);
}

static void
consider(struct active *a, const struct transport *t)
{
	int64_t room;

	if (a->unrouted == 0 || a->resolving || a->cancelled || a->refill_due)
		return;
	room = room_for(a);
	if (in_hand(a) > 0 &&
		(!t || room <= 0 ||
			(room < t->pool.refill && outside.now_us() - a->refilled_us <
							  t->pool.refill_delay * 1000)))
		return;
	a->refill_due = true;
	event_at_turn_end(&unread.later);
}

void
refill_look(struct active *a, struct transport *t)
{
	struct active *first = t ? first_unread(t) : NULL;

	consider(a, t);
	if (first && first != a)
		consider(first, t);
}

static void
refill_run(void *arg)
{
	struct active *a = unread.first;

	(void)arg;
	while (a)
		if (a->refill_due) {
			a->refill_due = false;
			active_refill(a); /* perhaps it is gone behind that */
			a = unread.first;
		} else {
			a = a->unread_next;
		}
}
