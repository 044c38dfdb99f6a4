/* cmd_xclient.c -- XCLIENT: a trusted front (proxy, content filter, test) says who the
 * real client is. The session starts over as if that client had just connected. */
#include "address.h"
#include "service.h"
#include "session.h"

/* What the command said; STR_NONE: not mentioned. Unavailable values are "". */
struct claims {
	struct str name, addr, port, helo, proto, reverse_name, login, destaddr, destport;
};
static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
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

/* attribute-value = xtext; [UNAVAILABLE] and [TEMPUNAVAIL] mean that it is not known. */
static bool
read_value(struct session *s, struct str word, struct str *out)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (str_case_is(word, "[UNAVAILABLE]") || str_case_is(word, "[TEMPUNAVAIL]")) {
		*out = STR("");
		return true;
	}
	if (word.len == 0 || word.len > 255 || xtext_decode(word, &value) < 0)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_print(value.data[i]))
			return false;
	*out = arena_str(s->arena, buf_str(&value));
	return true;
}

/* Reads "NAME=value ..." into *c; replies and returns false on a mistake. */
static bool
read_claims(struct session *s, struct str rest, struct claims *c)
{
	struct str word;

	while (str_token(&rest, " \t", &word)) {
		ssize_t equals = str_chr(word, '=');
		struct str name = str_sub(word, 0, equals < 0 ? 0 : (size_t)equals);
		struct str *at = NULL;

		if (equals <= 0 || (size_t)equals + 1 == word.len)
			return reply(s, 501, "5.5.4 Error: attribute=value expected");
		for (size_t i = 0; i < COUNT(attributes); i++)
			if (str_case_is(name, attributes[i].name))
				at = (struct str *)((char *)c + attributes[i].offset);
		if (!at)
			return reply(s, 501, "5.5.4 Bad XCLIENT attribute name: %.*s",
				STR_ARG(name));
		if (!read_value(s, str_from(word, (size_t)equals + 1), at))
			return reply(s, 501, "5.5.4 Bad XCLIENT %.*s syntax: %.*s",
				STR_ARG(name), STR_ARG(word));
	}
	return true;
}

static bool
is_hostname(struct str s)
{
	return s.len == 0 || address_domain_is_valid(s, ADDRESS_LOOSE);
}

/* Everything is checked before anything is believed. */
static bool
claims_are_valid(struct session *s, const struct claims *c, struct net_addr *addr)
{
	uint64_t port = 0;

	if (!is_hostname(c->name))
		return reply(s, 501, "5.5.4 Bad NAME syntax: %.*s", STR_ARG(c->name));
	if (!is_hostname(c->reverse_name))
		return reply(s, 501, "5.5.4 Bad REVERSE_NAME syntax: %.*s",
			STR_ARG(c->reverse_name));
	if (c->addr.len && net_addr_parse(c->addr, 0, addr) < 0)
		return reply(s, 501, "5.5.4 Bad ADDR syntax: %.*s", STR_ARG(c->addr));
	if (c->port.len && (str_to_u64(c->port, &port) < 0 || port > 65535))
		return reply(s, 501, "5.5.4 Bad PORT syntax: %.*s", STR_ARG(c->port));
	if (c->proto.len && !str_case_is(c->proto, "SMTP") &&
		!str_case_is(c->proto, "ESMTP"))
		return reply(s, 501, "5.5.4 Bad PROTO syntax: %.*s", STR_ARG(c->proto));
	return true;
}

/* The client becomes what was claimed. An address without a name is looked up only when
 * NAME was not mentioned at all. */
static void
believe(struct session *s, const struct claims *c, const struct net_addr *addr)
{
	struct str unknown = STR("unknown");

	if (c->addr.len) {
		char text[NET_ADDR_TEXT];

		s->peer = *addr;
		net_addr_unmap(&s->peer);
		s->suspect = !service_client(&s->peer);
		s->address = arena_str(s->arena, str_c(net_addr_text(&s->peer, text)));
		if (!c->name.data)
			peer_find_name(s);
	} else if (c->addr.data) {
		s->address = unknown;
	}
	if (c->name.data)
		s->name = s->reverse_name = c->name.len ? c->name : unknown;
	if (c->reverse_name.data)
		s->reverse_name = c->reverse_name.len ? c->reverse_name : unknown;
	if (c->port.data)
		s->port = c->port.len ? c->port : unknown;
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
	if (rest.len == 0)
		return reply(s, 501, "5.5.4 Syntax: XCLIENT attribute=value...");
	if (!read_claims(s, rest, &claims) || !claims_are_valid(s, &claims, &addr))
		return false;
	session_restart(s);
	believe(s, &claims, &addr);
	if (claims.helo.len)
		session_set_helo(s, claims.helo);
	if (claims.proto.len)
		s->protocol =
			str_case_is(claims.proto, "ESMTP") ? STR("ESMTP") : STR("SMTP");
	s->where = "CONNECT";
	session_greet(s);
	return true;
}
