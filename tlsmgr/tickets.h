/* tickets.h -- the keys of the suite's session tickets: one for new tickets, which
 * becomes one for old tickets when its time is over, and is forgotten after as much time
 * again. So each ticket is good for at least that time, and no key for more than twice of
 * it. */
#ifndef TICKETS_H
#define TICKETS_H

#include "base.h"

#define TICKET_KEY 80 /* bytes, all random */

struct ticket_keys {
	struct str keys[2]; /* views of the keys themselves */
	size_t n;           /* 1: there is no older one */
	msec_t good_for;
};

/* lifetime: of a ticket. -1 and errno: there is no randomness. */
int tickets_now(msec_t lifetime, deadline_t now, struct ticket_keys *out) MUST_CHECK;

#endif
