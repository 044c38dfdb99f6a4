/* event.h -- one epoll loop in each process, one stackful coroutine for each session.
 *
 * Everything here runs on one thread. A function marked SWITCHES suspends the calling
 * coroutine and lets others run; it may only be called from a coroutine. Deadlines are
 * absolute. A wait that is cancelled fails with ECANCELED, one whose deadline passes with
 * ETIMEDOUT: error paths like any other. errno belongs to each coroutine. */
#ifndef EVENT_H
#define EVENT_H

#include "base.h"

/* ---- the loop ---- */
void event_init(void); /* once, before anything else here; after every fork too */
void event_run(void);  /* until event_stop(); returns to main */
void event_stop(void);
/* Runs fn once, at the end of this turn of the loop, before the next epoll_wait: the
 * place where everything pending is written once. The struct must stay until then. */
struct event_later {
	void (*fn)(void *arg);
	void *arg;
	bool queued;
	struct event_later *next;
};
void event_at_turn_end(struct event_later *later);
void event_later_cancel(struct event_later *later);
/* NULL, or called last in each turn: lib/service flushes the log here. */
extern void (*event_turn_hook)(void);
deadline_t event_now(void); /* the time at the start of this turn, milliseconds */

/* ---- coroutines ---- */
struct co;
enum co_stack {
	CO_STACK_SMALL, /* 32 KB virtual: our own code */
	CO_STACK_LARGE, /* 256 KB virtual: enters foreign libraries (OpenSSL, PCRE2 ...)
			 */
};
/* Starts fn(arg) at the end of the ready list; it runs when the caller next waits or
 * returns to the loop. Guard pages below each stack; stacks are pooled. */
struct co *co_spawn(void (*fn)(void *), void *arg, enum co_stack stack);
struct co *co_self(void); /* NULL outside coroutines */
/* For whom the one that runs works: a number of the program's, 0 for nobody, which the
 * loop always is. It belongs to the coroutine as errno does, and a new one inherits its
 * maker's. The program may point this to where others read it after a crash. */
extern volatile uint64_t *co_works_for;
void co_name(const char *name); /* static text, for panics and the stack census */
const char *co_name_of(const struct co *co); /* NULL: has none */
/* Makes the pending wait of co, and each later one, fail with ECANCELED. */
void co_cancel(struct co *co);
bool co_cancelled(void); /* is the calling one cancelled? */
/* Within the calling coroutine: no cancellation while > 0 (clean-up work). */
void co_shield(int change);
SWITCHES void co_yield (void);           /* lets the others run once */
SWITCHES int co_sleep(deadline_t until); /* 0; -1 ECANCELED */

/* Children end before their scope does: co_scope_end cancels those still there when
 * `cancel`, and waits for all. */
struct co_scope {
	struct co_link *children;
	struct co *waiting;
	size_t running;
};
void co_scope_init(struct co_scope *s);
void co_scope_spawn(
	struct co_scope *s, void (*fn)(void *), void *arg, enum co_stack stack);
SWITCHES void co_scope_end(struct co_scope *s, bool cancel);

/* A place where coroutines wait until somebody says so. Zero-initialised. */
struct co_queue {
	struct co_waiter *first, *last;
};
SWITCHES int co_wait(struct co_queue *q, deadline_t patience); /* 0, -1 */
bool co_wake_one(struct co_queue *q); /* false when nobody waited */
void co_wake_all(struct co_queue *q);

/* Deepest use of any small / large stack so far, in bytes (test builds paint stacks;
 * others say 0). */
size_t co_deepest(enum co_stack stack);
/* The same by co_name(), the names that were met first. */
void co_census(void (*each)(const char *name, size_t deepest, void *arg), void *arg);
size_t co_count(void); /* coroutines alive */

/* ---- descriptors: one persistent edge-triggered registration each ---- */
struct io {
	int fd;
	bool readable, writable; /* set by the loop; cleared at EAGAIN (io_* do) */
	bool hangup; /* the peer sends no more, or the connection broke; data may be left
		      */
	struct co *reader, *writer; /* at most one coroutine waits in each direction */
	/* Instead of coroutines: called in the loop on any event. Set after io_open();
	 * may close io, and free it. */
	void (*on_event)(struct io *io);
	void *arg;
	bool stream; /* a short read has emptied it */
	bool writes_watched;
};
/* Sets O_NONBLOCK, registers and fills in all of *io; -1 errno. Both directions count as
 * ready until tried. A plain file is always ready. */
int io_open(struct io *io, int fd);
/* Unregisters and closes the descriptor. Those who wait here get EBADF. Harmless when
 * closed already. */
void io_close(struct io *io);
int io_detach(struct io *io); /* unregisters, gives the descriptor back */
/* For those with on_event who write themselves: a write said EAGAIN. Clears writable;
 * from then on the poller tells when there is room again. (Not before: a Unix socket
 * would wake its writer each time the peer reads.) */
void io_write_blocked(struct io *io);
SWITCHES int io_wait_read(struct io *io, deadline_t patience);
SWITCHES int io_wait_write(struct io *io, deadline_t patience);
/* As read(2)/write(2) etc., waiting where those would block. Tries first. */
SWITCHES ssize_t io_read(struct io *io, void *data, size_t len, deadline_t patience);
SWITCHES int io_write_all(struct io *io, struct str s, deadline_t patience);
SWITCHES int io_connect(
	struct io *io, const void *sockaddr, unsigned len, deadline_t patience);
/* A listening socket: fn(fd, arg) for each accepted connection (non-blocking,
 * close-on-exec). Shared by workers: EPOLLEXCLUSIVE. Pausing stops polling it; at the
 * descriptor limit it pauses by itself until something closes. */
struct io_listener;
struct io_listener *io_listen(int fd, void (*fn)(int fd, void *arg), void *arg);
void io_listener_pause(struct io_listener *l, bool pause);
void io_listener_close(struct io_listener *l); /* stops; closes the descriptor */

/* ---- timers (a heap; setting and cancelling are O(log n)) ---- */
struct timer {
	deadline_t at;
	void (*fn)(void *arg);
	void *arg;
	size_t place; /* 0: not set */
};
void timer_set(struct timer *t, deadline_t at, void (*fn)(void *arg), void *arg);
void timer_cancel(struct timer *t); /* harmless when not set */

/* ---- signals and children, delivered in the loop (signalfd) ---- */
void event_on_signal(int signo, void (*fn)(int signo, void *arg), void *arg);
/* fn(pid, wait status, arg) when the child ends. Two may not wait for the same child. */
void event_on_child(pid_t pid, void (*fn)(pid_t, int status, void *arg), void *arg);
void event_forget_child(pid_t pid);
/* 0; -1 ECANCELED or ETIMEDOUT: the child runs on, or waits to be asked for. */
SWITCHES int co_wait_child(pid_t pid, int *status, deadline_t patience);
/* In a child between fork and exec or its own event_init: unblocks signals, closes the
 * loop's own descriptors, forgets timers, coroutines, and what waits for children. */
void event_after_fork(void);

/* ---- blocking work in helper threads ---- */
/* Runs fn(arg) in the pool and waits for it to end; errno is what fn left there.
 * Cancellation is held back until fn ended. Outside coroutines it simply runs fn. Threads
 * start on first use, at most `event_offload_threads` (default 4). */
SWITCHES void event_offload(void (*fn)(void *), void *arg);
extern int event_offload_threads;
/* For long-lived helper threads of one's own (the spool's flusher): posts fn(arg) from
 * any thread to run in the loop. */
void event_post(void (*fn)(void *), void *arg);

#endif
