/* cmd_xforward.c -- XFORWARD: a filter behind a mail system tells where the next message
 * came from. Nothing is decided by it: it is for the log, and for who gets the message
 * next. */
#include "claims.h"

static const struct claim attributes[] = {
	{ "NAME", offsetof(struct forwarded, name) },
	{ "ADDR", offsetof(struct forwarded, address) },
	{ "PORT", offsetof(struct forwarded, port) },
	{ "HELO", offsetof(struct forwarded, helo) },
	{ "PROTO", offsetof(struct forwarded, protocol) },
	{ "IDENT", offsetof(struct forwarded, ident) },
	{ "SOURCE", offsetof(struct forwarded, source) },
};

static bool
are_valid(struct session *s, const struct forwarded *f)
{
	struct net_addr addr;

	if (!claim_is_hostname(f->name))
		return reply(s, 501, "5.5.4 Bad NAME syntax: %.*s", STR_ARG(f->name));
	if (f->address.len && net_addr_parse(f->address, 0, &addr) < 0)
		return reply(s, 501, "5.5.4 Bad ADDR syntax: %.*s", STR_ARG(f->address));
	if (!claim_is_port(f->port))
		return reply(s, 501, "5.5.4 Bad PORT syntax: %.*s", STR_ARG(f->port));
	if (f->source.len && !str_case_is(f->source, "LOCAL") &&
		!str_case_is(f->source, "REMOTE"))
		return reply(s, 501, "5.5.4 Bad SOURCE syntax: %.*s", STR_ARG(f->source));
	return true;
}

/* What was said before in this session stays, if it is not said anew; from the first time
 * on nothing of our own client is told. */
static void
remember(struct session *s, const struct forwarded *said)
{
	struct forwarded *f = &s->forwarded;

	if (!f->given)
		f->name = f->address = f->port = STR("unknown");
	f->given = true;
	for (size_t i = 0; i < COUNT(attributes); i++) {
		const struct str *from =
			(const struct str *)((const char *)said + attributes[i].offset);
		struct str *to = (struct str *)((char *)f + attributes[i].offset);

		if (from->data)
			*to = from->len > 0 ? *from : STR("unknown");
	}
}

bool
cmd_xforward(struct session *s, struct str rest)
{
	struct forwarded said = { .given = true };
	struct why why;

	if (s->t.open)
		return reply(s, 503, "5.5.1 Error: MAIL transaction in progress");
	if (match_client(s->site->xforward_hosts, s->name, &s->peer, &why) != DICT_FOUND)
		return reply(s, 550, "5.7.0 Error: insufficient authorization");
	if (!claims_read(s, "XFORWARD", rest, attributes, COUNT(attributes), &said) ||
		!are_valid(s, &said))
		return false;
	remember(s, &said);
	return reply(s, 250, "2.0.0 Ok");
}
