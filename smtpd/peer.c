/* peer.c -- who the client is: its address, and the name that belongs to it.
 *
 * A name counts only when it resolves back to the address, since whoever owns the address
 * can claim any name. The dns service is asked over its link, so that no other session
 * waits; without an answer the client is "unknown", as under Postfix. */
#include "session.h"
#include "address.h"
#include "service.h"
#include <arpa/nameser.h>
#include <netinet/in.h>

#define DNS_PATIENCE 30000 /* what resolv.conf's defaults add up to */

/* Names found lately, so that a client that connects for each message is looked up once.
 */
#define REMEMBERED   64
#define REMEMBER_FOR 30000
static struct remembered {
	char address[NET_ADDR_TEXT];
	char name[256], reverse_name[256];
	deadline_t until;
} remembered[REMEMBERED];

static struct remembered *
place_of(struct str address)
{
	return &remembered[str_hash(address) % REMEMBERED];
}

static bool
recall(struct session *s)
{
	struct remembered *r = place_of(s->address);

	if (event_now() >= r->until || !str_is(s->address, r->address))
		return false;
	s->name = arena_str(s->arena, str_c(r->name));
	s->reverse_name = arena_str(s->arena, str_c(r->reverse_name));
	return true;
}

static void
remember(const struct session *s)
{
	struct remembered *r = place_of(s->address);

	if (s->address.len >= sizeof(r->address) || s->name.len >= sizeof(r->name) ||
		s->reverse_name.len >= sizeof(r->reverse_name))
		return;
	*r = (struct remembered){ .until = event_now() + REMEMBER_FOR };
	memcpy(r->address, s->address.data, s->address.len);
	memcpy(r->name, s->name.data, s->name.len);
	memcpy(r->reverse_name, s->reverse_name.data, s->reverse_name.len);
}

/* "1.2.0.192.in-addr.arpa" (RFC 1035 section 3.5), "1.0.0. ... ip6.arpa" (RFC 3596). */
static struct str
reverse_query(const struct net_addr *a, struct arena *arena)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;

	if (a->sa.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

		for (int i = 15; i >= 0; i--)
			buf_printf(&name, "%x.%x.", in6->sin6_addr.s6_addr[i] & 15,
				in6->sin6_addr.s6_addr[i] >> 4);
		buf_addz(&name, "ip6.arpa");
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
		const unsigned char *b = (const unsigned char *)&in->sin_addr;

		buf_printf(&name, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
	}
	return arena_str(arena, buf_str(&name));
}

static int
ask(struct session *s, struct str name, uint16_t type, struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type, .flags = DNS_HOSTS };

	return dns_call(service_peer("dns"), &question, said, s->arena,
		deadline_in(DNS_PATIENCE));
}

/* Does one of the addresses of `name` equal that of the client? */
static bool
resolves_back(struct session *s, struct str name, struct str *reason)
{
	struct dns_reply said;

	if (ask(s, name, s->peer.sa.ss_family == AF_INET6 ? ns_t_aaaa : ns_t_a, &said) <
		0) {
		*reason = STR("Host not found, try again");
		return false;
	}
	if (said.status != DNS_OK) {
		*reason =
			said.reason.len ? said.reason : STR("Name or service not known");
		return false;
	}
	for (size_t i = 0; i < said.n_records; i++) {
		struct net_addr a;
		char text[NET_ADDR_TEXT];

		if (net_addr_parse(said.records[i].data, 0, &a) == 0 &&
			str_is(s->address, net_addr_text(&a, text)))
			return true;
	}
	*reason = STR_NONE;
	return false;
}

/* A name that looks like an address, or is no hostname, would deceive log readers and
 * tables alike. */
static bool
is_credible(struct str name)
{
	struct net_addr numeric;

	return address_domain_is_valid(name, ADDRESS_LOOSE) && str_chr(name, ':') < 0 &&
	       net_addr_parse(name, 0, &numeric) < 0 && !str_case_is(name, "unknown");
}

void
peer_find_name(struct session *s)
{
	struct dns_reply said;
	struct str reason;

	s->name = s->reverse_name = STR("unknown");
	if (!s->p->smtpd_peername_lookup || s->suspect || recall(s))
		return;
	if (ask(s, reverse_query(&s->peer, s->arena), ns_t_ptr, &said) < 0 ||
		said.status != DNS_OK || said.n_records == 0 ||
		!is_credible(said.records[0].data))
		return;
	s->reverse_name = said.records[0].data;
	if (resolves_back(s, s->reverse_name, &reason))
		s->name = s->reverse_name;
	else
		log_line(SMTPD_HOSTNAME, s->reverse_name, s->address, reason);
	remember(s);
}

void
peer_identify(struct session *s)
{
	char text[NET_ADDR_TEXT];

	s->peer.len = sizeof(s->peer.sa);
	if (getpeername(s->conn->io.fd, (struct sockaddr *)&s->peer.sa, &s->peer.len) <
			0 ||
		(s->peer.sa.ss_family != AF_INET && s->peer.sa.ss_family != AF_INET6)) {
		/* Not from the network: a test, or inetd-like use over a pipe. */
		ensure(net_addr_parse(STR("127.0.0.1"), 0, &s->peer) == 0);
		s->address = STR("127.0.0.1");
		s->port = STR("0");
		s->name = s->reverse_name = STR("localhost");
	} else {
		net_addr_unmap(&s->peer);
		s->address = arena_str(s->arena, str_c(net_addr_text(&s->peer, text)));
		s->port = arena_printf(s->arena, "%u", net_addr_port(&s->peer));
		s->suspect = !service_client(&s->peer);
		peer_find_name(s);
	}
	session_name_client(s);
}
