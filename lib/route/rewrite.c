/* rewrite.c -- addresses in canonical form (trivial-rewrite(8), contract 6.1). */
#include "route_impl.h"

/* Would the local part need quotes? Then % and ! in it are plain characters, for the
 * sender had to write them inside a quoted string. */
static bool
has_operators(struct str local, const char *operators)
{
	for (size_t i = 0; i < local.len; i++)
		if (ascii_is_space(local.data[i]) ||
			strchr("\"\\()<>[]:;,", local.data[i]))
			return false;
	for (const char *op = operators; *op; op++)
		if (str_chr(local, *op) >= 0)
			return true;
	return false;
}

/* @hop1,@hop2:user@domain: RFC 5321 appendix C lets us take the last address. */
static struct str
without_source_route(struct str address)
{
	ssize_t colon;

	while (address.len && address.data[0] == '@' &&
		(colon = str_chr(address, ':')) > 0)
		address = str_from(address, (size_t)colon + 1);
	return address;
}

struct str
route_turn_round(const struct route *r, struct str local, struct arena *arena)
{
	const struct params *p = &r->conf->p;
	ssize_t at;

	if (p->swap_bangpath && has_operators(local, "!") &&
		(at = str_chr(local, '!')) > 0)
		return arena_printf(arena, STR_FMT "@" STR_FMT,
			STR_ARG(str_from(local, (size_t)at + 1)),
			STR_ARG(str_sub(local, 0, (size_t)at)));
	if (p->allow_percent_hack && has_operators(local, "%") &&
		(at = str_rchr(local, '%')) > 0)
		return arena_printf(arena, STR_FMT "@" STR_FMT,
			STR_ARG(str_sub(local, 0, (size_t)at)),
			STR_ARG(str_from(local, (size_t)at + 1)));
	return STR_NONE;
}

struct str
route_rewrite(const struct route *r, enum route_context context, struct str address,
	struct arena *arena)
{
	const struct params *p = &r->conf->p;
	struct str origin = p->myorigin, parent = p->mydomain, local, domain, turned;

	if (context == REWRITE_REMOTE) {
		origin = parent = p->remote_header_rewrite_domain;
		if (origin.len == 0)
			return address;
	}
	if (address.len == 0)
		return address;
	address = without_source_route(address);
	address_split(address, &local, &domain);
	if (!domain.data) {
		turned = route_turn_round(r, local, arena);
		if (turned.data)
			address_split(address = turned, &local, &domain);
	}
	if (!domain.data) {
		if (!p->append_at_myorigin)
			return address;
		address = arena_printf(
			arena, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(origin));
		address_split(address, &local, &domain);
	}
	if (domain.len > 1 && domain.data[domain.len - 1] == '.') {
		address.len--;
		domain.len--;
	}
	if (p->append_dot_mydomain && parent.len && domain.len && domain.data[0] != '[' &&
		str_chr(domain, '.') < 0)
		return arena_printf(
			arena, STR_FMT "." STR_FMT, STR_ARG(address), STR_ARG(parent));
	return address;
}
