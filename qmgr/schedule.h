/* schedule.h -- which delivery is next: transports, their workers, destinations and jobs.
 *
 * A job is what one message has for one transport, a share of it what it has for one
 * destination. The jobs of a transport stand in the order in which their messages were
 * taken up, but that a small one goes before a large one that has earned it (preempt.c);
 * the first whose destinations have room in their windows of concurrency is next, and its
 * destinations take turns. Transports do not compete, for each has workers of its own. A
 * dead destination costs the others nothing.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "base.h"
#include "event.h"
#include "feedback.h"
#include "ipc.h"

struct active;
struct destination;
struct throttle;
/* Recipients of a message at a destination. */
struct share {
	struct job *job;
	struct destination *to;
	struct share *more;        /* of the job */
	struct share *prev, *next; /* ring of the destination; NULL: not in it */
	uint32_t first, last, n;   /* recipients, chained through message->chain */
	uint64_t turn;             /* of the job's shares the lowest is next */
};
struct job {
	struct active *message;
	struct transport *transport;
	struct job *sibling; /* the message's next job */
	struct share *shares;
	struct job *prev, *next; /* in the transport's order; */
	uint64_t rank;           /* it grows along it; 0: not in it */
	uint32_t recipients;     /* waiting or under way */
	uint32_t extra;          /* that it may have beyond recipient_pool.most */
	/* Deliveries that it still takes, and those that it took. */
	uint32_t left, taken;
	/* One for each delivery; others pay with them for going before it. */
	int64_t slots;
	struct job *parent; /* that it went before */
	uint32_t children;  /* that went before it */
};

struct worker {
	struct ipc_link *link;
	struct transport *transport;
	uint32_t slots, busy;
	bool reads_content; /* error(8) does not */
};

enum transport_state {
	TRANSPORT_IDLE,     /* has workers, or nobody asked for one */
	TRANSPORT_STARTING, /* a worker was asked for */
	TRANSPORT_DEAD,     /* until dead_until */
};
/* transport_delivery_slot_cost and so on. */
struct slot_rules {
	int64_t cost, loan, discount, minimum;
};
/* transport_recipient_limit and so on: see refill.c. */
struct recipient_pool {
	int64_t most, extra;
	int64_t used, extra_used;
	int64_t refill;
	msec_t refill_delay;
};
/* The job that may go before `of`, as looked up in that second. */
struct preemption {
	struct job *of, *candidate;
	int64_t second;
};
struct transport {
	struct str name;
	enum transport_state state;
	deadline_t dead_until, start_until;
	deadline_t ask_again; /* for the worker */
	bool deferred;        /* defer_transports */
	VEC(struct worker *) workers;
	struct map *destinations; /* by key */
	struct job *first_job, *last_job;
	VEC(struct destination *) ready; /* may deliver now: a heap by job and turn */
	struct preemption preemption;
	/* <transport>_ parameters */
	struct window_rules rules;
	uint32_t recipient_limit;
	struct slot_rules slot_rules;
	struct recipient_pool pool;
	msec_t rate_delay; /* of each destination */
	msec_t transport_rate_delay;
	size_t flights;
	struct timer rest; /* set: transport_rate_delay runs */
};

struct destination {
	struct transport *transport;
	struct str key, nexthop; /* behind the struct */
	struct window window;
	int busy;
	struct share *shares;            /* ring by the rank of their jobs: the first */
	uint32_t left;                   /* deliveries that wait */
	int64_t warn_us;                 /* of its being crowded: not before */
	size_t place;                    /* in transport->ready, from 1; 0: not there */
	struct destination *prev, *next; /* of the dead */
	deadline_t dead_until;           /* window.size 0 */
	struct why why;                  /* dead because of that */
	struct timer rest;         /* set: <transport>_destination_rate_delay runs */
	struct throttle *throttle; /* whose limits it has, or NULL */
	deadline_t shaped;         /* when that was found */
	bool looking;              /* it is being found */
	struct worker *last;       /* went there before: may have a connection left */
};

void schedule_init(void);
/* Reads the parameters of every transport again: a reload. */
void schedule_reload(void);
void schedule_free(void);
struct transport *transport_get(struct str name);
/* By defer_transports: its mail waits for a flush. */
bool transport_is_deferred(struct str name);
/* Because it does not answer: its mail waits for transport_retry_time. */
bool transport_is_dead(const struct transport *t);
/* The queue of a next hop. recipient: the key when deliveries are for one recipient. */
struct destination *destination_get(
	struct transport *t, struct str nexthop, struct str recipient);
bool destination_is_dead(const struct destination *d);

/* Queues recipient n of a; deliveries begin at the end of this turn of the loop. */
void schedule_add(struct active *a, struct destination *d, uint32_t n);
/* Takes all jobs of a message out; its recipients there are nobody's. */
void schedule_cancel(struct active *a);
/* All recipients of a message had their turn at schedule_add(). */
void jobs_are_complete(struct active *a);
/* Flush: the dead get another chance. */
void schedule_revive(void);
/* Stops and resumes deliveries (spool is away). */
void schedule_pause(bool pause);
/* Recipients that wait for a delivery or are in one. */
size_t schedule_recipients(void);
/* Deliveries under way. */
size_t schedule_flights(void);
/* Time passed: the dead that may be tried again, agents that never came. When to be
 * called again at the latest. */
deadline_t schedule_tick(deadline_t now);

/* Other destinations are suspended than before: mail that waits for one of them waits no
 * longer. */
void schedule_suspend(void);

/* Walks all destinations, in no order. Nothing may happen meanwhile. */
void schedule_each(void (*fn)(const struct destination *d, void *arg), void *arg);

/* ---- workers ---- */
void worker_ready(
	struct ipc_link *link, const char *program, struct str transport, uint32_t slots);
void worker_gone(struct ipc_link *link);
/* How start_worker went: error 0 or an errno. */
void transport_started(struct transport *t, int error);

/* ---- deliveries: made by schedule, carried out by delivery.c ---- */
struct flight {
	struct active *message;
	struct job *job;
	struct destination *to;
	struct worker *worker;
	struct throttle *throttle; /* that it counts for, or NULL */
	uint32_t news;             /* of that, as it began */
	uint32_t n;
	uint32_t rcpts[];
};
enum flight_end {
	FLIGHT_TALKED,    /* whatever became of the mail */
	FLIGHT_SITE_DOWN, /* no conversation with the destination: why */
	FLIGHT_LOST,      /* the agent died under it, or it never began: says nothing */
};
/* Frees it. */
void flight_ended(struct flight *f, enum flight_end how, const struct why *why);

#endif
