/* progress.c -- see progress.h. */
#include "progress.h"
#include <stdio.h>
#include <unistd.h>

#define EVERY_US 500000

void
progress_begin(struct progress *p, bool wanted)
{
	*p = (struct progress){ .shown = wanted && isatty(STDERR_FILENO) };
}

/* The clock is looked at now and then only: there may be a million steps. */
void
progress_step(struct progress *p, bool meant)
{
	int64_t now;

	p->looked_at++;
	p->meant += meant;
	if (!p->shown || p->looked_at % 256 != 0)
		return;
	now = time_wall_us();
	if (now - p->shown_at < EVERY_US && now >= p->shown_at)
		return;
	p->shown_at = now;
	fprintf(stderr, "\r%llu messages looked at, %llu match",
		(unsigned long long)p->looked_at, (unsigned long long)p->meant);
}

void
progress_end(struct progress *p)
{
	if (p->shown && p->shown_at)
		fputs("\r\033[K", stderr);
}
