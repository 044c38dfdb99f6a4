/* haproxy.c -- see haproxy.h. */
#include "haproxy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#define V1_MOST 107 /* section 2.1, with its CRLF */
#define V2_HEAD 16  /* section 2.2: signature, version and command, family, length */

static const char v1_begin[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

static enum haproxy_state
bad(const char **what, const char *why)
{
	*what = why;
	return HAPROXY_BAD;
}

static bool
is_family(const struct net_addr *a, int family)
{
	return a->sa.ss_family == family;
}

/* ---- version 1 ---- */

/* An address as inet_pton() takes it, without brackets or prefixes. */
static bool
take_address(struct str *rest, struct str *out)
{
	return str_split(rest, ' ', out) && out->len > 0 && out->data[0] != '[' &&
	       ascii_is_alnum(out->data[out->len - 1]);
}

static bool
read_port(struct str text, unsigned *out)
{
	uint64_t port;

	if (str_to_u64(text, &port) < 0 || port > UINT16_MAX)
		return false;
	*out = (unsigned)port;
	return true;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1234 25" */
static enum haproxy_state
read_line(struct str line, struct haproxy *out, const char **what)
{
	struct str family, client, server, client_port;
	unsigned port, server_port;
	int wanted;

	line = str_from(line, sizeof(v1_begin) - 1);
	if (!str_split(&line, ' ', &family))
		return bad(what, "no protocol");
	wanted = str_is(family, "TCP4") ? AF_INET : AF_INET6;
	if (wanted == AF_INET6 && !str_is(family, "TCP6"))
		return bad(what, "unsupported protocol");
	if (!take_address(&line, &client) || !take_address(&line, &server) ||
		!str_split(&line, ' ', &client_port) || !read_port(client_port, &port) ||
		!read_port(line, &server_port) ||
		net_addr_parse(client, port, &out->client) < 0 ||
		net_addr_parse(server, server_port, &out->server) < 0 ||
		!is_family(&out->client, wanted) || !is_family(&out->server, wanted))
		return bad(what, "bad address or port");
	return HAPROXY_OK;
}

static enum haproxy_state
read_v1(struct str bytes, struct haproxy *out, size_t *used, const char **what)
{
	ssize_t lf = str_chr(bytes, '\n');
	struct str line = str_sub(bytes, 0, lf < 0 ? bytes.len : (size_t)lf);

	if (lf < 0)
		return bytes.len < V1_MOST ? HAPROXY_MORE : bad(what, "line too long");
	*used = (size_t)lf + 1;
	if (*used > V1_MOST || !str_ends(line, STR("\r")))
		return bad(what, "bad line end");
	line.len--;
	return read_line(line, out, what);
}

/* ---- version 2 ---- */

static void
set_v4(struct net_addr *a, const char *address, const char *port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;

	*a = (struct net_addr){ .len = sizeof(*in) };
	in->sin_family = AF_INET;
	memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
	memcpy(&in->sin_port, port, sizeof(in->sin_port));
}

static void
set_v6(struct net_addr *a, const char *address, const char *port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa;

	*a = (struct net_addr){ .len = sizeof(*in6) };
	in6->sin6_family = AF_INET6;
	memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
	memcpy(&in6->sin6_port, port, sizeof(in6->sin6_port));
}

/* What follows the addresses (TLVs) is passed over. */
static enum haproxy_state
read_v2(struct str bytes, struct haproxy *out, size_t *used, const char **what)
{
	const char *at = bytes.data + V2_HEAD;
	size_t len;

	if (bytes.len < V2_HEAD)
		return HAPROXY_MORE;
	len = get_u16(bytes.data + 14);
	*used = V2_HEAD + len;
	if (*used > HAPROXY_MOST)
		return bad(what, "header too long");
	if (bytes.len < *used)
		return HAPROXY_MORE;
	switch ((unsigned char)bytes.data[12]) {
	case 0x20: /* LOCAL */
		out->local = true;
		return HAPROXY_OK;
	case 0x21: /* PROXY */
		break;
	default:
		return bad(what, "unsupported version or command");
	}
	switch ((unsigned char)bytes.data[13]) {
	case 0x11: /* TCP over IPv4 */
		if (len < 12)
			return bad(what, "short address block");
		set_v4(&out->client, at, at + 8);
		set_v4(&out->server, at + 4, at + 10);
		return HAPROXY_OK;
	case 0x21: /* TCP over IPv6 */
		if (len < 36)
			return bad(what, "short address block");
		set_v6(&out->client, at, at + 32);
		set_v6(&out->server, at + 16, at + 34);
		return HAPROXY_OK;
	default:
		return bad(what, "unsupported protocol");
	}
}

enum haproxy_state
haproxy_read(struct str bytes, struct haproxy *out, size_t *used, const char **what)
{
	struct str v1 = str_of(v1_begin, sizeof(v1_begin) - 1);
	struct str v2 = str_of(v2_signature, sizeof(v2_signature) - 1);

	*out = (struct haproxy){ .local = false };
	*used = 0;
	if (str_starts(bytes, v1))
		return read_v1(bytes, out, used, what);
	if (str_starts(bytes, v2))
		return read_v2(bytes, out, used, what);
	if (str_starts(v1, bytes) || str_starts(v2, bytes))
		return HAPROXY_MORE;
	return bad(what, "no PROXY header");
}

SWITCHES bool
haproxy_take(struct io *io, deadline_t patience, struct haproxy *out, const char **what)
{
	char bytes[HAPROXY_MOST];
	size_t n = 0, used;

	for (;;) {
		ssize_t got = recv(
			io->fd, bytes + n, sizeof(bytes) - n, MSG_PEEK | MSG_DONTWAIT);
		enum haproxy_state state;
		size_t take;

		if (got < 0 && errno == EAGAIN) {
			io->readable = false;
			*what = "timeout";
			if (io_wait_read(io, patience) < 0)
				return false;
			continue;
		}
		*what = "the connection was closed";
		if (got <= 0)
			return false;
		state = haproxy_read(str_of(bytes, n + (size_t)got), out, &used, what);
		if (state == HAPROXY_BAD)
			return false;
		take = state == HAPROXY_OK ? used - n : (size_t)got;
		if (recv(io->fd, bytes + n, take, MSG_DONTWAIT) != (ssize_t)take)
			return false;
		n += take;
		if (state == HAPROXY_OK)
			return true;
	}
}
