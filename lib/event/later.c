/* later.c -- what is done once at the end of a turn: everything pending written at once.
 */
#include "event_impl.h"

/* Those that queue each other without end let the poller have its turn. */
enum { MOST_IN_A_TURN = 4096 };

static struct event_later *first, *last;

void
event_at_turn_end(struct event_later *later)
{
	if (later->queued)
		return;
	later->queued = true;
	later->next = NULL;
	if (first)
		last->next = later;
	else
		first = later;
	last = later;
}

void
event_later_cancel(struct event_later *later)
{
	struct event_later *before = NULL;

	if (!later->queued)
		return;
	for (struct event_later *l = first; l != later; l = l->next)
		before = l;
	if (before)
		before->next = later->next;
	else
		first = later->next;
	if (last == later)
		last = before;
	later->queued = false;
}

bool
later_run(void)
{
	for (int ran = 0; first && ran < MOST_IN_A_TURN; ran++) {
		struct event_later *l = first;

		first = l->next;
		l->queued = false;
		l->fn(l->arg);
	}
	return !first;
}

void
later_reset(void)
{
	for (; first; first = first->next)
		first->queued = false;
}
