/* timer.c -- timers in a binary heap.
 *
 * The moments stand in the heap itself, beside the pointers, so that sifting does not
 * touch the timers that it only compares. Place 0 is not used: it says "not set". */
#include "event_impl.h"
#include <limits.h>

static struct node {
	deadline_t at;
	struct timer *timer;
} * heap;
static size_t room, count; /* heap[1] to heap[count] */

static void
put(size_t place, struct node node)
{
	heap[place] = node;
	node.timer->place = place;
}

static void
sift_up(size_t place, struct node node)
{
	for (; place > 1 && node.at < heap[place / 2].at; place /= 2)
		put(place, heap[place / 2]);
	put(place, node);
}

static void
sift_down(size_t place, struct node node)
{
	for (;;) {
		size_t child = 2 * place;

		if (child < count && heap[child + 1].at < heap[child].at)
			child++;
		if (child > count || node.at <= heap[child].at)
			break;
		put(place, heap[child]);
		place = child;
	}
	put(place, node);
}

/* Puts node at a place whose former holder is gone. */
static void
settle(size_t place, struct node node)
{
	if (place > 1 && node.at < heap[place / 2].at)
		sift_up(place, node);
	else
		sift_down(place, node);
}

void
timer_set(struct timer *t, deadline_t at, void (*fn)(void *arg), void *arg)
{
	struct node node = { at, t };

	t->fn = fn;
	t->arg = arg;
	t->at = at;
	if (t->place > 0) {
		settle(t->place, node);
		return;
	}
	vec_grow((void **)&heap, &room, count + 2, sizeof(*heap));
	sift_up(++count, node);
}

void
timer_cancel(struct timer *t)
{
	size_t place = t->place;
	struct node last;

	if (place == 0)
		return;
	t->place = 0;
	last = heap[count--];
	if (last.timer != t)
		settle(place, last);
}

/* One that sets itself again for a moment that has passed runs in the next turn, not for
 * ever in this one: each runs only once for what was due when this began. */
void
timer_run(deadline_t now)
{
	for (size_t due = count; due > 0 && count > 0 && heap[1].at <= now; due--) {
		struct timer *t = heap[1].timer;

		timer_cancel(t);
		t->fn(t->arg);
	}
}

int
timer_patience(deadline_t now)
{
	if (count == 0 || heap[1].at == DEADLINE_NEVER)
		return -1;
	if (heap[1].at <= now)
		return 0;
	return (int)MIN(heap[1].at - now, INT_MAX);
}

void
timer_reset(void)
{
	for (size_t i = 1; i <= count; i++)
		heap[i].timer->place = 0;
	mem_free(heap);
	heap = NULL;
	room = count = 0;
}
