/* errand.h -- what other services do for a whole message: bounce with its notices, pickup
 * with a message that is requeued. A few at a time, the others wait for their turn. */
#ifndef ERRAND_H
#define ERRAND_H

#include "active.h"

/* Runs it in a coroutine; a is its until it calls back (active_notices_ended() ...). */
void errand_queue(struct active *a, SWITCHES void (*run)(struct active *a));
/* Begun and not ended: somebody else would do them again. While qmgr is on its way out
 * those that wait are left to the next one. */
size_t errands_under_way(void);

#endif
