/* outside.h -- everything around the queue manager that a test replaces: the clock, the
 * log on disk, the start of agents, bounce. */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include "base.h"
#include "conf.h"
#include "route.h"
#include "spool.h"

struct active;
struct transport;

struct outside {
	const struct conf *conf;
	struct route *route;
	int64_t (*now_us)(void); /* since 1970 */
	/* spool_read() and spool_read_states() with one reader. */
	int (*read_content)(uint64_t mid, struct spool_where at, bool envelope_only,
		struct arena *arena, struct spool_content *out);
	int (*read_states)(uint64_t mid, struct spool_where at, struct arena *arena,
		struct spool_state **states, size_t *n);
	/* Makes a worker of this transport appear; ends with transport_started(). */
	void (*start_worker)(struct transport *t);
	/* Hands the notices that are due to bounce; ends with active_notices_ended(). */
	void (*send_notice)(struct active *a);
	/* Hands what is left of it to pickup; ends with active_requeued(). */
	void (*requeue)(struct active *a);
	/* Runs fn where look-ups may switch: at once, or in a coroutine. */
	void (*where_tables_work)(void (*fn)(void *arg), void *arg);
	/* For messages that have to be read first: takes them with index_take() ... */
	void (*wake_loader)(void);
};
extern struct outside outside;

static inline uint32_t
now_seconds(void)
{
	return (uint32_t)(outside.now_us() / 1000000);
}

#endif
