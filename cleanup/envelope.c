/* envelope.c -- sender and recipients: canonical form, virtual aliases, blind copies. */
#include "message.h"
#include "conf.h"
#include "explain.h"
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

/* One recipient's expansion. Each of its addresses is looked up until the tables have
 * nothing for it: its first target takes its place, the others come behind the last. */
struct expansion {
	struct message *m;
	const struct rcpt *of; /* the recipient as submitted */
	VEC(struct str) list;  /* what it is so far; the first ones are final */
	struct map *own;       /* addresses that are among their own targets: final */
};

static void
expansion_fails(struct message *m, const char *what, struct str address)
{
	log_warn("%s: unreasonable virtual_alias_maps %s %.*s -- message not accepted, "
		 "try again later",
		m->queue_id, what, STR_ARG(address));
	message_fail(m, TEMPFAIL, 451, "4.6.0", "Alias expansion error");
	m->verbatim = true;
}

static void
explain_targets(const char *parameter, struct str address, const struct strs *targets)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < targets->n; i++)
		buf_printf(&all, "%s" STR_FMT, i ? ", " : "", STR_ARG(targets->items[i]));
	explain_step("alias", str_c(parameter), address, "becomes", buf_str(&all));
}

/* Puts the targets of an address into the list. False: it is final, or all has failed. */
SWITCHES static bool
expand_once(struct expansion *x, size_t at)
{
	struct message *m = x->m;
	struct str address = x->list.items[at];
	struct strs targets;

	if (map_get(x->own, arena_lower(m->arena, address)) ||
		!mapping_targets(m, &tables.virtual_alias, address, &targets))
		return false;
	if (explain_on)
		explain_targets(tables.virtual_alias.parameter, address, &targets);
	for (size_t i = 0; i < targets.n; i++) {
		struct str to = targets.items[i];

		if (to.len > (size_t)m->conf->p.virtual_alias_address_length_limit) {
			to = str_sub(to, 0, MIN(to.len, 300));
			expansion_fails(m, "result",
				arena_printf(m->arena, STR_FMT "...", STR_ARG(to)));
			return false;
		}
		if (i == 0)
			x->list.items[at] = to;
		else
			*vec_push(&x->list) = to;
		if (str_case_eq(to, address))
			map_set(x->own, arena_lower(m->arena, to), x);
	}
	return true;
}

/* The limits count as in Postfix: how many addresses a recipient is at a time, and how
 * often one is replaced. Whatever leads in a circle meets one of them. */
SWITCHES static void
expand_all(struct expansion *x)
{
	const struct params *p = &x->m->conf->p;

	*vec_push(&x->list) = x->of->address;
	for (size_t i = 0; i < x->list.n && x->m->verdict == ACCEPT; i++) {
		int depth = 0;

		if (x->list.n > (size_t)p->virtual_alias_expansion_limit) {
			expansion_fails(x->m, "map expansion size for", x->of->address);
			return;
		}
		while (expand_once(x, i))
			if (++depth >= p->virtual_alias_recursion_limit) {
				expansion_fails(x->m, "map nesting for", x->of->address);
				return;
			}
	}
}

/* One copy for each pair of original and final recipient, or for each final one alone
 * (enable_original_recipient = no). */
static struct str
duplicate_key(struct message *m, const struct rcpt *r)
{
	struct str original = rcpt_original(r);

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
		(x->list.n == 1 && str_eq(x->list.items[0], of->address)))
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

	for (size_t i = 0; i < x->list.n; i++) {
		struct rcpt r = *x->of;

		r.address = x->list.items[i];
		r.notify = notify;
		if (!str_case_eq(r.address, x->of->address) && !r.original.data)
			r.original = x->of->address;
		r.forwarded |= !str_case_eq(r.address, x->of->address);
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

	if (n == 1 && maps_empty(tables.virtual_alias.maps))
		return;
	given = map_new();
	memset(&m->rcpts, 0, sizeof(m->rcpts));
	for (size_t i = 0; i < n && m->verdict == ACCEPT; i++) {
		struct expansion x = { .m = m, .of = &before[i], .own = map_new() };

		if (maps_empty(tables.virtual_alias.maps) ||
			(m->envelope.flags & ENVELOPE_NO_MAPPING))
			*vec_push(&x.list) = before[i].address;
		else
			expand_all(&x);
		if (m->verdict == ACCEPT)
			expansion_give(&x, given);
		map_free(x.own);
		vec_free(&x.list);
	}
	map_free(given);
	mem_free(before);
}

/* ---- blind copies ---- */

/* A copy that nobody is told about, neither in the header nor by a notice. */
SWITCHES static void
bcc_add(struct message *m, const char *reason, struct str address)
{
	struct rcpt r = { .notify = NOTIFY_NEVER };

	explain_step("copy", str_c(reason), STR_NONE, "goes to", address);
	r.address = mapping_apply(m, ENVELOPE_RECIPIENT, address);
	*vec_push(&m->rcpts) = r;
}

/* The copies that a table wants of mail from, or to, this address. */
SWITCHES static void
bcc_find(struct message *m, const struct mapping *map, struct str address)
{
	struct strs copies;

	if (mapping_targets(m, map, address, &copies))
		for (size_t i = 0; i < copies.n; i++)
			bcc_add(m, map->parameter, copies.items[i]);
}

void
envelope_bcc(struct message *m)
{
	size_t n = m->rcpts.n;

	if (m->envelope.flags & (ENVELOPE_BOUNCE | ENVELOPE_NO_MAPPING | ENVELOPE_PROBE))
		return;
	if (m->conf->p.always_bcc.len > 0)
		bcc_add(m, "always_bcc", m->conf->p.always_bcc);
	bcc_find(m, &tables.sender_bcc, m->envelope.sender);
	for (size_t i = 0; i < n; i++)
		bcc_find(m, &tables.recipient_bcc, m->rcpts.items[i].address);
}

/* What header and body checks did to the recipients. */
void
envelope_late(struct message *m)
{
	struct rcpt *before = m->rcpts.items;
	size_t n = m->rcpts.n;

	if (m->redirect.data) {
		explain_step(
			"action", STR("REDIRECT"), STR_NONE, "sends it to", m->redirect);
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
	for (size_t i = 0; i < m->late_copies.n; i++) {
		struct rcpt r = m->late_copies.items[i];

		explain_step("copy", STR("BCC"), STR_NONE, "goes to", r.address);
		r.address = mapping_apply(m, ENVELOPE_RECIPIENT, r.address);
		*vec_push(&m->rcpts) = r;
	}
	envelope_virtual(m);
	for (size_t i = 0; i < n; i++)
		*vec_push(&m->rcpts) = before[i];
	mem_free(before);
}
