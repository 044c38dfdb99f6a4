/* ticker.c -- see ticker.h. */
#include "ticker.h"
#include "active.h"
#include "event.h"
#include "outside.h"

#define WAKE_MOST ((size_t)5000) /* in one turn of the loop */

static void ticker_fired(void *arg);
static struct timer timer;
static struct event_later later = { .fn = ticker_fired };

static void
ticker_fired(void *arg)
{
	(void)arg;
	ticker_run();
}

void
ticker_run(void)
{
	deadline_t next = schedule_tick(event_now());
	uint32_t now = now_seconds(), wake;
	size_t woken;

	/* A million at once would hold up new mail: the rest follows in the next turn. */
	woken = index_wake_due(&queue_index, now, WAKE_MOST);
	if (woken > 0)
		outside.wake_loader();
	if (woken == WAKE_MOST)
		ticker_touch();
	wake = index_first_wake(&queue_index);
	/* Wall clocks jump: an hour is as far as one is trusted. */
	if (wake)
		next = deadline_least(next,
			deadline_in(
				(msec_t)(wake > now ? MIN(wake - now, 3600) : 0) * 1000));
	if (next == DEADLINE_NEVER)
		timer_cancel(&timer);
	else
		timer_set(&timer, next, ticker_fired, NULL);
}

void
ticker_touch(void)
{
	event_at_turn_end(&later);
}

void
ticker_stop(void)
{
	event_later_cancel(&later);
	timer_cancel(&timer);
}
