/* cache.h -- which addresses take mail: what probes found out, and when it has to be
 * found out again (ADDRESS_VERIFICATION_README). Times are seconds since 1970, given by
 * the caller. */
#ifndef CACHE_H
#define CACHE_H

#include "base.h"
#include "event.h"
#include "messages.h"

/* address_verify_*_time and _negative_cache, in seconds. */
struct cache_times {
	int64_t positive_expire, positive_refresh, negative_expire, negative_refresh;
	bool keeps_negative;
};

struct address {
	char *name; /* lower case */
	enum verify_status status;
	int64_t probed;   /* when a probe was sent last; 0: never, or its result came */
	int64_t updated;  /* when the status was learned */
	char *text;       /* of who said so */
	unsigned waiting; /* requests that hold on to it */
	struct co_queue learned; /* where they wait */
};

/* The entry of an address, made when it is not there. What has expired is unknown again.
 * NULL: there is no room. */
struct address *cache_take(struct str name, const struct cache_times *t, int64_t now);
/* Is a probe due? Not while one is under way, that began lately. */
bool cache_wants_probe(const struct address *a, const struct cache_times *t, int64_t now);
void cache_probing(struct address *a, int64_t now); /* one was sent */
/* What a probe found out. A failure does not replace a success that is still good. NULL:
 * nobody asked for that address. */
const struct address *cache_learn(struct str name, enum verify_status status,
	struct str text, const struct cache_times *t, int64_t now);
/* Removes what has expired; how many stay and go. */
void cache_clean(
	const struct cache_times *t, int64_t now, size_t *retained, size_t *dropped);
size_t cache_probes(void); /* under way */
size_t cache_count(void);
/* Calls fn with each entry. */
void cache_each(void (*fn)(const struct address *a, void *arg), void *arg);

/* As in address_verify_map, which is Postfix's: "status:probed:updated:text". */
void cache_entry_put(const struct address *a, struct buf *out);
/* Adds such an entry; false: it is none, or has no room. */
bool cache_entry_get(struct str name, struct str value) MUST_CHECK;

#endif
