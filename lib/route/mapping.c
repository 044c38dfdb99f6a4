/* mapping.c -- tables that give other addresses for an address: canonical(5), virtual(5),
 * generic(5), bcc maps. */
#include "route_impl.h"
#include "addrlist.h"

/* May the user part be asked for alone? Where the domain is one of ours. */
static bool
takes_bare_user(struct route *r, struct str address)
{
	struct str local, domain;
	struct why why;

	address_split(address, &local, &domain);
	return domain.data && route_takes_bare_user(r, domain, &why) == DICT_FOUND;
}

/* "@other" keeps the user; an extension that was cut off for the look-up is put back
 * where propagate_unmatched_extensions names this kind of table. */
static struct str
target_of(struct route *r, const struct mapping *m, struct str target, struct str of,
	struct str extension, struct arena *arena)
{
	const struct params *p = &r->conf->p;
	struct str local, domain;

	if (str_starts(target, STR("@"))) {
		address_split(of, &local, &domain);
		if (extension.data)
			local.len -= extension.len + 1;
		target = arena_printf(
			arena, STR_FMT STR_FMT, STR_ARG(local), STR_ARG(target));
	}
	target = route_rewrite(r, REWRITE_LOCAL, target, arena);
	if (!m->kind || !extension.data || p->recipient_delimiter.len == 0 ||
		str_find(p->propagate_unmatched_extensions, str_c(m->kind)) < 0)
		return target;
	address_split(target, &local, &domain);
	/* with the delimiter that it had */
	return arena_printf(arena, STR_FMT "%c" STR_FMT "%s" STR_FMT, STR_ARG(local),
		extension.data[-1], STR_ARG(extension), domain.data ? "@" : "",
		STR_ARG(domain));
}

/* A table's value is an address list as in a header (RFC 5322 section 3.4). */
static struct strs
targets_of(struct route *r, const struct mapping *m, struct str value, struct str of,
	struct str extension, struct arena *arena)
{
	struct addr_list l = { 0 };
	struct strs out;

	addr_list_parse(value, arena, &l);
	out.items = arena_alloc(arena, (l.list.n + 1) * sizeof(*out.items));
	for (out.n = 0; out.n < l.list.n; out.n++)
		out.items[out.n] = target_of(r, m,
			address_unquote(l.list.items[out.n].address, arena), of,
			extension, arena);
	addr_list_free(&l);
	return out;
}

enum dict_result
mapping_find(struct route *r, const struct mapping *m, struct str address,
	struct arena *arena, struct strs *out, struct why *why)
{
	struct str value, extension;
	enum dict_result got;

	if (maps_empty(m->maps) || address.len == 0)
		return DICT_NOTFOUND;
	got = maps_find_address(m->maps, address, r->conf->p.recipient_delimiter,
		FIND_FULL | FIND_USER | FIND_DOMAIN, takes_bare_user(r, address), arena,
		&value, &extension, why);
	if (got != DICT_FOUND)
		return got;
	*out = targets_of(r, m, value, address, extension, arena);
	if (out->n > 0)
		return DICT_FOUND;
	why_set(why, "4.3.5", "%s: no address in \"" STR_FMT "\"", m->parameter,
		STR_ARG(value));
	return DICT_ERROR;
}
