/* suspects.h -- networks of clients that bring workers down: three crashes within an
 * hour, each in a session of that network, and it is refused for an hour. */
#ifndef SUSPECTS_H
#define SUSPECTS_H

#include "suspect.h"

#define SUSPECTS_CRASHES 3
#define SUSPECTS_SPAN    ((msec_t)3600 * 1000)

/* True: that was one too many; refused from now on. A network of 0 is nobody. */
bool suspects_crash(uint64_t network, msec_t now) MUST_CHECK;
/* Writes who is refused into a worker's page. */
void suspects_show(struct suspect_page *page, msec_t now);
/* When that changes by itself; DEADLINE_NEVER. */
deadline_t suspects_change(msec_t now);

#endif
