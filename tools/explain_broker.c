/* explain_broker.c -- what broker does for daemons, for programs that only explain: whom
 * they may ask is less. */
#include "postern_explain.h"
#include "net.h"
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who can be asked without anything being changed by that, and who with --ask. Those who
 * count, remember or send are not here. */
static const struct {
	const char *program;
	unsigned needs;
} askable[] = {
	{ "dns", EXPLAIN_DNS },
	{ "stsd", EXPLAIN_DNS },
	{ "proxymap", 0 },
	{ "verify", EXPLAIN_VERIFY },
};

static const char *
socket_path(const struct explain *x, const char *where, struct str name)
{
	return arena_cstr(x->arena,
		arena_printf(x->arena, STR_FMT "/%s/" STR_FMT,
			STR_ARG(x->conf->p.queue_directory), where, STR_ARG(name)));
}

static int
connect_unix(const char *path)
{
	struct why why;

	errno = EINVAL;
	return path ? net_connect_unix(path, &why) : -1;
}

bool
explain_can_connect(const struct explain *x)
{
	int fd CLEANUP(fd_close) = connect_unix(socket_path(x, "private", STR("dns")));

	return fd >= 0;
}

static int
connect_service(const struct explain *x, const struct ipc_caller *caller, struct str name,
	struct str program, const char *where)
{
	int fd = -1;

	errno = EPERM;
	for (size_t i = 0; i < COUNT(askable); i++)
		if (str_is(program, askable[i].program) &&
			(x->may_ask & askable[i].needs) == askable[i].needs)
			fd = connect_unix(socket_path(x, where, name));
	if (fd >= 0 && ipc_hello(fd, caller) < 0)
		fd_close(&fd);
	return fd;
}

/* "host:port", "[v6]:port" */
static int
connect_inet(const struct explain *x, struct str endpoint)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	ssize_t colon = str_rchr(endpoint, ':');
	struct str host = str_sub(endpoint, 0, (size_t)MAX(colon, 0));
	int fd = -1;

	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_sub(host, 1, host.len - 2);
	errno = EINVAL;
	if (colon < 0 ||
		getaddrinfo(arena_cstr(x->arena, host.len ? host : STR("localhost")),
			arena_cstr(
				x->arena, conf_tcp_port(x->conf,
						  str_from(endpoint, (size_t)colon + 1))),
			&hints, &all) != 0)
		return -1;
	for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0)
			fd_close(&fd);
	}
	freeaddrinfo(all);
	return fd;
}

/* Policy servers. */
static int
connect_endpoint(const struct explain *x, struct str endpoint)
{
	struct str path = str_from(endpoint, 5);

	errno = EPERM;
	if (!(x->may_ask & EXPLAIN_POLICY))
		return -1;
	if (str_starts(endpoint, STR("inet:")))
		return connect_inet(x, path);
	if (!str_starts(path, STR("/")))
		path = arena_printf(x->arena, STR_FMT "/" STR_FMT,
			STR_ARG(x->conf->p.queue_directory), STR_ARG(path));
	return connect_unix(arena_cstr(x->arena, path));
}

int
explain_connect(const struct explain *x, const struct ipc_caller *caller, struct str peer)
{
	if (str_starts(peer, STR("unix:")) || str_starts(peer, STR("inet:")))
		return connect_endpoint(x, peer);
	for (size_t i = 0; i < x->services->services.n; i++) {
		const struct service_line *s = &x->services->services.items[i];

		if (s->type == SERVICE_UNIX && str_eq(s->name, peer))
			return connect_service(x, caller, peer, s->command,
				s->private_ ? "private" : "public");
	}
	return connect_service(x, caller, peer, peer, "private"); /* master's own */
}
