/* nexthop.c -- the next hop's forms. */
#include "smtp.h"
#include <netdb.h>

unsigned
nexthop_port(const struct conf *c, struct str text)
{
	char name[64];
	struct servent *entry;
	long number;

	text = conf_tcp_port(c, text);
	if (str_to_long(text, &number) == 0)
		return number > 0 && number < 65536 ? (unsigned)number : 0;
	if (text.len == 0 || text.len >= sizeof(name))
		return 0;
	memcpy(name, text.data, text.len);
	name[text.len] = '\0';
	entry = getservbyname(name, "tcp");
	return entry ? ntohs((uint16_t)entry->s_port) : 0;
}

enum verdict
nexthop_parse(const struct conf *c, struct str text, unsigned port, struct nexthop *out,
	struct why *why)
{
	struct str rest;
	ssize_t at;

	*out = (struct nexthop){
		.port = port, .service = c->p.smtp_tcp_port, .default_port = true
	};
	if (smtp_lmtp && str_starts(text, STR("unix:"))) {
		out->path = str_from(text, 5);
		if (out->path.len == 0)
			return why_set(
				why, "5.1.3", "bad next hop \"%.*s\"", STR_ARG(text));
		return ACCEPT;
	}
	if (smtp_lmtp && str_starts(text, STR("inet:")))
		text = str_from(text, 5);
	if (str_starts(text, STR("["))) {
		at = str_chr(text, ']');
		out->literal = true;
		out->host = at < 0 ? STR_NONE : str_sub(text, 1, (size_t)at - 1);
		rest = at < 0 ? STR_NONE : str_from(text, (size_t)at + 1);
	} else {
		at = str_chr(text, ':');
		out->host = at < 0 ? text : str_sub(text, 0, (size_t)at);
		rest = at < 0 ? STR_NONE : str_from(text, (size_t)at);
	}
	if (rest.len > 0) {
		unsigned given = str_starts(rest, STR(":"))
					 ? nexthop_port(c, str_from(rest, 1))
					 : 0;

		out->service = str_from(rest, 1);
		out->default_port = given == port;
		out->port = given;
	}
	if (out->host.len == 0 || out->host.len > 255 || out->port == 0)
		return why_set(why, "5.1.3", "bad next hop \"%.*s\"", STR_ARG(text));
	return ACCEPT;
}
