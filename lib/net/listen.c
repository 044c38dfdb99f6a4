/* listen.c -- sockets to listen on, Unix sockets, and descriptors passed over them. What
 * master and broker do; nothing here waits for a peer's goodwill. */
#include "net.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* "port", "host:port", "[v6]:port": both parts as C strings. host is empty for a bare
 * port. */
struct endpoint {
	char host[256], port[64];
};

static int
copy_z(char *out, size_t room, struct str s)
{
	if (s.len >= room || (s.len > 0 && memchr(s.data, 0, s.len)))
		return -1;
	if (s.len > 0)
		memcpy(out, s.data, s.len);
	out[s.len] = 0;
	return 0;
}

static int
endpoint_parse(struct str text, struct endpoint *out)
{
	ssize_t colon = str_rchr(text, ':');
	struct str host = colon < 0 ? STR("") : str_sub(text, 0, (size_t)colon);
	struct str port = colon < 0 ? text : str_from(text, (size_t)colon + 1);

	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_sub(host, 1, host.len - 2);
	else if (str_chr(host, ':') >= 0) /* an IPv6 address needs its brackets */
		return -1;
	if (port.len == 0 || (colon >= 0 && host.len == 0))
		return -1;
	return copy_z(out->host, sizeof(out->host), host) |
	       copy_z(out->port, sizeof(out->port), port);
}

static int
bound_socket(const struct addrinfo *at, int backlog)
{
	int on = 1, fd;

	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* Two names of inet_interfaces may mean one address. */
static bool
is_bound(const struct addrinfo *at, const struct net_fds *fds)
{
	struct sockaddr_storage bound;

	for (size_t i = 0; i < fds->n; i++) {
		socklen_t len = sizeof(bound);

		if (getsockname(fds->fd[i], (struct sockaddr *)&bound, &len) == 0 &&
			len == at->ai_addrlen && memcmp(&bound, at->ai_addr, len) == 0)
			return true;
	}
	return false;
}

static int
add_socket(const struct addrinfo *at, int backlog, struct net_fds *out)
{
	int fd;

	if (is_bound(at, out))
		return 0;
	if (out->n == COUNT(out->fd)) {
		errno = ENFILE;
		return -1;
	}
	fd = bound_socket(at, backlog);
	if (fd < 0)
		return -1;
	out->fd[out->n++] = fd;
	return 0;
}

static void
why_not_bound(const struct endpoint *e, const char *host, struct why *why)
{
	int error = errno;

	why_set(why, "4.3.5", "cannot listen on %s port %s: %s%s",
		strcasecmp(host, "all") == 0 ? "all addresses" : host, e->port,
		strerror(error),
		error == EADDRINUSE ? " (is another mail system running?)"
		: error == EACCES   ? " (ports below 1024 need root)"
				    : "");
}

/* "all" and "loopback-only": without a name getaddrinfo() gives the wildcard or the
 * loopback address of each family. A family that this kernel lacks is passed over while
 * another one works. */
static int
listen_on(const char *name, const struct endpoint *e, int family, int backlog,
	struct net_fds *out, struct why *why)
{
	bool all = strcasecmp(name, "all") == 0;
	const char *host = all || strcasecmp(name, "loopback-only") == 0 ? NULL : name;
	struct addrinfo hints = { .ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = all ? AI_PASSIVE : 0 };
	struct addrinfo *list, *at;
	bool any = false;
	int result = getaddrinfo(host, e->port, &hints, &list);

	if (result != 0) {
		why_set(why, "4.3.5", "%s:%s: %s", host ? host : "", e->port,
			gai_strerror(result));
		return -1;
	}
	result = 0;
	for (at = list; at && result == 0; at = at->ai_next) {
		if (add_socket(at, backlog, out) == 0) {
			any = true;
			continue;
		}
		why_not_bound(e, name, why);
		if (errno != EAFNOSUPPORT && !(errno == EADDRNOTAVAIL && !host))
			result = -1;
	}
	freeaddrinfo(list);
	return any ? result : -1;
}

/* A name, an address, or an IPv6 address in brackets. */
static int
listen_on_interface(struct str name, const struct endpoint *e, int family, int backlog,
	struct net_fds *out, struct why *why)
{
	char host[256];

	if (str_starts(name, STR("[")) && str_ends(name, STR("]")))
		name = str_sub(name, 1, name.len - 2);
	if (copy_z(host, sizeof(host), name) == 0)
		return listen_on(host, e, family, backlog, out, why);
	why_set(why, "4.3.5", "bad interface name \"" STR_FMT "\"", STR_ARG(name));
	return -1;
}

static void
close_all(struct net_fds *fds, size_t from)
{
	while (fds->n > from)
		fd_close(&fds->fd[--fds->n]);
}

int
net_listen_inet(struct str endpoint, const struct strs *interfaces, bool ipv4, bool ipv6,
	int backlog, struct net_fds *out, struct why *why)
{
	int family = ipv4 && ipv6 ? AF_UNSPEC : ipv6 ? AF_INET6 : AF_INET;
	size_t before = out->n;
	struct endpoint e;
	int result = 0;

	if (endpoint_parse(endpoint, &e) < 0) {
		why_set(why, "4.3.5",
			"bad address \"" STR_FMT "\": use port, host:port or "
			"[v6-address]:port",
			STR_ARG(endpoint));
		return -1;
	}
	if (e.host[0])
		result = listen_on(e.host, &e, family, backlog, out, why);
	else if (!interfaces || interfaces->n == 0)
		result = listen_on("all", &e, family, backlog, out, why);
	else
		for (size_t i = 0; i < interfaces->n && result == 0; i++)
			result = listen_on_interface(
				interfaces->items[i], &e, family, backlog, out, why);
	if (result < 0)
		close_all(out, before);
	return result;
}

/* ---- Unix sockets ---- */

static int
unix_address(const char *path, struct sockaddr_un *out, struct why *why)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (copy_z(out->sun_path, sizeof(out->sun_path), str_c(path)) == 0)
		return 0;
	why_set(why, "4.3.5",
		"%s: longer than the %zu bytes that a socket's path may have", path,
		sizeof(out->sun_path) - 1);
	return -1;
}

int
net_listen_unix(const char *path, mode_t mode, int backlog, struct why *why)
{
	struct sockaddr_un at;
	int fd;

	if (unix_address(path, &at, why) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && (unlink(path) == 0 || errno == ENOENT) &&
		bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
		chmod(path, mode) == 0 && listen(fd, backlog) == 0)
		return fd;
	why_errno(why, "4.3.0", path);
	fd_close(&fd);
	return -1;
}

int
net_connect_unix(const char *path, struct why *why)
{
	struct sockaddr_un at;
	int fd;

	if (unix_address(path, &at, why) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		why_errno(why, "4.3.0", path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}

int
net_send_fd(int sock, struct str bytes, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct iovec part = { (void *)(uintptr_t)bytes.data, bytes.len };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	ensure(bytes.len > 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < bytes.len) /* the descriptor went with the first byte */
		return write_all(sock, str_from(bytes, (size_t)n));
	return n < 0 ? -1 : 0;
}

ssize_t
net_recv_fd(int sock, void *bytes, size_t room, int *fd)
{
	char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec part = { bytes, room };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < came; i++) { /* the last one counts */
			fd_close(fd);
			memcpy(fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
	return n;
}

int
net_peer_cred(int sock, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -1;
	*pid = peer.pid;
	*uid = peer.uid;
	*gid = peer.gid;
	return 0;
}
