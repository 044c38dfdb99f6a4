/* ticker.c -- see ticker.h. */
#include "ticker.h"
#include "active.h"
#include "event.h"
#include "outside.h"

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

	if (index_wake_due(&queue_index, now) > 0)
		outside.wake_loader();
	wake = index_first_wake(&queue_index);
	/* Wall clocks jump: an hour is as far as one is trusted. */
	if (wake)
		next = deadline_least(
			next, deadline_in((msec_t)MIN(wake - now, 3600) * 1000));
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
