/* queue.c -- places where coroutines wait until somebody says so, first come first
 * served. */
#include "event_impl.h"
#include <errno.h>

/* On the stack of the one that waits. */
struct co_waiter {
	struct co *co;
	struct co_waiter *prev, *next;
	bool queued;
};

static void
queue_remove(struct co_queue *q, struct co_waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		q->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
	w->queued = false;
}

int
co_wait(struct co_queue *q, deadline_t patience)
{
	struct co_waiter w = { co_self(), q->last, NULL, true };
	int got, error;

	if (q->last)
		q->last->next = &w;
	else
		q->first = &w;
	q->last = &w;
	got = co_block(patience);
	error = errno;
	if (w.queued)
		queue_remove(q, &w);
	errno = error;
	return got;
}

/* One whose patience ended in this very turn is still in the queue but cannot be woken a
 * second time: the call goes to the next. */
bool
co_wake_one(struct co_queue *q)
{
	while (q->first) {
		struct co_waiter *w = q->first;

		queue_remove(q, w);
		if (co_ready(w->co, 0))
			return true;
	}
	return false;
}

void
co_wake_all(struct co_queue *q)
{
	while (co_wake_one(q))
		;
}
