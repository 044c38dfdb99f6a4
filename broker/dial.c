/* dial.c -- connects: to our own sockets, and to those of other software. */
#include "broker.h"
#include "event.h"
#include "ipc.h"
#include "messages.h"
#include "net.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

/* A listener whose queue is full is asked again; there is no event to wait for. */
#define FULL_PAUSE    ((msec_t)20)
#define FULL_PATIENCE ((msec_t)5000)
/* Of a server elsewhere: who asks has less patience than that, or gives up. */
#define DIAL_PATIENCE  ((msec_t)30000)
#define ADDRESSES_MOST 16

int
dial_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	deadline_t patience = deadline_in(FULL_PATIENCE);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || (size_t)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path) >=
			      sizeof(sun.sun_path)) {
		fd_close(&fd);
		return -1;
	}
	while (connect(fd, (void *)&sun, sizeof(sun)) < 0) {
		if (errno == EAGAIN && !deadline_passed(patience) &&
			co_sleep(deadline_in(FULL_PAUSE)) == 0)
			continue;
		fd_close(&fd);
		return -1;
	}
	return fd;
}

/* ---- inet ---- */

static int
dial_address(const struct net_addr *a, deadline_t patience)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct io io;
	int error;

	if (fd < 0 || io_open(&io, fd) < 0) {
		fd_close(&fd);
		return -1;
	}
	if (io_connect(&io, &a->sa, a->len, patience) == 0)
		return io_detach(&io);
	error = errno;
	io_close(&io);
	errno = error;
	return -1;
}

/* dns is asked over a link of our own. */
static int
connect_dns(const char *name, deadline_t patience)
{
	struct ipc_caller self = {
		.program = "broker", .pid = getpid(), .uid = getuid()
	};
	const struct destination *to = directory_find(broker_directory(), str_c(name));
	int fd = to ? dial_unix(to->socket) : -1;

	(void)patience;
	if (fd >= 0 && ipc_hello(fd, &self) < 0)
		fd_close(&fd);
	return fd;
}

static struct ipc_peer *
dns(void)
{
	static const struct ipc_handler none[] = { { .type = 0 } };
	static struct ipc_peer *peer;

	if (!peer)
		peer = ipc_peer_new("dns", connect_dns, none, NULL);
	return peer;
}

/* Each address of the host in turn, until one answers. */
static int
dial_host(struct str host, unsigned port, deadline_t patience)
{
	static const uint16_t types[] = { ns_t_a, ns_t_aaaa };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	int error = EHOSTUNREACH;

	for (size_t t = 0; t < COUNT(types); t++) {
		struct dns_request ask = {
			.name = host, .type = types[t], .flags = DNS_HOSTS
		};
		struct dns_reply said;
		struct net_addr a;

		if (dns_call(dns(), &ask, &said, arena, patience) < 0) {
			error = errno;
			continue;
		}
		for (size_t i = 0;
			said.status == DNS_OK && i < said.n_records && i < ADDRESSES_MOST;
			i++) {
			int fd;

			if (said.records[i].type != types[t] ||
				net_addr_parse(said.records[i].data, port, &a) < 0)
				continue;
			fd = dial_address(&a, patience);
			if (fd >= 0)
				return fd;
			error = errno;
		}
	}
	errno = error;
	return -1;
}

int
dial_inet(const struct conf *c, struct str endpoint)
{
	deadline_t patience = deadline_in(DIAL_PATIENCE);
	ssize_t colon = str_rchr(endpoint, ':');
	struct str host = str_sub(endpoint, 0, colon < 0 ? 0 : (size_t)colon);
	struct str service;
	struct net_addr a;
	uint64_t port;

	errno = EINVAL;
	if (colon < 0)
		return -1;
	service = conf_tcp_port(c, str_from(endpoint, (size_t)colon + 1));
	if (str_to_u64(service, &port) < 0 || port == 0 || port > UINT16_MAX)
		return -1;
	if (host.len == 0)
		host = STR("localhost");
	if (net_addr_parse(host, (unsigned)port, &a) == 0)
		return dial_address(&a, patience);
	return dial_host(host, (unsigned)port, patience);
}
