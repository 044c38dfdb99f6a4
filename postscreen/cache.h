/* cache.h -- the clients of this moment, and what is remembered of those that passed:
 * postscreen_cache_map. What is in use or not written yet is in memory, the rest is in
 * the table. Any type that postmap(1) can change; without one it is all in memory, for
 * CACHE_MOST clients. */
#ifndef CACHE_H
#define CACHE_H

#include "conf.h"
#include "stamps.h"

#define CACHE_MOST 200000

struct lists;
struct client {
	char *address;
	struct stamps stamps; /* all new until cache_recall() */
	size_t sessions;      /* connections at this moment */
	size_t holders;       /* they, and others that use it */
	bool recalled;        /* the table has been asked, or there was no need */
	bool remembered;      /* there is something to remember */
	bool changed;         /* not written yet */
	bool passed_new;      /* "PASS NEW" is logged once of sessions at the same time */
	struct lists *lists;  /* those that are being asked about it; or NULL */
};

/* The client with that address, with a session more, which ends with cache_leave(). */
struct client *cache_client(struct str address);
void cache_leave(struct client *c);
/* For others than sessions. */
struct client *cache_hold(struct client *c);
void cache_release(struct client *c);
/* Its stamps are as the table has them. False: it is not in there. */
SWITCHES bool cache_recall(struct client *c);
/* Its stamps are to be remembered. */
void cache_changed(struct client *c);

/* In main: which table; before the jail. */
void cache_configure(const struct conf *c);
/* After it: opens the table. BLOCKS */
void cache_open(const struct conf *c);
/* Writes what has changed. */
SWITCHES void cache_write(void);
/* Removes what has expired longer ago than postscreen_cache_retention_time, and says in
 * the log how much. `enabled`: the tests that count. */
SWITCHES void cache_clean(unsigned enabled);

#endif
