/* io.c -- descriptors: try first, wait for the edge where that would block. */
#include "event_impl.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EDGES = EPOLLIN | EPOLLRDHUP | (int)EPOLLET,
	CONNECT_RETRY = 10, /* ms, while the backlog of a Unix socket is full */
};

/* Of a stream, a read that got less than it asked for has emptied it. */
static bool
is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* Both directions count as ready until tried. Plain files cannot be polled (EPERM) and
 * need not be: they never block. */
int
io_open(struct io *io, int fd)
{
	*io = (struct io){ .fd = fd, .readable = true, .writable = true };
	if (fd_nonblock(fd) < 0)
		return -1;
	if (loop_watch(io, (unsigned)EDGES) < 0 && errno != EPERM)
		return -1;
	io->stream = is_stream(fd);
	return 0;
}

void
io_write_blocked(struct io *io)
{
	io->writable = false;
	if (io->writes_watched)
		return;
	io->writes_watched = true;
	ensure(loop_watch_more(io, (unsigned)EDGES | EPOLLOUT) == 0);
}

/* Coroutines that wait here learn from EBADF that they must not touch io any more. */
int
io_detach(struct io *io)
{
	struct co *reader = io->reader, *writer = io->writer;
	int fd = io->fd;

	if (fd < 0)
		return -1;
	loop_unwatch(io);
	*io = (struct io){ .fd = -1 };
	if (reader)
		co_ready(reader, EBADF);
	if (writer)
		co_ready(writer, EBADF);
	return fd;
}

void
io_close(struct io *io)
{
	int fd = io_detach(io);

	if (fd < 0)
		return;
	fd_close(&fd);
	listen_retry();
}

static int
wait_for(struct io *io, struct co **place, deadline_t patience)
{
	int got;

	ensure(!*place && !io->on_event);
	*place = co_self();
	got = co_block(patience);
	if (got == 0 || errno != EBADF)
		*place = NULL;
	return got;
}

int
io_wait_read(struct io *io, deadline_t patience)
{
	if (io->fd < 0) {
		errno = EBADF;
		return -1;
	}
	return io->readable ? 0 : wait_for(io, &io->reader, patience);
}

int
io_wait_write(struct io *io, deadline_t patience)
{
	if (io->fd < 0) {
		errno = EBADF;
		return -1;
	}
	if (io->writable)
		return 0;
	io_write_blocked(io);
	return wait_for(io, &io->writer, patience);
}

/* A cancelled coroutine gets no further just because its peer never pauses. */
static int
may_go_on(void)
{
	struct co *self = co_self();

	if (!self || !self->cancelled || self->shield > 0)
		return 0;
	errno = ECANCELED;
	return -1;
}

ssize_t
io_read(struct io *io, void *data, size_t len, deadline_t patience)
{
	if (may_go_on() < 0)
		return -1;
	for (;;) {
		ssize_t n;

		if (io_wait_read(io, patience) < 0)
			return -1;
		n = read(io->fd, data, len);
		/* A hang-up has no second edge: then only EOF or an error is the end. */
		if (n > 0 && (size_t)n < len && io->stream && !io->hangup)
			io->readable = false;
		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			io->readable = false;
		else if (errno != EINTR)
			return -1;
	}
}

int
io_write_all(struct io *io, struct str s, deadline_t patience)
{
	if (may_go_on() < 0)
		return -1;
	while (s.len > 0) {
		ssize_t n;

		if (io_wait_write(io, patience) < 0)
			return -1;
		n = write(io->fd, s.data, s.len);
		if (n >= 0)
			s = str_from(s, (size_t)n);
		else if (errno == EAGAIN)
			io->writable = false;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* A socket that was not connected yet has reported a hang-up: that is forgotten first. A
 * full backlog of a Unix socket answers EAGAIN and gives no event later. */
static int
begin_connect(struct io *io, const void *sockaddr, unsigned len, deadline_t patience)
{
	for (;;) {
		io->writable = io->hangup = false;
		if (connect(io->fd, sockaddr, len) == 0 || errno == EISCONN) {
			io->writable = true;
			return 0;
		}
		if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
			return 1;
		if (errno != EAGAIN)
			return -1;
		if (patience <= event_now()) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (co_sleep(deadline_least(patience, event_now() + CONNECT_RETRY)) < 0)
			return -1;
	}
}

int
io_connect(struct io *io, const void *sockaddr, unsigned len, deadline_t patience)
{
	int waits, error = 0;
	socklen_t size = sizeof(error);

	if (may_go_on() < 0)
		return -1;
	waits = begin_connect(io, sockaddr, len, patience);
	if (waits <= 0)
		return waits;
	if (io_wait_write(io, patience) < 0)
		return -1;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -1;
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}
