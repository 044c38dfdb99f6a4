/* listing.h -- one message as queue listings show it: read from the log by showq (or by
 * postqueue with the system down), and the bytes in which showq tells it.
 *
 * Those bytes are Postfix's, so that what others wrote for public/showq goes on working:
 * NUL-terminated names and values. First "protocol" = "mail_queue_list_protocol" and an
 * empty name; for each message queue_name, queue_id, time, size, forced_expire, sender,
 * then for each recipient original_recipient (newer than 3.7), recipient and reason
 * (bounce_reason for one who failed: 3.7 does not list him), and an empty name; at the
 * end one more. */
#ifndef LISTING_H
#define LISTING_H

#include "base.h"
#include "messages.h"
#include "spool.h"

struct listing_rcpt {
	struct str original; /* as the client gave it */
	struct str address;
	struct str reason; /* why it waits; empty: nothing happened yet */
	bool failed;       /* for good: what waits is the notice to the sender */
};
struct listing {
	struct str queue, queue_id;
	int64_t time; /* seconds since 1970 */
	uint64_t size;
	bool expire;
	struct str sender;
	struct listing_rcpt *rcpts; /* not yet delivered */
	size_t n_rcpts;
};

/* Reads envelope and states of a message. out's strings are in arena. 0; -1 and errno as
 * spool_read(). queue, queue_id, time, size and expire are the caller's. BLOCKS */
int listing_read(struct spool_reader *r, uint64_t mid, struct spool_where at,
	const struct spool_where *states, size_t n_states, struct arena *arena,
	struct listing *out);

/* The same for a message as qmgr names it; fills in all of *out. BLOCKS */
int listing_of_entry(struct spool_reader *r, const struct queue_entry *e,
	struct arena *arena, struct listing *out);

void listing_put_greeting(struct buf *b);
void listing_put(struct buf *b, const struct listing *l);
void listing_put_end(struct buf *b);

/* Takes the next thing off *rest, whose views last as long as its bytes. */
enum listing_result {
	LISTING_MORE, /* a piece of it: read on */
	LISTING_MESSAGE,
	LISTING_END,
	LISTING_MALFORMED,
};
enum listing_result listing_get_greeting(struct str *rest); /* LISTING_MESSAGE: it was */
enum listing_result listing_get(
	struct str *rest, struct arena *arena, struct listing *out);

#endif
