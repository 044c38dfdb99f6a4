/* io_test.c -- descriptors: reading, writing, connecting, listening. */
#include "event_test.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

static struct io near, far;

static void
open_pair(int type)
{
	int fds[2];

	ensure(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
	ensure(io_open(&near, fds[0]) == 0 && io_open(&far, fds[1]) == 0);
}

static void
close_pair(void)
{
	io_close(&near);
	io_close(&far);
	io_close(&far); /* harmless */
}

static void
echo(void *arg)
{
	char data[64];
	ssize_t n;

	(void)arg;
	while ((n = io_read(&far, data, sizeof(data), DEADLINE_NEVER)) > 0)
		CHECK_INT(io_write_all(&far, str_of(data, (size_t)n), DEADLINE_NEVER), 0);
	CHECK_INT(n, 0);
}

static void
echoes(void)
{
	char data[64];
	struct co_scope scope;

	open_pair(SOCK_STREAM);
	co_scope_init(&scope);
	co_scope_spawn(&scope, echo, NULL, CO_STACK_SMALL);
	for (int i = 0; i < 100; i++) {
		CHECK_INT(io_write_all(&near, STR("hello"), DEADLINE_NEVER), 0);
		CHECK_INT(io_read(&near, data, sizeof(data), DEADLINE_NEVER), 5);
	}
	shutdown(near.fd, SHUT_WR);
	co_scope_end(&scope, false);
	close_pair();
}

TEST(reads_and_writes)
{
	in_loop(echoes);
}

/* A short read says "empty" only of a stream: packets may be left. */
static void
reads_packets(void)
{
	char data[64];

	open_pair(SOCK_SEQPACKET);
	for (int i = 0; i < 3; i++)
		CHECK_INT(write(near.fd, "packet", 6), 6);
	turns(2);
	for (int i = 0; i < 3; i++)
		CHECK_INT(io_read(&far, data, sizeof(data), event_now() + 1000), 6);
	close_pair();
}

TEST(packets_are_read_one_by_one)
{
	in_loop(reads_packets);
}

/* Data and the end of the stream arrive with one edge: both are seen. */
static void
reads_to_the_end(void)
{
	char data[64];

	open_pair(SOCK_STREAM);
	CHECK_INT(write(near.fd, "last words", 10), 10);
	io_close(&near);
	turns(2);
	CHECK(far.hangup);
	CHECK_INT(io_read(&far, data, sizeof(data), event_now() + 1000), 10);
	CHECK_INT(io_read(&far, data, sizeof(data), event_now() + 1000), 0);
	CHECK(io_write_all(&far, STR("x"), DEADLINE_NEVER) < 0 && errno == EPIPE);
	close_pair();
}

TEST(the_end_of_a_stream_is_not_missed)
{
	in_loop(reads_to_the_end);
}

enum { MUCH = 4 << 20 };

static void
drain(void *arg)
{
	static char data[65536];
	size_t *got = arg;
	ssize_t n;

	while (*got < MUCH && (n = io_read(&far, data, sizeof(data), DEADLINE_NEVER)) > 0)
		*got += (size_t)n;
}

static void
writes_much(void)
{
	struct co_scope scope;
	char *much = mem_alloc(MUCH);
	size_t got = 0;

	open_pair(SOCK_STREAM);
	co_scope_init(&scope);
	co_scope_spawn(&scope, drain, &got, CO_STACK_SMALL);
	CHECK_INT(io_write_all(&near, str_of(much, MUCH), DEADLINE_NEVER), 0);
	co_scope_end(&scope, false);
	CHECK_INT(got, MUCH);
	CHECK(io_write_all(&near, str_of(much, MUCH), event_now() + 2) < 0);
	CHECK_INT(errno, ETIMEDOUT);
	close_pair();
	mem_free(much);
}

TEST(a_full_socket_is_waited_for)
{
	in_loop(writes_much);
}

static void
reads_and_fails(void *arg)
{
	char data[64];
	int *error = arg;

	*error = io_read(&far, data, sizeof(data), DEADLINE_NEVER) < 0 ? errno : 0;
}

static void
waits_end_early(void)
{
	char data[64];
	struct co_scope scope;
	int error = -1;

	open_pair(SOCK_STREAM);
	CHECK(io_read(&near, data, sizeof(data), event_now() + 1) < 0 &&
		errno == ETIMEDOUT);
	CHECK(io_wait_read(&near, event_now() + 1) < 0 && errno == ETIMEDOUT);
	co_scope_init(&scope);
	co_scope_spawn(&scope, reads_and_fails, &error, CO_STACK_SMALL);
	turns(1);
	co_scope_end(&scope, true);
	CHECK_INT(error, ECANCELED);
	CHECK(!far.reader);
	/* Cancelled: no further, although there is something to read. */
	CHECK_INT(write(near.fd, "x", 1), 1);
	co_cancel(co_self());
	CHECK(io_read(&far, data, sizeof(data), DEADLINE_NEVER) < 0 &&
		errno == ECANCELED);
	CHECK(io_write_all(&far, STR("x"), DEADLINE_NEVER) < 0 && errno == ECANCELED);
	co_shield(1);
	CHECK_INT(io_read(&far, data, sizeof(data), DEADLINE_NEVER), 1);
	close_pair();
	CHECK(io_read(&far, data, sizeof(data), DEADLINE_NEVER) < 0 && errno == EBADF);
	CHECK(io_write_all(&far, STR("x"), DEADLINE_NEVER) < 0 && errno == EBADF);
}

TEST(deadlines_and_cancelling_end_io)
{
	in_loop(waits_end_early);
}

static void
closed_while_waiting(void)
{
	struct co_scope scope;
	int error = -1;

	open_pair(SOCK_STREAM);
	co_scope_init(&scope);
	co_scope_spawn(&scope, reads_and_fails, &error, CO_STACK_SMALL);
	turns(1);
	close_pair();
	co_scope_end(&scope, false);
	CHECK_INT(error, EBADF);
}

TEST(closing_wakes_who_waits_there)
{
	in_loop(closed_while_waiting);
}

static void
opens_others(void)
{
	struct io io;
	char data[8], path[4200];
	int fds[2], fd;

	snprintf(path, sizeof(path), "%s/plain", test_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(io_open(&io, fd), 0);
	CHECK_INT(io_write_all(&io, STR("text"), DEADLINE_NEVER), 0);
	CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	CHECK_INT(io_read(&io, data, sizeof(data), DEADLINE_NEVER), 4);
	CHECK_INT(io_read(&io, data, sizeof(data), DEADLINE_NEVER), 0);
	io_close(&io);
	CHECK(io_open(&io, fd) < 0 && errno == EBADF);

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(io_open(&io, fds[0]), 0);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK_INT(write(fds[1], "x", 1), 1);
	CHECK_INT(io_read(&io, data, sizeof(data), DEADLINE_NEVER), 1);
	close(fds[1]);
	CHECK_INT(io_read(&io, data, sizeof(data), DEADLINE_NEVER), 0);
	CHECK_INT(io_detach(&io), fds[0]);
	CHECK_INT(io_detach(&io), -1);
	close(fds[0]);
}

TEST(plain_files_and_pipes)
{
	in_loop(opens_others);
}

/* ---- callbacks instead of coroutines ---- */

static int called;

static void
close_both(struct io *io)
{
	(void)io;
	called++;
	close_pair(); /* the other one's event of this turn must not arrive any more */
}

static void
callback_closes(void)
{
	open_pair(SOCK_STREAM);
	turns(2);
	called = 0;
	near.on_event = far.on_event = close_both;
	CHECK_INT(write(near.fd, "x", 1), 1);
	CHECK_INT(write(far.fd, "x", 1), 1);
	turns(2);
	CHECK_INT(called, 1);
}

TEST(a_callback_may_close_others)
{
	in_loop(callback_closes);
}

static struct co_queue room;

static void
on_room(struct io *io)
{
	if (io->writable)
		co_wake_all(&room);
}

static void
callback_writes(void)
{
	static char much[65536];
	size_t got = 0;

	open_pair(SOCK_STREAM);
	near.on_event = on_room;
	while (write(near.fd, much, sizeof(much)) > 0)
		;
	CHECK_INT(errno, EAGAIN);
	io_write_blocked(&near);
	turns(2);
	CHECK(!near.writable);
	while (read(far.fd, much, sizeof(much)) > 0)
		got++;
	CHECK(got > 0);
	CHECK_INT(co_wait(&room, event_now() + 10000), 0);
	CHECK(near.writable);
	close_pair();
}

TEST(a_callback_hears_of_room_to_write)
{
	in_loop(callback_writes);
}

/* ---- connecting and listening ---- */

static int
listener_open(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET };
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ensure(bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0 && listen(fd, 128) == 0);
	ensure(getsockname(fd, (struct sockaddr *)at, &len) == 0);
	return fd;
}

static struct io_listener *listener;
static int accepted[100];
static size_t accepted_n;
static struct co_queue accepting;

static void
on_accept(int fd, void *arg)
{
	(void)arg;
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	accepted[accepted_n++] = fd;
	co_wake_all(&accepting);
}

static void
wait_for_accepted(size_t n)
{
	for (int i = 0; i < 20 && accepted_n < n; i++)
		co_wait(&accepting, event_now() + 500);
	CHECK_INT(accepted_n, n);
}

static void
forget_accepted(void)
{
	while (accepted_n > 0)
		close(accepted[--accepted_n]);
}

static void
connect_to(const struct sockaddr_in *at, struct io *io)
{
	CHECK_INT(io_open(io, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0);
	turns(2); /* the hang-up of a socket without connection is seen, and forgotten */
	CHECK_INT(io_connect(io, at, sizeof(*at), event_now() + 10000), 0);
	CHECK(!io->hangup);
}

static void
listens(void)
{
	struct sockaddr_in at;
	struct io client[30];

	listener = io_listen(listener_open(&at), on_accept, NULL);
	for (size_t i = 0; i < COUNT(client); i++)
		connect_to(&at, &client[i]);
	wait_for_accepted(COUNT(client));
	for (size_t i = 0; i < COUNT(client); i++)
		io_close(&client[i]);
	forget_accepted();
	/* Paused: the connection waits in the backlog. */
	io_listener_pause(listener, true);
	connect_to(&at, &client[0]);
	turns(3);
	CHECK_INT(accepted_n, 0);
	io_listener_pause(listener, false);
	wait_for_accepted(1);
	io_close(&client[0]);
	forget_accepted();
	io_listener_close(listener);
}

TEST(a_listener_accepts_and_pauses)
{
	in_loop(listens);
}

static void
nothing_listens(void)
{
	struct sockaddr_in at;
	struct io io;
	int fd = listener_open(&at);

	close(fd);
	CHECK_INT(io_open(&io, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0);
	CHECK(io_connect(&io, &at, sizeof(at), DEADLINE_NEVER) < 0 &&
		errno == ECONNREFUSED);
	io_close(&io);
	CHECK(!io_listen(-1, on_accept, NULL));
}

TEST(a_refused_connection_is_an_error)
{
	in_loop(nothing_listens);
}

static void
accept_and_close(int fd, void *arg)
{
	(void)arg;
	close(fd);
	io_listener_close(listener);
	listener = NULL;
	co_wake_all(&accepting);
}

static void
closes_itself(void)
{
	struct sockaddr_in at;
	struct io io;

	listener = io_listen(listener_open(&at), accept_and_close, NULL);
	connect_to(&at, &io);
	for (int i = 0; i < 20 && listener; i++)
		co_wait(&accepting, event_now() + 500);
	CHECK(!listener);
	io_close(&io);
}

TEST(a_listener_may_be_closed_by_its_own_callback)
{
	in_loop(closes_itself);
}

/* At the descriptor limit the listener rests; closing anything wakes it. */
static void
starves(void)
{
	struct sockaddr_in at;
	struct rlimit before, few;
	struct io client, spare;
	int highest;

	if (RUNNING_ON_VALGRIND)
		return; /* it has a descriptor limit of its own, checked after accepting
			 */
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	listener = io_listen(listener_open(&at), on_accept, NULL);
	io_listener_pause(listener, true);
	connect_to(&at, &client);
	CHECK_INT(io_open(&spare, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0);
	highest = dup(spare.fd);
	few.rlim_cur = (rlim_t)highest;
	close(highest);
	ensure(setrlimit(RLIMIT_NOFILE, &few) == 0);
	io_listener_pause(listener, false);
	turns(5);
	CHECK_INT(accepted_n, 0);
	io_close(&spare);
	wait_for_accepted(1);
	setrlimit(RLIMIT_NOFILE, &before);
	io_close(&client);
	forget_accepted();
	io_listener_close(listener);
}

TEST(at_the_descriptor_limit_a_listener_rests)
{
	in_loop(starves);
}

/* ---- a Unix socket with a full backlog ---- */

static struct sockaddr_un crowded;

static void
connects_later(void *arg)
{
	struct io io;

	(void)arg;
	CHECK_INT(io_open(&io, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0);
	CHECK_INT(io_connect(&io, &crowded, sizeof(crowded), event_now() + 10000), 0);
	io_close(&io);
}

static void
backlog_is_full(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct co_scope scope;
	struct io io;

	crowded = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(crowded.sun_path, sizeof(crowded.sun_path), "%s/crowded", test_dir());
	ensure(bind(fd, (struct sockaddr *)&crowded, sizeof(crowded)) == 0);
	ensure(listen(fd, 0) == 0);
	co_scope_init(&scope);
	for (int i = 0; i < 3; i++)
		co_scope_spawn(&scope, connects_later, NULL, CO_STACK_SMALL);
	turns(2);
	CHECK_INT(io_open(&io, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0);
	CHECK(io_connect(&io, &crowded, sizeof(crowded), event_now() + 1) < 0);
	CHECK_INT(errno, ETIMEDOUT);
	io_close(&io);
	listener = io_listen(fd, on_accept, NULL);
	co_scope_end(&scope, false);
	io_listener_close(listener);
	forget_accepted();
}

TEST(a_full_backlog_is_waited_for)
{
	in_loop(backlog_is_full);
}
