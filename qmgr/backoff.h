/* backoff.h -- when a message is tried again, and when no more. */
#ifndef BACKOFF_H
#define BACKOFF_H

#include "base.h"

struct backoff_rules {
	msec_t least, most; /* minimal_, maximal_backoff_time */
	msec_t run_delay;   /* queue_run_delay: no two tries closer than that */
	msec_t lifetime, bounce_lifetime; /* maximal_, bounce_queue_lifetime */
};
/* The older a message, the longer it waits: as long as it is in the queue already, within
 * the bounds. */
msec_t backoff_delay(const struct backoff_rules *rules, msec_t age);
/* Is it too old to be tried again? A lifetime of 0 means one try. */
bool backoff_expired(const struct backoff_rules *rules, msec_t age, bool null_sender);

#endif
