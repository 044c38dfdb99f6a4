/* destinations.c -- see destinations.h. */
#include "destinations.h"
#include "control.h"
#include "messages.h"
#include "schedule_impl.h"
#include "suspend.h"
#include "throttle.h"
#include <errno.h>

/* Entries of an answer: more do not fit in a frame with certainty. */
#define AT_MOST 5000

struct list {
	struct destinations_reply say;
	struct arena *arena;
};

static struct queue_destination *
add(struct list *l)
{
	if (l->say.n_list < AT_MOST)
		return &l->say.list[l->say.n_list++];
	l->say.left_out++;
	return NULL;
}

static enum destination_state
state_of(const struct destination *d)
{
	if (destination_is_dead(d))
		return DESTINATION_DEAD;
	return d->rest.place || (d->throttle && !d->throttle->open) ? DESTINATION_LIMITED
								    : DESTINATION_OPEN;
}

static void
add_destination(const struct destination *d, void *arg)
{
	struct list *l = arg;
	struct queue_destination *q = add(l);

	if (q)
		*q = (struct queue_destination){ .transport = d->transport->name,
			.nexthop = d->key,
			.state = (uint8_t)state_of(d),
			.waiting = d->left,
			.busy = (uint32_t)d->busy,
			.window = (uint32_t)d->window.size,
			.group = d->throttle ? d->throttle->name : STR_NONE,
			.reason =
				destination_is_dead(d) ? str_c(d->why.text) : STR_NONE };
}

static void
add_groups(struct list *l)
{
	size_t at = 0;
	struct throttle *t;

	while (throttle_each(&at, &t)) {
		struct buf limits CLEANUP(buf_free) = BUF_INIT;
		struct queue_destination *q = add(l);

		if (!q)
			continue;
		throttle_show(t, &limits);
		*q = (struct queue_destination){ .nexthop = t->name,
			.state = DESTINATION_GROUP,
			.busy = t->busy,
			.window = throttle_connections(t),
			.limits = arena_str(l->arena, buf_str(&limits)),
			.slowed = t->slowed,
			.reason = t->slowed ? str_c(t->why.text) : STR_NONE };
		for (size_t i = 0; i < t->members.n; i++)
			q->waiting += t->members.items[i]->left;
	}
}

static void
add_suspensions(struct list *l)
{
	const struct suspensions *all = suspend_list();

	for (size_t i = 0; all && i < all->n; i++) {
		struct queue_destination *q = add(l);

		if (q)
			*q = (struct queue_destination){ .transport =
								 all->items[i].transport,
				.nexthop = all->items[i].nexthop,
				.state = DESTINATION_SUSPENDED,
				.reason = all->items[i].reason };
	}
}

void
destinations_list(struct ipc_request *rq)
{
	struct list l = { .arena = rq->arena };

	if (!control_caller_may(rq)) {
		l.say.error = EPERM;
	} else {
		l.say.list = arena_alloc(rq->arena, AT_MOST * sizeof(*l.say.list));
		add_suspensions(&l);
		add_groups(&l);
		schedule_each(add_destination, &l);
	}
	destinations_answer(rq, &l.say);
}
