/* active.h -- a message while it is worked on: who is done, who failed, who has to wait.
 */
#ifndef ACTIVE_H
#define ACTIVE_H

#include "base.h"
#include "index.h"
#include "messages.h"
#include "schedule.h"
#include "spool.h"

enum rcpt_state {
	RCPT_TODO,     /* in a job or a delivery */
	RCPT_DONE,     /* delivered */
	RCPT_DEFERRED, /* this attempt is over for it */
	RCPT_FAILED,   /* for good; its notice is due */
	RCPT_REPORTED, /* delivered, which its sender wants to hear (RFC 3461): due, too
			*/
	RCPT_NOTIFIED, /* for good; nothing is due any more */
};
struct rcpt_now {
	uint8_t state;
	uint8_t lost;                  /* agents that died under it in this attempt */
	uint8_t passed;                /* agents that passed it to another transport */
	struct str code, text, detail; /* the last outcome; in the message's arena */
};

struct active {
	struct message *message;
	uint64_t number; /* in the order in which messages were taken up */
	struct arena *arena;
	struct envelope envelope;
	struct str filter;    /* transport:nexthop for all of them, or none */
	struct rcpt_now *now; /* one for each envelope.rcpts */
	uint32_t *chain;      /* links of jobs: next recipient */
	struct job *jobs;
	size_t undecided; /* recipients in RCPT_TODO */
	/* Of these, those that have no destination yet (refill.c): at routed and later.
	 */
	size_t unrouted;
	uint32_t routed;
	bool refill_due;
	int64_t refilled_us;
	struct active *unread_prev, *unread_next; /* among those with any */
	size_t flights;
	size_t n_expanded; /* entries of envelope.rcpts that stand for an alias */
	int64_t taken_us;
	int content_fd; /* content too large for a frame: a memfd with all of it ... */
	bool content_is_whole; /* ... or the file of its body; -1: in the frame */
	bool cancelled;        /* deleted or put on hold meanwhile: no more deliveries */
	bool on_errand;        /* its notices are with bounce, or all of it with pickup */
	bool delay_sent;       /* its sender knows that it is late */
	bool reporting;        /* its sender hears of all outcomes of this attempt */
	bool verifying;        /* and that is all: nothing is delivered */
	struct str verp;       /* delimiters, or none */
	struct str srs;        /* whom those hear of to whom it is forwarded, or none */
	SWITCHES void (*errand)(struct active *a);
	struct active *next_errand;
	bool soon;      /* what failed is our own: try again in a second */
	bool resolving; /* in look-ups that may switch */
};

extern struct index queue_index;

/* An arena for active_start(), perhaps one that a message before left. */
struct arena *active_arena(void);
/* Takes up a message whose envelope is at hand (encoded). Takes over the arena that holds
 * it and the states. */
void active_start(struct message *m, struct arena *arena, struct str envelope,
	const struct spool_state *states, size_t n_states);
/* The "transport:nexthop" that all of it goes through, or none. */
struct str active_filter(const struct envelope *e);
/* Is there room for one more (qmgr_message_active_limit)? */
bool active_has_room(void);
size_t active_count(void);
/* An outcome for recipient n; ends the attempt with the last one. */
void active_settle(struct active *a, uint32_t n, const struct outcome *o);
/* Recipient n, undecided, is delivered by "transport:nexthop" instead. */
void active_pass(struct active *a, uint32_t n, struct str to);
/* The same, with the delivery record in the log: for what no agent ever saw. */
void active_settle_here(struct active *a, uint32_t n, enum verdict verdict,
	const char *code, struct str text);
/* Writes down what the last outcomes of these recipients mean, and goes on. */
void active_settled(struct active *a, const uint32_t *rcpts, size_t n);
/* Recipients that lost their agent: once more, or deferred. */
void active_lost(
	struct active *a, struct destination *d, const uint32_t *rcpts, size_t n);
void active_flight_ended(struct active *a, struct transport *t);
/* Bounce has the notices of these kinds: bits of 1 << NOTICE_something. */
void active_notices_ended(struct active *a, unsigned accepted);
/* What became of the recipients that were left when pickup had the message. */
void active_requeued(
	struct active *a, enum verdict verdict, const char *code, struct str text);
/* Deleted, or put on hold: nothing more goes out. */
void active_cancel(struct active *a);
/* Has recipient n a place in the notice of this kind (NOTICE_FAILURE ...)? The one of
 * success is the report about all, where that was asked for. */
bool active_notice_is_due(const struct active *a, uint32_t n, unsigned kind);

#endif
