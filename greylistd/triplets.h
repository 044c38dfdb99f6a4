/* triplets.h -- which mail was sent away, and who came back with it (RFC 6647). A triplet
 * is the network of a client, a sender and a recipient. Times are seconds since 1970,
 * given by the caller.
 *
 * Memory is bounded: when there are too many entries, a triplet that still has to wait is
 * forgotten, the oldest first, so that a flood of new ones takes nothing from those who
 * came back; without any of these, the one that was quiet for the longest time. */
#ifndef TRIPLETS_H
#define TRIPLETS_H

#include "base.h"

struct triplets_rules {
	int64_t delay;        /* how long a triplet has to wait, in seconds */
	int64_t retry;        /* who is not back so long after that begins anew */
	int64_t expire;       /* who came back is forgotten when quiet for so long */
	uint32_t allow_after; /* triplets of a network; then it waits no more. 0: never */
	size_t most;          /* entries */
};
struct triplet {
	struct str network, sender, recipient; /* in any case; none of it has a limit */
};
struct triplet_answer {
	int64_t wait;   /* seconds; 0: may come in */
	bool is_back;   /* for the first time with this triplet, */
	int64_t waited; /* after so many seconds, */
	bool is_known;  /* and from now on its network does not wait */
};

/* A client is there with this mail, which is remembered. */
struct triplet_answer triplets_ask(
	const struct triplet *t, const struct triplets_rules *r, int64_t now) MUST_CHECK;
/* Removes what has expired. */
void triplets_clean(const struct triplets_rules *r, int64_t now);
size_t triplets_count(void); /* networks and triplets */

/* ---- as in greylist_map: "network sender recipient" or "network", and
 * "first:last:count", count being how often it came back ---- */

/* Calls fn with each entry. */
void triplets_each(void (*fn)(struct str key, struct str value, void *arg), void *arg);
/* From now on calls fn with each entry that is new, or another one. */
void triplets_tell(void (*fn)(struct str key, struct str value));
/* Adds such an entry, in place of one with this key; false: it is none. */
bool triplets_take(struct str key, struct str value) MUST_CHECK;
/* After the last one. */
void triplets_taken(void);

#endif
