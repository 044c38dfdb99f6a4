/* time.c -- clocks and deadlines. */
#include "base.h"
#include <time.h>

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

msec_t
time_monotonic(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
time_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t time_wall_shift_us;

int64_t
time_wall_us(void)
{
	return clock_us(CLOCK_REALTIME) + time_wall_shift_us;
}

int64_t
time_cpu_us(void)
{
	return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

const char *
time_mail_date(time_t at)
{
	static char text[80];
	static time_t made;
	struct tm tm;

	if (at != made || !text[0]) {
		localtime_r(&at, &tm);
		strftime(text, sizeof(text), "%a, %e %b %Y %H:%M:%S %z (%Z)", &tm);
		made = at;
	}
	return text;
}

deadline_t
deadline_in(msec_t span)
{
	deadline_t d;

	if (__builtin_add_overflow(time_monotonic(), span, &d))
		return DEADLINE_NEVER;
	return d;
}

bool
deadline_passed(deadline_t d)
{
	return d != DEADLINE_NEVER && time_monotonic() >= d;
}

deadline_t
deadline_least(deadline_t a, deadline_t b)
{
	return MIN(a, b);
}
