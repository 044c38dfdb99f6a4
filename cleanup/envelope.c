/* envelope.c -- sender and recipients: canonical form, virtual aliases, blind copies. */
#include "message.h"
#include "conf.h"
#include "log.h"
#include "service.h"

void
envelope_rewrite(struct message *m)
{
	struct envelope *e = &m->envelope;

	e->sender = mapping_apply(m, ENVELOPE_SENDER, e->sender);
	for (size_t i = 0; i < m->rcpts.n; i++) {
		struct str was = m->rcpts.items[i].address;
		struct str is = mapping_apply(m, ENVELOPE_RECIPIENT, was);
		struct rcpt *r = &m->rcpts.items[i];

		if (!str_eq(was, is) && !r->original.data)
			r->original = was;
		/* Notices name it in the form that others can write to. */
		if (!str_eq(was, is) && !r->orcpt.data)
			r->orcpt = arena_printf(m->arena, "rfc822;" STR_FMT, STR_ARG(is));
		r->address = is;
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

/* Looks up one address; its targets join the work list. */
static enum dict_result
expand_one(struct expansion *x, struct str address, unsigned depth, struct why *why)
{
	struct message *m = x->m;
	struct str value, extension = STR_NONE;
	struct strs targets;
	enum dict_result got = maps_find_address(tables.virtual_alias, address,
		m->conf->p.recipient_delimiter, FIND_FULL | FIND_USER | FIND_DOMAIN,
		mapping_takes_bare_user(address), m->arena, &value, &extension, why);

	if (got != DICT_FOUND)
		return got;
	targets = mapping_values(m, value);
	for (size_t i = 0; i < targets.n; i++) {
		struct str to = mapping_target(
			m, "virtual", targets.items[i], address, extension);

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

/* RFC 3461 section 5.2.7.2: who wants to hear of success hears of the expansion, once,
 * and of what its members say only when that is no success. As in Postfix, this goes for
 * an alias with a single target, too. */
static uint8_t
tell_of_expansion(struct expansion *x)
{
	const struct rcpt *of = x->of;
	struct rcpt *told;

	if (!(of->notify & NOTIFY_SUCCESS) ||
		(x->found.n == 1 && str_eq(x->found.items[0], of->address)))
		return of->notify;
	told = vec_push(&x->m->rcpts);
	*told = *of;
	told->notify = NOTIFY_EXPANDED;
	return of->notify == NOTIFY_SUCCESS ? NOTIFY_NEVER
					    : of->notify & (uint8_t)~NOTIFY_SUCCESS;
}

static void
expansion_give(struct expansion *x, struct map *given)
{
	struct message *m = x->m;
	uint8_t notify = tell_of_expansion(x);

	for (size_t i = 0; i < x->found.n; i++) {
		struct rcpt r = *x->of;

		r.address = x->found.items[i];
		r.notify = notify;
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
		if (m->verdict == ACCEPT)
			expansion_give(&x, given);
		map_free(x.seen);
		vec_free(&x.open);
		vec_free(&x.depth);
		vec_free(&x.found);
	}
	map_free(given);
	mem_free(before);
}

/* ---- blind copies ---- */

/* A copy that nobody is told about, neither in the header nor by a notice. */
static void
bcc_add(struct message *m, struct str address)
{
	struct rcpt *r = vec_push(&m->rcpts);

	r->address = route_rewrite(tables.route, REWRITE_LOCAL, address, m->arena);
	r->notify = NOTIFY_NEVER;
}

/* The copies that a table wants of mail from, or to, this address. */
SWITCHES static void
bcc_find(struct message *m, struct maps *maps, const char *parameter, struct str address)
{
	struct str value, extension;
	struct strs copies;
	struct why why;
	enum dict_result got;

	if (maps_empty(maps) || address.len == 0)
		return;
	got = maps_find_address(maps, address, m->conf->p.recipient_delimiter,
		FIND_FULL | FIND_USER | FIND_DOMAIN, mapping_takes_bare_user(address),
		m->arena, &value, &extension, &why);
	if (got == DICT_ERROR) {
		log_warn("%s: %s map lookup problem for %.*s -- message not accepted, "
			 "try again later",
			m->queue_id, parameter, STR_ARG(address));
		message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
	}
	copies = got == DICT_FOUND ? mapping_values(m, value) : (struct strs){ 0 };
	for (size_t i = 0; i < copies.n; i++)
		bcc_add(m, copies.items[i]);
}

void
envelope_bcc(struct message *m)
{
	size_t n = m->rcpts.n;

	if (m->envelope.flags & (ENVELOPE_BOUNCE | ENVELOPE_NO_MAPPING))
		return;
	if (m->conf->p.always_bcc.len > 0)
		bcc_add(m, m->conf->p.always_bcc);
	bcc_find(m, tables.sender_bcc, "sender_bcc_maps", m->envelope.sender);
	for (size_t i = 0; i < n; i++)
		bcc_find(m, tables.recipient_bcc, "recipient_bcc_maps",
			m->rcpts.items[i].address);
}

/* What header and body checks did to the recipients. */
void
envelope_late(struct message *m)
{
	struct rcpt *before = m->rcpts.items;
	size_t n = m->rcpts.n;

	if (m->redirect.data) {
		m->rcpts.n = 1;
		m->rcpts.items[0] =
			(struct rcpt){ .address = route_rewrite(tables.route,
					       REWRITE_LOCAL, m->redirect, m->arena) };
		return;
	}
	if (m->filter.data)
		*vec_push(&m->attributes) = arena_printf(
			m->arena, ATTRIBUTE_FILTER "%.*s", STR_ARG(m->filter));
	if (m->late_copies.n == 0)
		return;
	memset(&m->rcpts, 0, sizeof(m->rcpts));
	for (size_t i = 0; i < m->late_copies.n; i++)
		bcc_add(m, m->late_copies.items[i]);
	envelope_virtual(m);
	for (size_t i = 0; i < n; i++)
		*vec_push(&m->rcpts) = before[i];
	mem_free(before);
}
