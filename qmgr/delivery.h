/* delivery.h -- one delivery: the request to an agent, and what it says. */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "schedule.h"

/* Sends it; ends with flight_ended() and active_settled(), perhaps before this returns.
 */
void delivery_begin(struct flight *f);

/* Content as requests carry it: in the frame up to 64 KB, above that in a descriptor that
 * shows this message and nothing else. */
struct content_carried {
	struct str first;
	uint64_t size, rest;
	int fd; /* with `rest` bytes, or -1; belongs to the active message */
};
/* 0, -1 errno (as spool_read). Text is in arena. */
int delivery_content(struct active *a, struct arena *arena, struct content_carried *out);

#endif
