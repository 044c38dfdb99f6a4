/* loop.c -- one turn after the other: poll, deliver, run what became ready, tidy up.
 *
 * Registrations are edge-triggered and made once, so that waiting costs no system call
 * besides epoll_wait itself. */
#include "event_impl.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 256 };

static int poller = -1;
static struct epoll_event batch[BATCH];
static int batch_at, batch_n; /* batch[batch_at] and later are not delivered yet */
static deadline_t now;
static bool running, stopping, unfinished;
static pid_t owner; /* the process that this loop was made in */

deadline_t
event_now(void)
{
	return now;
}

static int
control(struct io *io, int what, unsigned events)
{
	struct epoll_event e = { .events = events, .data.ptr = io };

	return epoll_ctl(poller, what, io->fd, &e);
}

int
loop_watch(struct io *io, unsigned events)
{
	return control(io, EPOLL_CTL_ADD, events);
}

/* What is ready at this moment counts as an event. */
int
loop_watch_more(struct io *io, unsigned events)
{
	return control(io, EPOLL_CTL_MOD, events);
}

/* Explicitly: closing a descriptor of which another process holds a copy would leave the
 * registration behind. */
void
loop_unwatch(struct io *io)
{
	epoll_ctl(poller, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = batch_at; i < batch_n; i++)
		if (batch[i].data.ptr == io)
			batch[i].data.ptr = NULL;
}

static void
deliver(struct io *io, unsigned events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		io->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		io->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		io->hangup = true;
	if (io->on_event) {
		io->on_event(io);
		return;
	}
	if (io->readable && io->reader)
		co_ready(io->reader, 0);
	if (io->writable && io->writer)
		co_ready(io->writer, 0);
}

/* Asks the clock again only when it is going to sleep: after a turn that a disk held up,
 * a timer must not wait for that time once more. */
static int
patience(void)
{
	if (co_any_ready() || unfinished)
		return 0;
	return timer_patience(time_monotonic());
}

void (*event_turn_hook)(void);

static void
turn(void)
{
	batch_n = epoll_wait(poller, batch, BATCH, patience());
	ensure(batch_n >= 0 || errno == EINTR);
	now = time_monotonic();
	for (batch_at = 0; batch_at < batch_n;) {
		struct epoll_event e = batch[batch_at++];

		if (e.data.ptr)
			deliver(e.data.ptr, e.events);
	}
	batch_n = 0;
	timer_run(now);
	co_run_ready();
	/* Twice: what a turn says in the log is there before what it tells its peers, so
	 * that their lines about it come later; and what the last writes said does not
	 * wait. */
	if (event_turn_hook)
		event_turn_hook();
	unfinished = !later_run();
	if (event_turn_hook)
		event_turn_hook();
}

void
event_run(void)
{
	ensure(poller >= 0 && !running);
	running = true;
	unfinished = true; /* what main queued is done before the first sleep */
	while (!stopping)
		turn();
	stopping = false;
	running = false;
}

void
event_stop(void)
{
	stopping = true;
}

/* A write to somebody who hung up is an error of that write, not a reason to die; and
 * whoever started us may have had SIGCHLD ignored, which would lose our children. */
void
event_init(void)
{
	event_after_fork();
	poller = epoll_create1(EPOLL_CLOEXEC);
	ensure(poller >= 0);
	owner = getpid();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	now = time_monotonic();
	signal_init();
	child_init();
	post_init();
}

/* The helper threads did not come along, and one of them may have held a lock. But tests
 * come here without a fork, with the threads alive. */
void
event_after_fork(void)
{
	if (poller < 0)
		return;
	if (owner != getpid()) {
		post_forked();
		offload_forked();
	}
	fd_close(&poller);
	signal_close();
	post_close();
	child_reset();
	listen_reset();
	timer_reset();
	later_reset();
	co_reset();
	batch_n = 0;
	running = stopping = false;
	signal(SIGPIPE, SIG_DFL);
}
