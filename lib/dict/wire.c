/* wire.c -- see wire.h. */
#include "wire.h"
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
wire_failed(struct why *why, const char *what)
{
	why_errno(why, "4.3.0", what);
	return -1;
}

static int
wait_for(struct wire *w, short events)
{
	struct pollfd p = { .fd = w->fd, .events = events };
	msec_t left = w->until - time_monotonic();
	int n;

	do
		n = poll(&p, 1, left < 0 ? 0 : (int)MIN(left, INT32_MAX));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

/* ---- connecting ---- */

static int
connect_to(struct wire *w, const struct sockaddr *sa, socklen_t len)
{
	int error = 0;
	socklen_t size = sizeof error;

	w->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return -1;
	if (connect(w->fd, sa, len) == 0)
		return 0;
	if (errno == EINPROGRESS && wait_for(w, POLLOUT) == 0 &&
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0) {
		if (error == 0)
			return 0;
		errno = error;
	}
	fd_close(&w->fd);
	w->fd = -1;
	return -1;
}

static int
dial_unix(struct wire *w, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof un.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	return connect_to(w, (struct sockaddr *)&un, sizeof un);
}

/* Takes "host:port" apart: [v6]:port, host:port, host. */
static void
split_endpoint(struct str text, struct buf *host, struct buf *port)
{
	ssize_t colon = str_rchr(text, ':'), close = str_rchr(text, ']');

	if (colon >= 0 && colon > close) {
		buf_clear(port);
		buf_add(port, str_from(text, (size_t)colon + 1));
		text = str_sub(text, 0, (size_t)colon);
	}
	if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		text = str_sub(text, 1, text.len - 2);
	buf_add(host, text);
}

static int
dial_inet(struct wire *w, struct str text, const char *default_port, struct why *why)
{
	struct buf host CLEANUP(buf_free) = BUF_INIT, port CLEANUP(buf_free) = BUF_INIT;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found, *a;
	int error;

	buf_addz(&port, default_port);
	split_endpoint(text, &host, &port);
	if (host.len == 0)
		buf_addz(&host, "localhost");
	error = getaddrinfo(buf_cstr(&host), buf_cstr(&port), &hints, &found);
	if (error == EAI_NONAME || error == EAI_ADDRFAMILY) {
		/* A machine that has its loopback only is no reason not to use it. */
		hints.ai_flags = 0;
		error = getaddrinfo(buf_cstr(&host), buf_cstr(&port), &hints, &found);
	}
	if (error) {
		why_set(why, "4.3.0", "%s: %s", buf_cstr(&host), gai_strerror(error));
		return -1;
	}
	for (a = found; a; a = a->ai_next)
		if (connect_to(w, a->ai_addr, a->ai_addrlen) == 0)
			break;
	freeaddrinfo(found);
	return a ? 0 : -1;
}

int
wire_dial(struct wire *w, const char *endpoint, const char *port, msec_t patience,
	struct why *why)
{
	struct str text = str_c(endpoint);
	int done;

	*w = (struct wire){ .fd = -1, .in = BUF_INIT, .until = deadline_in(patience) };
	*why = (struct why){ 0 };
	if (str_starts(text, STR("unix:")))
		done = dial_unix(w, endpoint + 5);
	else if (endpoint[0] == '/')
		done = dial_unix(w, endpoint);
	else
		done = dial_inet(w,
			str_starts(text, STR("inet:")) ? str_from(text, 5) : text, port,
			why);
	if (done < 0 && !why->code[0])
		why_set(why, "4.3.0", "connect to %s: %s", endpoint, strerror(errno));
	return done;
}

void
wire_close(struct wire *w)
{
	fd_close(&w->fd);
	buf_free(&w->in);
}

struct wire *
wire_open(const char *endpoint, const char *port, msec_t patience, struct why *why)
{
	struct wire *w = mem_alloc(sizeof *w);

	if (wire_dial(w, endpoint, port, patience, why) == 0)
		return w;
	wire_free(w);
	return NULL;
}

void
wire_free(void *link)
{
	wire_close(link);
	mem_free(link);
}

/* ---- talking ---- */

void
wire_begin(struct wire *w, msec_t patience)
{
	w->until = deadline_in(patience);
	buf_drop(&w->in, w->at);
	w->at = 0;
}

int
wire_write(struct wire *w, struct str bytes, struct why *why)
{
	while (bytes.len) {
		ssize_t n = send(w->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = str_from(bytes, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return wire_failed(why, "write");
		else if (errno == EAGAIN && wait_for(w, POLLOUT) < 0)
			return wire_failed(why, "write");
	}
	return 0;
}

static int
read_more(struct wire *w, struct why *why)
{
	for (;;) {
		ssize_t n;

		buf_need(&w->in, 4096);
		n = recv(w->fd, w->in.data + w->in.len, 4096, 0);
		if (n > 0) {
			w->in.len += (size_t)n;
			return 0;
		}
		if (n == 0) {
			why_set(why, "4.3.0", "the server closed the connection");
			return -1;
		}
		if (errno == EAGAIN && wait_for(w, POLLIN) == 0)
			continue;
		if (errno != EINTR)
			return wire_failed(why, "read");
	}
}

int
wire_until(struct wire *w, char c, size_t most, struct str *bytes, struct why *why)
{
	size_t looked = 0;

	for (;;) {
		struct str have = str_from(buf_str(&w->in), w->at);
		ssize_t end = str_chr(str_from(have, looked), c);

		if (end >= 0 && looked + (size_t)end <= most) {
			*bytes = str_sub(have, 0, looked + (size_t)end);
			w->at += bytes->len + 1;
			return 0;
		}
		if (have.len > most || end >= 0) {
			why_set(why, "4.3.0", "the reply is too long");
			return -1;
		}
		looked = have.len;
		if (read_more(w, why) < 0)
			return -1;
	}
}

int
wire_line(struct wire *w, size_t most, struct str *line, struct why *why)
{
	if (wire_until(w, '\n', most + 1, line, why) < 0)
		return -1;
	if (line->len && line->data[line->len - 1] == '\r')
		line->len--;
	return 0;
}

int
wire_bytes(struct wire *w, size_t n, struct str *bytes, struct why *why)
{
	while (w->in.len - w->at < n)
		if (read_more(w, why) < 0)
			return -1;
	*bytes = str_of(w->in.data + w->at, n);
	w->at += n;
	return 0;
}
