/* remote.h -- tables that are behind a server: its hosts are tried in turn, connections
 * are kept for the next look-up, and a host that does not answer is left alone for a
 * while, so that a dead server costs each look-up nothing but the answer "later".
 *
 * Daemons ask such tables through proxymap; it, and commands, ask the server themselves.
 * What a type does with its server runs in a helper thread: it BLOCKS, keeps to its time
 * limits, and neither logs nor touches anything but its own link and the arena. */
#ifndef REMOTE_H
#define REMOTE_H

#include "dict_impl.h"

struct remote_ops {
	/* NULL and *why. host: one of remote_new()'s. */
	void *(*connect)(const void *table, const char *host, struct why *why);
	/* *lost: the link is of no more use. DICT_ERROR and *why. */
	enum dict_result (*ask)(void *link, const void *table, struct str key,
		struct arena *arena, struct str *value, struct why *why, bool *lost);
	void (*close)(void *link);
};

enum {
	REMOTE_LINKS = 4,        /* look-ups of one table at a time */
	REMOTE_IDLE_MS = 60000,  /* a link that nobody used for so long is closed */
	REMOTE_RETRY_MS = 60000, /* a host that failed is not asked for so long */
	REMOTE_SOON_MS = 1000,   /* where it is one program, which may be started again */
};

struct remote;
/* hosts: separated by blanks and commas; tried in an order by chance, those that begin
 * with "unix:" first. table: the type's own, given to each call. Everything but `table`
 * is copied. */
struct remote *remote_new(const struct remote_ops *ops, const char *spec,
	const void *table, struct str hosts);
void remote_times(struct remote *r, msec_t idle, msec_t retry);
/* Nobody may be asking. */
void remote_free(struct remote *r);
SWITCHES enum dict_result remote_find(struct remote *r, struct str key,
	struct arena *arena, struct str *value, struct why *why);

#endif
