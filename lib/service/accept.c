/* accept.c -- the listeners that master shares out, and what becomes of each connection:
 * a session, an IPC link, a trigger. */
#include "config.h"
#include "service_impl.h"
#include "log.h"
#include "messages.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* broker writes its HELLO before it hands a connection on, so who is silent for this long
 * is not one of ours. */
#define FIRST_BYTES_WAIT ((msec_t)500)
#define TRIGGER_BYTES    64
#define PASSED_WAIT      ((msec_t)5000)
#define PASSED_BYTES     512

static struct {
	struct io_listener *open[SPAWN_LISTENERS];
	size_t n;
	bool full, helped, paused;
	struct co_scope sessions;
} accepting;

/* ---- the limit ---- */

static void
pause_or_not(void)
{
	bool pause = accepting.full || accepting.helped;

	if (pause == accepting.paused)
		return;
	accepting.paused = pause;
	for (size_t i = 0; i < accepting.n; i++)
		io_listener_pause(accepting.open[i], pause);
}

void
accept_limit(void)
{
	bool full = worker.spawn.limit && worker.sessions >= worker.spawn.limit;

	if (full == accepting.full)
		return;
	accepting.full = full;
	pause_or_not();
	control_tell(full ? CONTROL_FULL : CONTROL_ROOM, 0);
}

void
accept_help(bool wait)
{
	accepting.helped = wait;
	pause_or_not();
}

static void
session_begins(void)
{
	worker.sessions++;
	worker.served++;
	accept_limit();
	control_load_changed();
}

static void
session_ends(void)
{
	worker.sessions--;
	accept_limit();
	control_load_changed();
	worker_settle();
}

/* ---- kinds of connections; the descriptor travels as the coroutine's argument ---- */

static void
run_conn(int fd, SWITCHES void (*serve)(struct conn *), struct conn_ends *ends)
{
	struct conn *conn = conn_open(fd);

	if (conn) {
		conn->ends = ends;
		serve(conn);
		conn_close(conn);
	} else {
		mem_free(ends);
	}
	log_session(0);
}

static void
stream_session(void *arg)
{
	run_conn((int)(intptr_t)arg, worker.service->session, NULL);
	session_ends();
}

/* What came up to and with the descriptor: the HELLO of broker, and a struct passed.
 * NULL: nobody says between whom the connection is. */
static struct conn_ends *
passed_ends(struct str bytes)
{
	struct passed said;
	struct conn_ends *ends;

	if (ipc_is_hello(bytes))
		bytes = ipc_after_hello(bytes);
	if (bytes.len == 0 || passed_get(bytes, &said, NULL) < 0 || !said.client.len)
		return NULL;
	ends = mem_alloc(sizeof(*ends));
	if (net_addr_parse(said.client, said.client_port, &ends->client) == 0 &&
		net_addr_parse(said.server, said.server_port, &ends->server) == 0)
		return ends;
	mem_free(ends);
	return NULL;
}

/* A service of type pass: each connection brings one descriptor, and that is the
 * client's. -1: none came in time. */
SWITCHES static int
receive_passed(struct io *link, struct conn_ends **ends)
{
	deadline_t patience = deadline_in(PASSED_WAIT);
	char bytes[PASSED_BYTES];
	size_t n = 0;
	ssize_t got;
	int fd;

	while (n < sizeof(bytes)) {
		got = net_recv_fd(link->fd, bytes + n, sizeof(bytes) - n, &fd);
		n += got > 0 ? (size_t)got : 0;
		if (got > 0 && fd >= 0) {
			*ends = passed_ends(str_of(bytes, n));
			return fd;
		}
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return -1;
		if (got < 0) {
			link->readable = false;
			if (io_wait_read(link, patience) < 0)
				return -1;
		}
	}
	return -1;
}

/* Who could pass us a descriptor could pretend that any client had sent what it says. */
static bool
may_pass(int link)
{
	pid_t pid;
	uid_t uid;
	gid_t gid;

	return net_peer_cred(link, &pid, &uid, &gid) == 0 &&
	       (uid == 0 || uid == geteuid() || uid == worker.trusted);
}

static void
passed_session(void *arg)
{
	struct io link = { 0 };
	struct conn_ends *ends = NULL;
	int sock = (int)(intptr_t)arg, fd = -1;

	if (!may_pass(sock) || io_open(&link, sock) < 0) {
		close(sock);
	} else {
		fd = receive_passed(&link, &ends);
		io_close(&link);
	}
	if (fd >= 0)
		run_conn(fd, worker.service->session, ends);
	session_ends();
}

static void
plain_session(void *arg)
{
	run_conn((int)(intptr_t)arg, worker.service->plain, NULL);
	session_ends();
}

static void
link_closed(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	if (worker.service->link_closed)
		worker.service->link_closed(link);
	for (size_t i = 0; i < worker.links.n; i++)
		if (worker.links.items[i] == link)
			worker.links.items[i] = worker.links.items[--worker.links.n];
	control_load_changed();
	worker_settle();
}

static void
take_link(int fd)
{
	struct ipc_link *link = ipc_link_accept(
		fd, worker.service->handlers, NULL, link_closed, worker.trusted);

	if (!link)
		return;
	*vec_push(&worker.links) = link;
	worker.served++;
	control_load_changed();
}

/* Each byte of a trigger is one request (postkick writes one of its choice, master 'W');
 * the peer closes when it has written. */
static void
take_trigger(int fd)
{
	char bytes[TRIGGER_BYTES];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	close(fd);
	if (got > 0)
		worker.service->wakeup();
}

/* Waits for the first byte, unread; -1 when there was none in time, 0 at the end. */
SWITCHES static ssize_t
first_byte(struct io *io, char *out)
{
	deadline_t patience = deadline_in(FIRST_BYTES_WAIT);
	ssize_t got;

	for (;;) {
		got = recv(io->fd, out, 1, MSG_PEEK | MSG_DONTWAIT);
		if (got >= 0 || errno != EAGAIN)
			return got;
		io->readable = false;
		if (io_wait_read(io, patience) < 0)
			return -1;
	}
}

/* Unix listeners of services that speak IPC, or are woken up. */
static void
sort_connection(void *arg)
{
	struct io io = { 0 };
	const struct service *s = worker.service;
	int fd = (int)(intptr_t)arg;
	char first = 'W';
	ssize_t got;

	if (io_open(&io, fd) < 0) {
		close(fd);
		session_ends();
		return;
	}
	got = first_byte(&io, &first);
	fd = io_detach(&io);
	if (got == 1 && ipc_is_hello(str_of(&first, 1)) && s->handlers)
		take_link(fd);
	else if (got == 1 && s->wakeup)
		take_trigger(fd);
	else if (s->plain && got != 0 && errno != ECANCELED)
		run_conn(fd, s->plain, NULL);
	else
		close(fd);
	session_ends();
}

static void
accepted(int fd, void *arg)
{
	const struct service *s = worker.service;
	void *as_argument = (void *)(intptr_t)fd;

	(void)arg;
	session_begins();
	if (s->session && strcmp(worker.options.transport, "pass") == 0)
		co_scope_spawn(
			&accepting.sessions, passed_session, as_argument, CO_STACK_LARGE);
	else if (s->session)
		co_scope_spawn(
			&accepting.sessions, stream_session, as_argument, CO_STACK_LARGE);
	else if (s->plain && !s->handlers && !s->wakeup)
		co_scope_spawn(
			&accepting.sessions, plain_session, as_argument, CO_STACK_LARGE);
	else
		co_scope_spawn(&accepting.sessions, sort_connection, as_argument,
			CO_STACK_LARGE);
}

/* ---- the listeners ---- */

void
accept_start(void)
{
	co_scope_init(&accepting.sessions);
	if (worker.service->datagram) {
		datagrams_start();
		return;
	}
	for (size_t i = 0; i < worker.spawn.n_listeners; i++) {
		struct io_listener *l =
			io_listen(worker.spawn.listeners[i], accepted, NULL);

		if (!l)
			log_fatal("listening on descriptor %d: %m",
				worker.spawn.listeners[i]);
		accepting.open[accepting.n++] = l;
	}
}

void
accept_stop(void)
{
	datagrams_stop();
	while (accepting.n > 0)
		io_listener_close(accepting.open[--accepting.n]);
}

SWITCHES void
accept_cancel_all(void)
{
	co_scope_end(&accepting.sessions, true);
}
