/* route.c -- the tables of routing, and the class of an address. */
#include "route_impl.h"
#include "address.h"
#include "explain.h"
#include "log.h"

/* How many domains are remembered as compared for conflicts. */
#define COMPARED_LIMIT 1000
/* Rounds of taking a local domain off: a%b%c%d@here ... */
#define LOCATE_LIMIT 50

struct channel
channel_parse(struct str text)
{
	struct channel c = { text, STR("") };
	ssize_t colon = str_chr(text, ':');

	if (colon >= 0) {
		c.transport = str_sub(text, 0, (size_t)colon);
		c.nexthop = str_from(text, (size_t)colon + 1);
	}
	return c;
}

static struct match_list *
open_list(struct route *r, const char *parameter, struct str value)
{
	if (dict_may_switch(value))
		r->may_switch = true;
	return match_list_open(
		parameter, value, match_parents(r->conf, parameter), r->conf);
}

struct maps *
route_open_maps(struct route *r, const char *parameter, struct str value, unsigned flags)
{
	if (dict_may_switch(value))
		r->may_switch = true;
	return maps_open(parameter, value, flags, r->conf);
}

static void
open_tables(struct route *r)
{
	const struct params *p = &r->conf->p;

	r->destinations = open_list(r, "mydestination", p->mydestination);
	if (r->what & (ROUTE_CLASS | ROUTE_TRANSPORT)) {
		r->alias_domains =
			open_list(r, "virtual_alias_domains", p->virtual_alias_domains);
		r->mailbox_domains = open_list(
			r, "virtual_mailbox_domains", p->virtual_mailbox_domains);
		r->relay_domains = open_list(r, "relay_domains", p->relay_domains);
	}
	if (r->what & ROUTE_TRANSPORT) {
		r->relocated_maps = route_open_maps(
			r, "relocated_maps", p->relocated_maps, DICT_FOLD);
	}
	ways_open(r, &r->mail, NULL);
	ways_open(r, &r->probes, &r->mail);
}

static struct route *
open_with(const struct conf *c, unsigned what, struct own_addresses *own)
{
	struct route *r = mem_alloc(sizeof(*r));

	r->conf = c;
	r->what = what;
	r->own = own;
	r->compared = map_new();
	open_tables(r);
	return r;
}

struct route *
route_open(const struct conf *c, unsigned what)
{
	return open_with(c, what, own_addresses_new(c));
}

struct route *
route_renew(const struct route *old, const struct conf *fresh)
{
	return open_with(fresh, old->what, own_addresses_copy(old->own));
}

/* All tables that are open, each once. */
#define TABLES_MOST (1 + 2 * WAYS_TABLES)
static size_t
open_ones(const struct route *r, struct maps *out[TABLES_MOST])
{
	struct maps *mail[WAYS_TABLES], *probes[WAYS_TABLES];
	size_t n = 0;

	if (r->relocated_maps)
		out[n++] = r->relocated_maps;
	(void)ways_tables(&r->mail, mail);
	(void)ways_tables(&r->probes, probes);
	for (size_t i = 0; i < WAYS_TABLES; i++) {
		if (mail[i])
			out[n++] = mail[i];
		if (probes[i] && probes[i] != mail[i])
			out[n++] = probes[i];
	}
	return n;
}

static void
close_tables(struct route *r)
{
	struct match_list **lists[] = { &r->destinations, &r->alias_domains,
		&r->mailbox_domains, &r->relay_domains };
	struct maps *maps[TABLES_MOST];
	size_t n = open_ones(r, maps);

	for (size_t i = 0; i < COUNT(lists); i++)
		if (*lists[i])
			match_list_close(*lists[i]);
	for (size_t i = 0; i < n; i++)
		maps_close(maps[i]);
}

void
route_close(struct route *r)
{
	if (!r)
		return;
	close_tables(r);
	own_addresses_free(r->own);
	map_free(r->compared);
	mem_free(r);
}

bool
route_may_switch(const struct route *r)
{
	return r->may_switch;
}

const struct own_addresses *
route_own_addresses(const struct route *r)
{
	return r->own;
}

enum verdict
route_table_failed(const char *parameter, struct why *why)
{
	log_warn("%s lookup error: %s", parameter, why->text);
	return why_set(why, "4.3.0", "Temporary lookup failure");
}

/* [192.0.2.1], [IPv6:2001:db8::1] that is one of ours. */
static bool
literal_is_own(const struct route *r, struct str domain)
{
	struct net_addr a;

	if (domain.len < 3 || domain.data[0] != '[' ||
		domain.data[domain.len - 1] != ']' || net_addr_parse(domain, 0, &a) < 0)
		return false;
	return own_addresses_have(r->own, &a) || own_addresses_proxied(r->own, &a);
}

static struct str
without_last_dot(struct str domain)
{
	return str_sub(domain, 0, domain.len - str_ends(domain, STR(".")));
}

enum dict_result
route_is_local(struct route *r, struct str domain, struct why *why)
{
	enum dict_result found;

	domain = without_last_dot(domain);
	if (domain.len == 0)
		return DICT_NOTFOUND;
	found = match_string(r->destinations, domain, why);
	if (found == DICT_NOTFOUND && literal_is_own(r, domain))
		found = DICT_FOUND;
	return found;
}

enum dict_result
route_takes_bare_user(struct route *r, struct str domain, struct why *why)
{
	if (str_case_eq(without_last_dot(domain), r->conf->p.myorigin))
		return DICT_FOUND;
	return route_is_local(r, domain, why);
}

const char *const route_class_names[] = {
	[CLASS_LOCAL] = "local",
	[CLASS_VIRTUAL_ALIAS] = "virtual alias",
	[CLASS_VIRTUAL_MAILBOX] = "virtual mailbox",
	[CLASS_RELAY] = "relay",
	[CLASS_DEFAULT] = "default",
};

/* The lists in the order in which they decide. */
static const struct {
	enum address_class class;
	const char *parameter;
	size_t list; /* of struct route */
} class_lists[] = {
	{ CLASS_LOCAL, "mydestination", 0 },
	{ CLASS_VIRTUAL_ALIAS, "virtual_alias_domains",
		offsetof(struct route, alias_domains) },
	{ CLASS_VIRTUAL_MAILBOX, "virtual_mailbox_domains",
		offsetof(struct route, mailbox_domains) },
	{ CLASS_RELAY, "relay_domains", offsetof(struct route, relay_domains) },
};

static enum dict_result
class_has(struct route *r, size_t n, struct str domain, struct why *why)
{
	struct match_list *list;

	if (class_lists[n].class == CLASS_LOCAL)
		return route_is_local(r, domain, why);
	list = *(struct match_list **)((char *)r + class_lists[n].list);
	/* Parents count in relay_domains only: the others are exact (contract 1.3). */
	return class_lists[n].class == CLASS_RELAY ? match_domain(list, domain, why)
						   : match_string(list, domain, why);
}

/* Warns, once for each domain, when a later list has it too. relay_domains may well name
 * what mydestination has: that was its default for long. */
static void
compare_lists(struct route *r, struct str domain, size_t first)
{
	struct why why = { 0 };

	/* These are no steps on the way of the mail. */
	if (explain_on || map_count(r->compared) >= COMPARED_LIMIT ||
		map_set(r->compared, domain, r))
		return;
	for (size_t n = first + 1; n < COUNT(class_lists); n++) {
		if (class_lists[first].class == CLASS_LOCAL &&
			class_lists[n].class == CLASS_RELAY)
			continue;
		if (class_has(r, n, domain, &why) == DICT_FOUND)
			log_warn("do not list domain " STR_FMT " in BOTH %s and %s",
				STR_ARG(domain), class_lists[first].parameter,
				class_lists[n].parameter);
	}
}

enum verdict
route_domain_class(
	struct route *r, struct str domain, enum address_class *out, struct why *why)
{
	domain = without_last_dot(domain);
	for (size_t n = 0; n < COUNT(class_lists); n++) {
		switch (class_has(r, n, domain, why)) {
		case DICT_FOUND:
			compare_lists(r, domain, n);
			*out = class_lists[n].class;
			return ACCEPT;
		case DICT_ERROR:
			return route_table_failed(class_lists[n].parameter, why);
		case DICT_NOTFOUND:
			break;
		}
	}
	/* Addresses there are aliases of others' senders (SRS). */
	*out = domain.len > 0 && str_case_eq(domain, r->conf->p.srs_domain)
		       ? CLASS_VIRTUAL_ALIAS
		       : CLASS_DEFAULT;
	return ACCEPT;
}

static enum verdict
bad_syntax(struct why *why)
{
	return why_set(why, "5.1.3", "bad address syntax");
}

/* Checks a domain that is not ours, and gives it the form that next hops have. */
static enum verdict
foreign_domain(const struct route *r, struct str domain, struct arena *arena,
	struct str *out, struct why *why)
{
	struct net_addr a;
	bool literal = domain.data[0] == '[';

	if (literal &&
		(domain.data[domain.len - 1] != ']' || net_addr_parse(domain, 0, &a) < 0))
		return bad_syntax(why);
	if (!literal && net_addr_parse(domain, 0, &a) == 0) {
		/* user@192.0.2.1: no domain by RFC 5321 section 4.1.2. */
		if (!r->conf->p.resolve_numeric_domain)
			return bad_syntax(why);
		domain = arena_printf(arena, "[" STR_FMT "]", STR_ARG(domain));
		literal = true;
	}
	if (!literal && !address_domain_is_valid(domain, ADDRESS_UTF8 | ADDRESS_LOOSE))
		return bad_syntax(why);
	*out = domain;
	return ACCEPT;
}

/* Whatever in the local part says "and from there to": @ counts only when
 * resolve_dequoted_address looks through quotes. */
static bool
is_routed(const struct route *r, struct str local)
{
	return str_chr(local, '%') >= 0 || str_chr(local, '!') >= 0 ||
	       (r->conf->p.resolve_dequoted_address && str_chr(local, '@') >= 0);
}

/* One round: a local domain with a route before it gives the next address, completed as
 * any address is; else STR_NONE. */
static struct str
next_hop_in(struct route *r, struct str local, struct arena *arena)
{
	struct str next = local;

	if (!r->conf->p.resolve_dequoted_address || str_chr(local, '@') < 0)
		next = route_turn_round(r, local, arena);
	return next.data ? route_rewrite(r, REWRITE_LOCAL, next, arena) : next;
}

/* Still in the quotes that mail has? */
static bool
is_quoted(struct str local)
{
	return local.len >= 2 && local.data[0] == '"' && local.data[local.len - 1] == '"';
}

enum verdict
route_locate(struct route *r, struct str address, struct arena *arena,
	struct route_class *out, struct why *why)
{
	struct str local, domain, next;
	enum verdict v;

	memset(out, 0, sizeof(*out));
	for (int round = 0; round < LOCATE_LIMIT; round++) {
		address_split(address, &local, &domain);
		if (local.len == 0)
			return bad_syntax(why);
		if (domain.data && domain.len == 0 && !r->conf->p.resolve_null_domain)
			return bad_syntax(why);
		if (domain.len == 0)
			domain = r->conf->p.myhostname;
		domain = arena_lower(arena, without_last_dot(domain));
		if (r->conf->p.resolve_dequoted_address && is_quoted(local))
			local = address_unquote_local(local, arena);
		v = route_domain_class(r, domain, &out->class, why);
		if (v != ACCEPT)
			return v;
		if (out->class != CLASS_LOCAL) {
			out->routed = is_routed(r, local);
			v = foreign_domain(r, domain, arena, &domain, why);
			if (v != ACCEPT)
				return v;
			break;
		}
		next = next_hop_in(r, local, arena);
		if (!next.data)
			break;
		address = next;
	}
	out->local = local;
	out->domain = domain;
	out->address = address;
	/* Only an address that had no domain, or a dot behind it, has to be written anew.
	 */
	if (!str_case_ends(address, domain) || address.len != local.len + 1 + domain.len)
		out->address = arena_printf(
			arena, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(domain));
	explain_step("class", STR_NONE, out->address, "is",
		str_c(route_class_names[out->class]));
	return ACCEPT;
}

enum verdict
route_classify(struct route *r, struct str address, struct arena *arena,
	struct route_class *out, struct why *why)
{
	return route_locate(
		r, route_rewrite(r, REWRITE_LOCAL, address, arena), arena, out, why);
}
