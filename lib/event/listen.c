/* listen.c -- listening sockets, several processes to each.
 *
 * EPOLLEXCLUSIVE wakes one of them for each connection; such a registration cannot be
 * changed, so pausing removes it. At the descriptor limit accepting would fail again and
 * again while the poller keeps saying "ready": the listener then rests until something is
 * closed, or for a second if that happens where we do not see it. */
#include "event_impl.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AT_ONCE = 16, /* connections in one turn: the other processes want some, too */
	STARVED_RETRY = 1000, /* ms */
};

struct io_listener {
	struct io io;
	void (*fn)(int fd, void *arg);
	void *arg;
	struct timer retry;
	struct io_listener *next;
	bool watched, paused, starved;
	bool busy, closed; /* fn runs; it closed us */
};

static struct io_listener *listeners;

static void
watch_or_not(struct io_listener *l)
{
	bool should = !l->paused && !l->starved && !l->closed;

	if (should && !l->watched)
		ensure(loop_watch(&l->io, EPOLLIN | EPOLLEXCLUSIVE) == 0);
	if (!should && l->watched)
		loop_unwatch(&l->io);
	l->watched = should;
}

static void
fed_again(void *arg)
{
	struct io_listener *l = arg;

	timer_cancel(&l->retry);
	l->starved = false;
	watch_or_not(l);
}

void
listen_retry(void)
{
	for (struct io_listener *l = listeners; l; l = l->next)
		if (l->starved)
			fed_again(l);
}

static void
starve(struct io_listener *l)
{
	l->starved = true;
	timer_set(&l->retry, event_now() + STARVED_RETRY, fed_again, l);
	watch_or_not(l);
}

static bool
is_lack_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Errors other than a lack of something belong to one connection, which is gone by now
 * (accept(2)): the poller will tell about others. */
static void
accept_some(struct io *io)
{
	struct io_listener *l = io->arg;

	l->busy = true;
	for (int i = 0; i < AT_ONCE && l->watched; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			l->fn(fd, l->arg);
			continue;
		}
		if (is_lack_of_descriptors(errno))
			starve(l);
		break;
	}
	l->busy = false;
	if (l->closed)
		mem_free(l);
}

struct io_listener *
io_listen(int fd, void (*fn)(int fd, void *arg), void *arg)
{
	struct io_listener *l;

	if (fd_nonblock(fd) < 0)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->io = (struct io){ .fd = fd, .on_event = accept_some, .arg = l };
	l->fn = fn;
	l->arg = arg;
	if (loop_watch(&l->io, EPOLLIN | EPOLLEXCLUSIVE) < 0) {
		mem_free(l);
		return NULL;
	}
	l->watched = true;
	l->next = listeners;
	listeners = l;
	return l;
}

void
io_listener_pause(struct io_listener *l, bool pause)
{
	l->paused = pause;
	watch_or_not(l);
}

void
io_listener_close(struct io_listener *l)
{
	struct io_listener **at = &listeners;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->closed = true;
	watch_or_not(l);
	timer_cancel(&l->retry);
	fd_close(&l->io.fd);
	if (!l->busy)
		mem_free(l);
}

/* The child of a fork may serve none, some or all of its parent's sockets: their
 * descriptors stay open. */
void
listen_reset(void)
{
	listeners = NULL;
}
