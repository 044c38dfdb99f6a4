/* counts.h -- what clients did in the time unit, and how many connections they have:
 * Postfix's counting. A client's time unit begins with its first event, and the next one
 * with the first event after its end.
 *
 * Memory is bounded: when COUNTS_MOST clients are known, the one that was quiet for the
 * longest time and has no connection is forgotten; when all have connections, another one
 * is not counted. */
#ifndef COUNTS_H
#define COUNTS_H

#include "base.h"
#include "messages.h"

#define COUNTS_MOST 65536

/* Connections that came over one link: they end with it. */
struct counts_link;

/* The greatest numbers since the last report. */
struct peak {
	uint64_t value;
	int64_t when_us; /* since 1970 */
	char client[128];
};
void peak_note(struct peak *p, uint64_t value, struct str client);
struct peaks {
	struct peak rate[ANVIL_EVENTS], count;
	struct peak clients; /* how many were known; names none */
};

void counts_start(msec_t unit); /* anvil_rate_time_unit; called again it changes that */
struct counts_link *counts_link_new(void) MUST_CHECK;
void counts_link_lost(struct counts_link *l, deadline_t now);
/* Zeroes for a client that is not counted. */
struct anvil_reply counts_event(struct counts_link *l, const struct anvil_request *ask,
	deadline_t now) MUST_CHECK;
void counts_gone(struct counts_link *l, struct str client, deadline_t now);
/* Forgets who did nothing for a time unit and has no connection; the moment to do that
 * again, DEADLINE_NEVER when nobody is left. */
deadline_t counts_forget(deadline_t now);
/* Gives what there was, and begins anew. */
struct peaks counts_peaks(void);

#endif
