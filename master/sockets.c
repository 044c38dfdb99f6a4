/* sockets.c -- listening sockets live here, so that no reload and no crash of a worker
 * ever refuses a connection. */
#include "master.h"
#include "log.h"
#include "net.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     1024 /* the kernel bounds it by net.core.somaxconn */
#define REFUSE_MOST 100  /* in one turn */

void
sockets_adopt(struct line *l, int fd)
{
	struct listener *one = mem_alloc(sizeof(*one));

	one->fd = fd;
	one->line = l;
	*vec_push(&l->listeners) = one;
}

/* "ipv4, ipv6", "all" */
static bool
has_protocol(const struct conf *c, const char *name)
{
	struct str rest = c->p.inet_protocols, item;

	while (str_token(&rest, ", \t", &item))
		if (str_case_is(item, name) || str_case_is(item, "all"))
			return true;
	return false;
}

/* "submission", "host:smtp": with the port that known_tcp_ports has for the name. */
static struct str
endpoint_of(const struct line *l, const struct conf *c, struct arena *arena)
{
	struct str name = l->conf.name;
	size_t host = (size_t)(str_rchr(name, ':') + 1);

	return arena_printf(arena, STR_FMT STR_FMT, STR_ARG(str_sub(name, 0, host)),
		STR_ARG(conf_tcp_port(c, str_from(name, host))));
}

static int
open_inet(struct line *l, const struct conf *c, struct why *why)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct strs interfaces = conf_list(c->p.inet_interfaces, arena);
	struct net_fds fds = { .n = 0 };

	if (net_listen_inet(endpoint_of(l, c, arena), &interfaces,
		    has_protocol(c, "ipv4"), has_protocol(c, "ipv6"), BACKLOG, &fds,
		    why) < 0)
		return -1;
	for (size_t i = 0; i < fds.n; i++)
		sockets_adopt(l, fds.fd[i]);
	return 0;
}

/* Who may connect is decided by the directory; contract 3.8. */
static int
open_unix(struct line *l, struct why *why)
{
	int fd = net_listen_unix(l->socket, 0666, BACKLOG, why);

	if (fd < 0)
		return -1;
	sockets_adopt(l, fd);
	return 0;
}

static int
open_datagram(struct line *l, struct why *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", l->socket);
	unlink(l->socket);
	if (fd < 0 || bind(fd, (void *)&sun, sizeof(sun)) < 0 ||
		chmod(l->socket, 0666) < 0) {
		why_errno(why, "4.3.0", l->socket);
		fd_close(&fd);
		return -1;
	}
	sockets_adopt(l, fd);
	return 0;
}

int
sockets_open(struct line *l, const struct conf *c, struct why *why)
{
	switch (l->conf.type) {
	case SERVICE_INET:
		return open_inet(l, c, why);
	case SERVICE_UNIX_DGRAM:
		/* Nobody would empty it, and its writers would wait for that. */
		return l->missing ? 0 : open_datagram(l, why);
	default:
		return open_unix(l, why);
	}
}

void
sockets_close(struct line *l)
{
	sockets_poll(l, false);
	for (size_t i = 0; i < l->listeners.n; i++) {
		close(l->listeners.items[i]->fd);
		mem_free(l->listeners.items[i]);
	}
	l->listeners.n = 0;
}

/* ---- polling ---- */

static void
on_event(struct io *io)
{
	struct listener *one = io->arg;

	if (one->line->missing)
		sockets_refuse(one->line, one->fd);
	else
		supervise_demand(one->line);
}

/* The registration is edge-triggered, and a fresh one reports what waits already. */
void
sockets_poll(struct line *l, bool poll)
{
	for (size_t i = 0; i < l->listeners.n; i++) {
		struct listener *one = l->listeners.items[i];

		if (poll == one->polled)
			continue;
		one->polled = poll;
		if (!poll) {
			io_detach(&one->io);
		} else if (io_open(&one->io, one->fd) < 0) {
			log_warn("%s: polling: %m", l->key);
			one->polled = false;
		} else {
			one->io.on_event = on_event;
			one->io.arg = one;
		}
	}
}

/* ---- lines whose program is not there ---- */

/* An SMTP client comes again later; others see their connection close, and the queue
 * manager takes a transport that does so for unavailable. Nothing is read. */
void
sockets_refuse(struct line *l, int listener)
{
	static const char reply[] = "421 4.3.5 Server configuration problem\r\n";

	for (int i = 0; i < REFUSE_MOST; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (l->conf.type == SERVICE_INET &&
			send(fd, reply, sizeof(reply) - 1, MSG_NOSIGNAL) < 0)
			log_warn("%s: %m", l->key);
		close(fd);
	}
	/* More may wait than one event tells. */
	sockets_poll(l, false);
	sockets_poll(l, true);
}
