/* progress.h -- how far long work in the queue is, for who sits at a terminal: a line on
 * standard error, twice a second. Elsewhere nothing is said. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "base.h"

struct progress {
	bool shown; /* to be, and once shown_at is set it was */
	uint64_t looked_at, meant;
	int64_t shown_at; /* microseconds */
};
void progress_begin(struct progress *p, bool wanted);
void progress_step(struct progress *p, bool meant);
/* Takes the line away. */
void progress_end(struct progress *p);

#endif
