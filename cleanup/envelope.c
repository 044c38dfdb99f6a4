/* envelope.c -- sender and recipients: canonical form, virtual aliases, blind copies. */
#include "message.h"
#include "conf.h"
#include "log.h"
#include "service.h"

void
envelope_rewrite(struct message *m)
{
	struct envelope *e = &m->envelope;

	e->sender = route_rewrite(tables.route, REWRITE_LOCAL, e->sender, m->arena);
	for (size_t i = 0; i < m->rcpts.n; i++) {
		struct rcpt *r = &m->rcpts.items[i];
		struct str canonical =
			route_rewrite(tables.route, REWRITE_LOCAL, r->address, m->arena);

		if (!str_eq(canonical, r->address) && !r->original.data)
			r->original = r->address;
		r->address = canonical;
	}
}

/* ---- virtual aliases (virtual(5), contract 5.2 and 6.1) ---- */

/* One recipient's expansion: the work list is out.items[done ...]. */
struct expansion {
	struct message *m;
	const struct rcpt *of; /* the recipient as submitted */
	struct map *seen;      /* addresses that were looked up: no address twice */
	VEC(struct str) open;  /* still to be looked up */
	VEC(unsigned) depth;   /* of each of them */
	VEC(struct str) found; /* final addresses */
};

static void
expansion_add(struct expansion *x, struct str address, unsigned depth)
{
	*vec_push(&x->open) = address;
	*vec_push(&x->depth) = depth;
}

/* The user part may be asked for alone where the domain is one of ours. */
static bool
takes_bare_user(struct str address)
{
	struct str local, domain;
	struct why why;

	address_split(address, &local, &domain);
	return domain.data &&
	       route_takes_bare_user(tables.route, domain, &why) == DICT_FOUND;
}

/* What a table's value means for the address it was found for: "@other" keeps the user,
 * an extension that was cut off for the look-up is put back
 * (propagate_unmatched_extensions). */
static struct str
alias_target(struct message *m, struct str target, struct str of, struct str extension)
{
	struct str local, domain, target_local, target_domain;
	struct str delimiters = m->conf->p.recipient_delimiter;

	address_split(of, &local, &domain);
	if (str_starts(target, STR("@")))
		return route_rewrite(tables.route, REWRITE_LOCAL,
			arena_printf(m->arena, STR_FMT STR_FMT, STR_ARG(local),
				STR_ARG(target)),
			m->arena);
	target = route_rewrite(tables.route, REWRITE_LOCAL, target, m->arena);
	if (extension.len == 0 || delimiters.len == 0 ||
		str_find(m->conf->p.propagate_unmatched_extensions, STR("virtual")) < 0)
		return target;
	address_split(target, &target_local, &target_domain);
	return arena_printf(m->arena, "%.*s%c%.*s%s%.*s", STR_ARG(target_local),
		delimiters.data[0], STR_ARG(extension), target_domain.data ? "@" : "",
		STR_ARG(target_domain));
}

/* Looks up one address; its targets join the work list. */
static enum dict_result
expand_one(struct expansion *x, struct str address, unsigned depth, struct why *why)
{
	struct message *m = x->m;
	struct str value, extension = STR_NONE;
	struct strs targets;
	enum dict_result got = maps_find_address(tables.virtual_alias, address,
		m->conf->p.recipient_delimiter, FIND_FULL | FIND_USER | FIND_DOMAIN,
		takes_bare_user(address), m->arena, &value, &extension, why);

	if (got != DICT_FOUND)
		return got;
	targets = conf_list(value, m->arena);
	for (size_t i = 0; i < targets.n; i++) {
		struct str to = alias_target(m, targets.items[i], address, extension);

		if (str_case_eq(to, address)) /* it stands for itself: final */
			*vec_push(&x->found) = to;
		else
			expansion_add(x, to, depth + 1);
	}
	return DICT_FOUND;
}

static bool
expand_all(struct expansion *x, struct why *why)
{
	const struct params *p = &x->m->conf->p;

	expansion_add(x, x->of->address, 0);
	for (size_t i = 0; i < x->open.n; i++) {
		struct str address = x->open.items[i];
		struct str key = arena_lower(x->m->arena, address);
		enum dict_result got;

		if (map_set(x->seen, key, x))
			continue;
		if (x->depth.items[i] > (unsigned)p->virtual_alias_recursion_limit ||
			x->open.n > (size_t)p->virtual_alias_expansion_limit) {
			log_warn("%s: unreasonable virtual_alias_maps expansion for %.*s "
				 "-- "
				 "message not accepted, try again later",
				x->m->queue_id, STR_ARG(x->of->address));
			why_set(why, "4.6.0", "Alias expansion error");
			return false;
		}
		got = expand_one(x, address, x->depth.items[i], why);
		if (got == DICT_ERROR) {
			log_warn("%s: virtual_alias_maps lookup problem for %.*s: %s",
				x->m->queue_id, STR_ARG(address), why->text);
			why_set(why, "4.3.0", "queue file write error");
			return false;
		}
		if (got == DICT_NOTFOUND)
			*vec_push(&x->found) = address;
	}
	return true;
}

/* One copy for each pair of original and final recipient, or for each final one alone
 * (enable_original_recipient = no). */
static struct str
duplicate_key(struct message *m, const struct rcpt *r)
{
	struct str original = r->original.data ? r->original : r->address;

	if (!m->conf->p.enable_original_recipient)
		original = STR("");
	return arena_lower(m->arena, arena_printf(m->arena, "%.*s\n%.*s",
					     STR_ARG(original), STR_ARG(r->address)));
}

static void
expansion_give(struct expansion *x, struct map *given)
{
	struct message *m = x->m;

	for (size_t i = 0; i < x->found.n; i++) {
		struct rcpt r = *x->of;

		r.address = x->found.items[i];
		if (!str_case_eq(r.address, x->of->address) && !r.original.data)
			r.original = x->of->address;
		if (!map_set(given, duplicate_key(m, &r), m))
			*vec_push(&m->rcpts) = r;
	}
}

void
envelope_virtual(struct message *m)
{
	struct rcpt *before = m->rcpts.items;
	size_t n = m->rcpts.n;
	struct map *given;

	if (n == 1 && maps_empty(tables.virtual_alias))
		return;
	given = map_new();
	memset(&m->rcpts, 0, sizeof(m->rcpts));
	for (size_t i = 0; i < n && m->verdict == ACCEPT; i++) {
		struct expansion x = { .m = m, .of = &before[i], .seen = map_new() };
		struct why why;

		if (maps_empty(tables.virtual_alias) ||
			(m->envelope.flags & ENVELOPE_NO_MAPPING))
			*vec_push(&x.found) = before[i].address;
		else if (!expand_all(&x, &why))
			message_fail(m, TEMPFAIL, 451, why.code, "%s", why.text);
		expansion_give(&x, given);
		map_free(x.seen);
		vec_free(&x.open);
		vec_free(&x.depth);
		vec_free(&x.found);
	}
	map_free(given);
	mem_free(before);
}

/* always_bcc: a copy that nobody is told about, neither in the header nor by a notice. */
void
envelope_bcc(struct message *m)
{
	struct str bcc = m->conf->p.always_bcc;
	struct rcpt *r;

	if (bcc.len == 0 || (m->envelope.flags & (ENVELOPE_BOUNCE | ENVELOPE_NO_MAPPING)))
		return;
	r = vec_push(&m->rcpts);
	r->address = route_rewrite(tables.route, REWRITE_LOCAL, bcc, m->arena);
	r->notify = NOTIFY_NEVER;
}
