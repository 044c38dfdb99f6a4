/* index.h -- every message in the queue, as little of it as scheduling needs.
 *
 * A sleeping message costs about 130 bytes: its place in the log, its times and its queue
 * id. Sender, recipients and reasons stay in the log until somebody needs them. */
#ifndef INDEX_H
#define INDEX_H

#include "base.h"
#include "messages.h"
#include "spool.h"

enum queue_name {
	QUEUE_INCOMING, /* new, waits for room among the active */
	QUEUE_ACTIVE,
	QUEUE_DEFERRED,
	QUEUE_ON_HOLD,
	QUEUE_GONE, /* ended; waits for spool to confirm it */
};
extern const char *const queue_names[]; /* as mailq and postsuper write them */

struct active;
struct message {
	uint64_t mid;
	uint64_t arrival_us;
	uint64_t size;
	union {
		struct active
			*active; /* not listed: what is known while it is worked on */
		struct message *ready; /* listed: the next to be taken up */
	};
	union {
		struct spool_at *states; /* its state records, oldest first */
		struct spool_at state;   /* when there is one: most have no more */
	};
	uint32_t n_states;
	struct spool_where where;
	uint32_t wake;      /* seconds since 1970, rounded up; QUEUE_DEFERRED */
	uint32_t place;     /* in the heap of the sleeping; 0: not there */
	uint8_t queue;      /* enum queue_name */
	bool expire : 1;    /* postsuper -e: the next failure is the last */
	bool flush : 1;     /* somebody asked for it: defer_transports does not count */
	bool listed : 1;    /* on a list of those to be taken up */
	bool worked_on : 1; /* active, or being read; `queue` may say already what is next
			     */
	bool seen : 1;      /* announced by the present link to spool */
	bool confirmed : 1; /* QUEUE_GONE, and spool knows */
	bool told : 1;      /* its removal is in the log already */
	bool suspended : 1; /* perhaps it waits for a destination that is */
	bool requeue : 1;   /* postsuper -r: it goes through cleanup again */
	bool rerouted : 1;  /* while it was read: what was read has the old route */
	bool dropped : 1; /* index_remove() while listed: freed when it leaves the list */
	uint16_t pending; /* states of it that spool has not confirmed yet */
	char queue_id[];  /* NUL-terminated */
};

struct message_list {
	struct message *first, *last;
};
struct index {
	struct message **slots; /* open addressing by mid */
	size_t room, n;
	struct message **sleeping; /* heap by wake; [0] is not used */
	size_t n_sleeping, sleeping_room;
	struct message_list incoming, due;
	struct {
		uint64_t after, *mids; /* all that there were behind `after`, in order */
		size_t n;
	} ahead; /* what index_page() found on the way */
};

void index_init(struct index *ix);
void index_free(struct index *ix);
/* A new message; NULL when queue_id is longer than an id can be. mid must be new. */
struct message *index_add(struct index *ix, uint64_t mid, struct str queue_id);
struct message *index_find(const struct index *ix, uint64_t mid);
/* Forgets and frees it. */
void index_remove(struct index *ix, struct message *m);
const struct spool_at *message_states(const struct message *m);
void message_set_states(struct message *m, const struct spool_at *states, size_t n);

/* Changes of queue. Each leaves the queue where m is. While it is worked on only `queue`
 * changes: whoever works on it puts it there in the end. */
void index_sleep(struct index *ix, struct message *m, uint32_t wake); /* deferred */
void index_make_ready(struct index *ix, struct message *m, bool fresh);
void index_set_queue(struct index *ix, struct message *m, enum queue_name queue);

/* Sleeping messages whose time has come become ready, at most `most`. How many did. */
size_t index_wake_due(struct index *ix, uint32_t now, size_t most);
/* Seconds since 1970 of the first one that wakes; 0: none sleeps. */
uint32_t index_first_wake(const struct index *ix);
/* All that sleep become ready at once: a flush. */
void index_wake_all(struct index *ix);
/* Takes a ready message: in turn a new and an old one, so that neither a flood nor a long
 * deferred queue shuts the other out. NULL: none. */
struct message *index_take(struct index *ix);

/* Up to `most` messages with a mid above `after`, by mid. What a listing asks for. */
size_t index_list(
	const struct index *ix, uint64_t after, struct message **out, size_t most);
/* The same for one who comes again with the last mid until there is nothing left: looks
 * at all of them once in many times. What came since he began with 0 may be left out. */
size_t index_page(struct index *ix, uint64_t after, struct message **out, size_t most);
/* Walks all, in no order. Nothing may be added or removed meanwhile. */
bool index_next(const struct index *ix, size_t *at, struct message **out);

#endif
