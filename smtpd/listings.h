/* listings.h -- what a session has asked DNS lists so far: each question once, all of
 * them at a time. */
#ifndef LISTINGS_H
#define LISTINGS_H

#include "event.h"
#include "messages.h"

struct listing {
	struct listing *next;
	struct str name; /* what was asked: "2.0.0.127.list.example" */
	bool answered;
	enum dns_status status;
	struct dns_reply reply;
};
struct listings {
	struct listing *first;
	size_t n;
	struct arena *arena;   /* of all of them; NULL: none yet */
	struct co_scope scope; /* of those who ask */
	struct co_queue answered;
};

/* At the end of a session: what was asked and is not wanted any more is given up. */
SWITCHES void listings_end(struct listings *l);

#endif
