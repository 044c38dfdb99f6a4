/* policies.h -- the policies that are known, by domain, and when they are asked for again
 * (RFC 8461 sections 3.3 and 5.1). Times are seconds since 1970. */
#ifndef POLICIES_H
#define POLICIES_H

#include "event.h"
#include "mta_sts.h"

struct policy {
	struct str domain;       /* lower case */
	struct str id;           /* of the record that it came with */
	struct mta_sts terms;    /* where has_terms */
	bool has_terms;          /* a policy was fetched once */
	int64_t fetched;         /* when */
	int64_t used;            /* when somebody last asked; to the day */
	int64_t retry;           /* not to be fetched before */
	bool fetching;           /* then it stays where it is */
	struct co_queue waiting; /* for the end of that */
	struct arena *arena;     /* of id and terms */
	size_t size;
};

/* The entry of a domain, made if `makes`. NULL: there is none, or no room. */
struct policy *policies_find(struct str domain, bool makes);
size_t policies_count(void);
void policies_each(void (*fn)(struct policy *p, void *arg), void *arg);

/* It counts: fetched, and not older than it says. */
bool policy_is_good(const struct policy *p, int64_t now);
/* The domain's record has this id. */
bool policy_wants_fetch(const struct policy *p, struct str id, int64_t now);
/* When it is time to fetch it again though nothing seems to have changed, so that it does
 * not run out while somebody suppresses the record; 0: never. */
int64_t policy_refresh_time(const struct policy *p);
/* Somebody asked. True: that is news for the file. */
bool policy_use(struct policy *p, int64_t now);
/* It was fetched, or could not be. */
void policy_learn(
	struct policy *p, struct str id, const struct mta_sts *terms, int64_t now);
void policy_missed(struct policy *p, int64_t now);

/* A line of the file, with its end: "domain id fetched used mode max_age mx ...". */
void policy_put(const struct policy *p, struct buf *out);
/* A line without its end. False: it is none; or there is no room. */
bool policy_get(struct str line);

#endif
