/* event_impl.h -- what the files of lib/event know of each other. */
#ifndef EVENT_IMPL_H
#define EVENT_IMPL_H

#include "event.h"
#include "switch.h"

/* ---- loop.c ---- */
/* Registers io with the poller for the given EPOLL* bits; -1 errno. */
int loop_watch(struct io *io, unsigned events);
int loop_watch_more(struct io *io, unsigned events); /* those instead, from now on */
/* Ends that, and forgets events of this turn that have not been delivered yet. */
void loop_unwatch(struct io *io);

/* ---- co.c ---- */
struct co_link {
	struct co_link *prev, *next;
	struct co *co;
};

/* One coroutine's place in a co_queue. */
struct co_waiter {
	struct co *co;
	struct co_waiter *prev, *next;
	bool queued;
};

enum co_state {
	CO_READY,   /* in a list, to run soon */
	CO_RUNNING, /* the one whose code this is, or none while the loop works */
	CO_BLOCKED, /* until co_ready() */
	CO_ENDED,
};

/* Lives at the top of its own stack. */
struct co {
	struct context context;
	void (*fn)(void *);
	void *arg;
	const char *name;
	struct co *next; /* in the ready list */
	struct co_link all;
	struct co_link link; /* among the children of scope */
	struct co_scope *scope;
	struct timer patience;
	struct co_waiter waiter;
	enum co_state state;
	enum co_stack stack;
	int outcome; /* of the wait: 0 or an errno */
	int shield;
	uint32_t session;   /* the log's number; inherited at birth, as works_for is */
	uint64_t works_for; /* *co_works_for */
	bool cancelled;
};

/* Suspends the caller until co_ready(). 0, or -1 with errno: ECANCELED, ETIMEDOUT or
 * whatever co_ready() was given. Leaving what it waited at is the caller's affair. */
SWITCHES int co_block(deadline_t patience) MUST_CHECK;
/* Ends the wait of co with that errno (0: it got what it waited for). False, and nothing
 * happens, when it does not wait or its wait has ended already. */
bool co_ready(struct co *co, int outcome);
/* Runs what is ready, within the budget of one turn. */
void co_run_ready(void);
bool co_any_ready(void);
/* Walks the coroutines alive: NULL gives the first, and comes after the last. */
struct co *co_each(struct co *after);
void co_reset(void);

/* ---- stack.c ---- */
/* A stack from the pool; its upper end is a zeroed struct co. */
struct co *stack_take(enum co_stack kind);
void stack_give(struct co *co);
char *stack_low(const struct co *co); /* the lowest usable byte */
size_t stack_size(enum co_stack kind);

/* ---- scope.c ---- */
void scope_child_ended(struct co *co);

/* ---- later.c, post.c, offload.c, timer.c, signal.c, child.c, listen.c ---- */
bool later_run(void); /* false: more is waiting for the next turn */
void later_reset(void);
/* A post whose memory belongs to the caller. */
struct post {
	void (*fn)(void *arg);
	void *arg;
	struct post *next;
	bool allocated;
};
void post_add(struct post *post); /* any thread */
void post_init(void);
void post_close(void);
void post_forked(void); /* in the child, before post_close() */
void offload_forked(void);
void timer_run(deadline_t now);
/* How long the poller may sleep: milliseconds, -1 for ever. */
int timer_patience(deadline_t now);
void timer_reset(void);
void signal_init(void);
void signal_close(void);
void child_init(void);
void child_reset(void);
void listen_retry(void); /* a descriptor was closed */
void listen_reset(void);

#endif
