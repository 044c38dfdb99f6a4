/* peer.c -- who the client is: its address, and the name that belongs to it.
 *
 * A name counts only when it resolves back to the address, since whoever owns the address
 * can claim any name. The dns service is asked over its link, so that no other session
 * waits; without an answer the client is "unknown", as under Postfix. */
#include "session.h"
#include "address.h"
#include "explain.h"
#include "haproxy.h"
#include "service.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>

#define DNS_PATIENCE 30000 /* what resolv.conf's defaults add up to */

/* Names found lately, so that a client that connects for each message is looked up once.
 */
#define REMEMBERED   64
#define REMEMBER_FOR 30000
static struct remembered {
	char address[NET_ADDR_TEXT];
	char name[256], reverse_name[256];
	enum peer_name name_status, reverse_status;
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
	s->name_status = r->name_status;
	s->reverse_status = r->reverse_status;
	return true;
}

static void
remember(const struct session *s)
{
	struct remembered *r = place_of(s->address);

	if (s->address.len >= sizeof(r->address) || s->name.len >= sizeof(r->name) ||
		s->reverse_name.len >= sizeof(r->reverse_name))
		return;
	*r = (struct remembered){ .until = event_now() + REMEMBER_FOR,
		.name_status = s->name_status,
		.reverse_status = s->reverse_status };
	memcpy(r->address, s->address.data, s->address.len);
	memcpy(r->name, s->name.data, s->name.len);
	memcpy(r->reverse_name, s->reverse_name.data, s->reverse_name.len);
}

/* "1.2.0.192.in-addr.arpa" (RFC 1035 section 3.5), "1.0.0. ... ip6.arpa" (RFC 3596). */
static struct str
reverse_query(const struct net_addr *a, struct arena *arena)
{
	return dnslist_reversed(a,
		a->sa.ss_family == AF_INET6 ? STR("ip6.arpa") : STR("in-addr.arpa"),
		arena);
}

static int
ask(struct session *s, struct str name, uint16_t type, struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type, .flags = DNS_HOSTS };

	if (dns_call(service_peer("dns"), &question, said, s->arena,
		    deadline_in(DNS_PATIENCE)) < 0)
		return -1;
	if (explain_on)
		explain_dns(name, type, said);
	return 0;
}

/* Does one of the addresses of `name` equal that of the client? */
static bool
resolves_back(struct session *s, struct str name, struct str *reason)
{
	struct dns_reply said;

	if (ask(s, name, s->peer.sa.ss_family == AF_INET6 ? ns_t_aaaa : ns_t_a, &said) <
		0) {
		*reason = STR("Host not found, try again");
		s->name_status = PEER_UNSURE;
		return false;
	}
	if (said.status != DNS_OK) {
		*reason =
			said.reason.len ? said.reason : STR("Name or service not known");
		s->name_status = said.status == DNS_TEMPFAIL ? PEER_UNSURE : PEER_UNKNOWN;
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
	s->name_status = s->reverse_status = PEER_UNKNOWN;
	if (!s->p->smtpd_peername_lookup || s->suspect || !explain_may(EXPLAIN_DNS) ||
		recall(s))
		return;
	if (ask(s, reverse_query(&s->peer, s->arena), ns_t_ptr, &said) < 0 ||
		said.status == DNS_TEMPFAIL) {
		s->name_status = s->reverse_status = PEER_UNSURE;
		return;
	}
	if (said.status != DNS_OK || said.n_records == 0 ||
		!is_credible(said.records[0].data))
		return;
	s->reverse_name = said.records[0].data;
	s->reverse_status = PEER_KNOWN;
	if (resolves_back(s, s->reverse_name, &reason)) {
		s->name = s->reverse_name;
		s->name_status = PEER_KNOWN;
	} else {
		log_line(SMTPD_HOSTNAME, s->reverse_name, s->address, reason);
	}
	remember(s);
}

/* What the client has connected to. */
static void
identify_server(struct session *s)
{
	struct net_addr server;
	char text[NET_ADDR_TEXT];

	if (!conn_server(s->conn, &server)) {
		s->server_address = STR("127.0.0.1");
		s->server_port = STR("0");
		return;
	}
	net_addr_unmap(&server);
	s->server_address = arena_str(s->arena, str_c(net_addr_text(&server, text)));
	s->server_port = arena_printf(s->arena, "%u", net_addr_port(&server));
}

void
peer_claimed(struct session *s, const struct net_addr *client)
{
	char text[NET_ADDR_TEXT];

	s->peer = *client;
	net_addr_unmap(&s->peer);
	s->suspect = !service_client(&s->peer);
	s->address = arena_str(s->arena, str_c(net_addr_text(&s->peer, text)));
}

static void
believe_proxy(struct session *s, const struct haproxy *header)
{
	char text[NET_ADDR_TEXT];

	peer_claimed(s, &header->client);
	s->port = arena_printf(s->arena, "%u", net_addr_port(&header->client));
	s->server_address =
		arena_str(s->arena, str_c(net_addr_text(&header->server, text)));
	s->server_port = arena_printf(s->arena, "%u", net_addr_port(&header->server));
	peer_find_name(s);
	session_name_client(s);
}

bool
peer_identify(struct session *s)
{
	struct net_addr client;
	struct haproxy header = { .local = true };
	const char *what;

	identify_server(s);
	if (s->p->smtpd_upstream_proxy_protocol.len &&
		!haproxy_take(&s->conn->io,
			deadline_in(s->p->smtpd_upstream_proxy_timeout), &header,
			&what)) {
		log_warn("haproxy read: %s", what);
		return false;
	}
	if (!header.local) {
		believe_proxy(s, &header);
		return true;
	}
	if (!conn_client(s->conn, &client)) {
		/* Not from the network: a test, or inetd-like use over a pipe. */
		ensure(net_addr_parse(STR("127.0.0.1"), 0, &s->peer) == 0);
		s->address = STR("127.0.0.1");
		s->port = STR("0");
		s->name = s->reverse_name = STR("localhost");
		s->name_status = s->reverse_status = PEER_KNOWN;
	} else {
		peer_claimed(s, &client);
		s->port = arena_printf(s->arena, "%u", net_addr_port(&s->peer));
		peer_find_name(s);
	}
	session_name_client(s);
	return true;
}
