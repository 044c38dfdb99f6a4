/* queue.c -- places where coroutines wait until somebody says so, first come first
 * served. */
#include "event_impl.h"
#include <errno.h>

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

static void
queue_add(struct co_queue *q, struct co_waiter *w, struct co *co)
{
	*w = (struct co_waiter){ co, q->last, NULL, true };
	if (q->last)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
}

int
co_wait(struct co_queue *q, deadline_t patience)
{
	struct co *self = co_self();
	int got, error;

	ensure(self);
	queue_add(q, &self->waiter, self);
	got = co_block(patience);
	error = errno;
	if (self->waiter.queued)
		queue_remove(q, &self->waiter);
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
