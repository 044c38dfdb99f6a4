/* cmd_xclient.c -- XCLIENT: a trusted front (proxy, content filter, test) says who the
 * real client is. The session starts over as if that client had just connected. */
#include "claims.h"
#include "login.h"
#include "service.h"

/* What the command said; STR_NONE: not mentioned. Unavailable values are "". */
struct claims {
	struct str name, addr, port, helo, proto, reverse_name, login, destaddr, destport;
};
static const struct claim attributes[] = {
	{ "NAME", offsetof(struct claims, name) },
	{ "ADDR", offsetof(struct claims, addr) },
	{ "PORT", offsetof(struct claims, port) },
	{ "HELO", offsetof(struct claims, helo) },
	{ "PROTO", offsetof(struct claims, proto) },
	{ "REVERSE_NAME", offsetof(struct claims, reverse_name) },
	{ "LOGIN", offsetof(struct claims, login) },
	{ "DESTADDR", offsetof(struct claims, destaddr) },
	{ "DESTPORT", offsetof(struct claims, destport) },
};

/* Everything is checked before anything is believed. */
static bool
claims_are_valid(struct session *s, const struct claims *c, struct net_addr *addr)
{
	struct net_addr server;

	if (!claim_is_hostname(c->name))
		return reply(s, 501, "5.5.4 Bad NAME syntax: %.*s", STR_ARG(c->name));
	if (!claim_is_hostname(c->reverse_name))
		return reply(s, 501, "5.5.4 Bad REVERSE_NAME syntax: %.*s",
			STR_ARG(c->reverse_name));
	if (c->addr.len && net_addr_parse(c->addr, 0, addr) < 0)
		return reply(s, 501, "5.5.4 Bad ADDR syntax: %.*s", STR_ARG(c->addr));
	if (!claim_is_port(c->port))
		return reply(s, 501, "5.5.4 Bad PORT syntax: %.*s", STR_ARG(c->port));
	if (c->destaddr.len && net_addr_parse(c->destaddr, 0, &server) < 0)
		return reply(
			s, 501, "5.5.4 Bad DESTADDR syntax: %.*s", STR_ARG(c->destaddr));
	if (!claim_is_port(c->destport))
		return reply(
			s, 501, "5.5.4 Bad DESTPORT syntax: %.*s", STR_ARG(c->destport));
	if (c->proto.len && !str_case_is(c->proto, "SMTP") &&
		!str_case_is(c->proto, "ESMTP"))
		return reply(s, 501, "5.5.4 Bad PROTO syntax: %.*s", STR_ARG(c->proto));
	return true;
}

/* A name that is given counts as checked; [UNAVAILABLE] says that there is none,
 * [TEMPUNAVAIL] that it could not be found out. */
static void
believe_name(struct str claimed, struct str *name, enum peer_name *status)
{
	if (!claimed.data)
		return;
	*name = claimed.len ? claimed : STR("unknown");
	*status = claimed.len                ? PEER_KNOWN
		  : claim_is_unsure(claimed) ? PEER_UNSURE
					     : PEER_UNKNOWN;
}

/* The client becomes what was claimed. An address without a name is looked up only when
 * NAME was not mentioned at all. */
static void
believe(struct session *s, const struct claims *c, const struct net_addr *addr)
{
	struct str unknown = STR("unknown");

	if (c->addr.len) {
		peer_claimed(s, addr);
		if (!c->name.data)
			peer_find_name(s);
	} else if (c->addr.data) {
		/* In no list, and nobody's: not even the front that says so. */
		s->peer = (struct net_addr){ .sa.ss_family = AF_UNSPEC };
		s->address = unknown;
	}
	believe_name(c->name, &s->name, &s->name_status);
	believe_name(c->reverse_name.data ? c->reverse_name : c->name, &s->reverse_name,
		&s->reverse_status);
	if (c->port.data)
		s->port = c->port.len ? c->port : unknown;
	if (c->destaddr.data)
		s->server_address = c->destaddr.len ? c->destaddr : unknown;
	if (c->destport.data)
		s->server_port = c->destport.len ? c->destport : unknown;
	session_name_client(s);
}

bool
cmd_xclient(struct session *s, struct str rest)
{
	struct claims claims = { .name = STR_NONE };
	struct net_addr addr;
	struct why why;

	if (s->t.open)
		return reply(s, 503, "5.5.1 Error: MAIL transaction in progress");
	if (match_client(s->site->xclient_hosts, s->name, &s->peer, &why) != DICT_FOUND)
		return reply(s, 550, "5.7.0 Error: insufficient authorization");
	if (!claims_read(s, "XCLIENT", rest, attributes, COUNT(attributes), &claims) ||
		!claims_are_valid(s, &claims, &addr))
		return false;
	session_restart(s);
	believe(s, &claims, &addr);
	if (claims.login.len)
		login_begin(s, STR("XCLIENT"), claims.login);
	if (claims.helo.len)
		session_set_helo(s, claims.helo);
	if (claims.proto.len)
		s->protocol =
			str_case_is(claims.proto, "ESMTP") ? STR("ESMTP") : STR("SMTP");
	session_greet(s);
	s->where = "CONNECT";
	return true;
}
