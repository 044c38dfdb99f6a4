/* listings.c -- restrictions that ask DNS lists (RFC 5782): is the client, or one of the
 * domains that it names, listed?
 *
 * The first of them in a list of restrictions starts the questions of all that follow, so
 * that they cost the client one wait together. What a session has asked once it does not
 * ask again. */
#include "listings.h"
#include "address.h"
#include "expand.h"
#include "hosts.h"
#include "session.h"

#define KEPT_MOST 200 /* questions; a session with more begins anew */

/* ---- asking ---- */

struct question {
	struct listings *all;
	struct listing *listing;
};

static void
ask(void *arg)
{
	struct question *q = arg;

	co_name("dns list");
	q->listing->status =
		hosts_ask(q->listing->name, ns_t_a, 0, q->all->arena, &q->listing->reply);
	q->listing->answered = true;
	co_wake_all(&q->all->answered);
}

static void
forget(struct listings *l)
{
	co_scope_end(&l->scope, true);
	if (l->arena)
		arena_free(l->arena);
	*l = (struct listings){ .n = 0 };
}

static struct listing *
begin(struct session *s, struct str name)
{
	struct listings *l = &s->listings;
	struct question *q;

	for (struct listing *have = l->first; have; have = have->next)
		if (str_case_eq(have->name, name))
			return have;
	if (l->n >= KEPT_MOST)
		forget(l);
	if (!l->arena) {
		l->arena = arena_new();
		co_scope_init(&l->scope);
	}
	q = arena_alloc(l->arena, sizeof(*q));
	q->all = l;
	q->listing = arena_alloc(l->arena, sizeof(*q->listing));
	q->listing->name = arena_str(l->arena, name);
	q->listing->next = l->first;
	l->first = q->listing;
	l->n++;
	co_scope_spawn(&l->scope, ask, q, CO_STACK_SMALL);
	return q->listing;
}

void
listings_end(struct listings *l)
{
	if (l->arena)
		forget(l);
}

/* The name to ask for, or none: no address is known, the client has no such name, or an
 * address literal. */
static struct str
client_name(struct session *s, const struct check *c)
{
	if (!c->list.domain.len || s->peer.sa.ss_family == AF_UNSPEC)
		return STR_NONE;
	return dnslist_reversed(&s->peer, c->list.domain, s->command);
}

static struct str
domain_name(struct session *s, const struct check *c)
{
	struct str name = c->row->subject == SUBJECT_CLIENT
				  ? s->name
				  : subject_name(s, c->row->subject);
	struct str local, domain = name;

	if (!name.data || !c->list.domain.len || str_is(name, "unknown"))
		return STR_NONE;
	if (c->row->subject == SUBJECT_SENDER || c->row->subject == SUBJECT_RECIPIENT)
		address_split(name, &local, &domain);
	if (!domain.len || domain.data[0] == '[')
		return STR_NONE;
	return arena_printf(
		s->command, "%.*s.%.*s", STR_ARG(domain), STR_ARG(c->list.domain));
}

void
ask_about_client(struct session *s, const struct check *c)
{
	struct str name = client_name(s, c);

	if (name.data)
		(void)begin(s, name);
}

void
ask_about_domain(struct session *s, const struct check *c)
{
	struct str name = domain_name(s, c);

	if (name.data)
		(void)begin(s, name);
}

/* Starts what comes behind c in its list. */
static void
ask_ahead(struct session *s, const struct check *c)
{
	const struct checks *list = s->walk.checks;

	for (size_t i = 0; i < list->items.n; i++) {
		const struct check *other = &list->items.items[i];

		if (other > c && other->row && other->row->ask_ahead)
			other->row->ask_ahead(s, other);
	}
}

enum answer { LISTED, NOT_LISTED, UNCERTAIN };

static enum answer
is_listed(struct session *s, const struct check *c, struct str name)
{
	struct listing *listing;

	(void)begin(s, name);
	ask_ahead(s, c);
	listing = begin(s, name); /* a session with very many begins anew */
	while (!listing->answered)
		if (co_wait(&s->listings.answered, DEADLINE_NEVER) < 0)
			return UNCERTAIN;
	if (listing->status == DNS_TEMPFAIL) {
		log_warn("%.*s: RBL lookup error: %.*s", STR_ARG(name),
			STR_ARG(listing->reply.reason));
		return UNCERTAIN;
	}
	for (size_t i = 0; listing->status == DNS_OK && i < listing->reply.n_records; i++)
		if (listing->reply.records[i].type == ns_t_a &&
			dnslist_counts(&c->list, listing->reply.records[i].data))
			return LISTED;
	return NOT_LISTED;
}

/* ---- refusing ---- */

/* The names of default_rbl_reply that only these replies have. */
struct reply_names {
	struct session *s;
	const struct check *check;
	struct str what, reason;
};

static struct str
reply_name(struct str name, void *arg)
{
	const struct reply_names *n = arg;

	if (str_is(name, "rbl_code"))
		return arena_printf(n->s->command, "%d", n->s->p->maps_rbl_reject_code);
	if (str_is(name, "rbl_domain"))
		return n->check->list.domain;
	if (str_is(name, "rbl_reason") || str_is(name, "rbl_txt"))
		return n->reason;
	if (str_is(name, "rbl_what"))
		return n->what;
	if (str_is(name, "rbl_class"))
		return str_c(subject_class(n->check->row->subject));
	return expand_name(n->s, name);
}

/* The list's own words about the subject (RFC 5782 section 2.1). */
static struct str
reason(struct session *s, struct str name)
{
	struct dns_reply said;

	switch (hosts_ask(name, ns_t_txt, 0, s->command, &said)) {
	case DNS_OK:
		return said.records[0].data;
	case DNS_TEMPFAIL:
		log_warn("%.*s: TXT lookup error: %.*s", STR_ARG(name),
			STR_ARG(said.reason));
		break;
	default:
		break;
	}
	return STR("");
}

/* A reply of a map is for one list: with its filter, or for the whole of it. */
static struct str
template_for(struct session *s, const struct check *c)
{
	struct maps *maps = s->site->rbl_replies;
	struct str value;
	struct why why;

	if (maps_empty(maps))
		return s->p->default_rbl_reply;
	switch (maps_find(maps, c->argument, s->command, &value, &why)) {
	case DICT_FOUND:
		return value;
	case DICT_ERROR:
		log_warn("rbl_reply_maps: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return s->p->default_rbl_reply;
}

/* "554 5.7.1 text" or "554 text" */
static enum decision
refuse_with(struct session *s, struct str reply)
{
	struct str text = reply, word;
	char dsn[12] = "5.7.1";
	uint64_t code;

	if (!str_token(&text, " \t", &word) || word.len != 3 ||
		str_to_u64(word, &code) < 0 || code < 400 || code > 599) {
		log_warn("rbl response code configuration error: %.*s", STR_ARG(reply));
		return refuse(s, 450, "4.7.1", "Service unavailable");
	}
	text = str_trim(text);
	(void)why_code_take(&text, dsn);
	return refuse(s, (int)code, dsn, "%.*s", STR_ARG(text));
}

static enum decision
refuse_listed(struct session *s, const struct check *c, struct str name, struct str what)
{
	struct reply_names names = { .s = s, .check = c, .what = what };
	struct str reply;
	struct why why;

	names.reason = reason(s, name);
	if (conf_expand_with(
		    template_for(s, c), reply_name, &names, s->command, &reply, &why) < 0)
		return refuse_for_mistake(s, "bad rbl reply template for domain %.*s: %s",
			STR_ARG(c->argument), why.text);
	return refuse_with(s, reply);
}

static enum decision
needs_domain(struct session *s, const struct check *c)
{
	(void)s;
	log_warn("restriction %s requires domain name argument", c->row->name);
	return DUNNO;
}

static enum decision
reject_listed(struct session *s, const struct check *c, struct str name, struct str what)
{
	if (!c->list.domain.len)
		return needs_domain(s, c);
	if (name.data && is_listed(s, c, name) == LISTED)
		return refuse_listed(s, c, name, what);
	return DUNNO;
}

enum decision
reject_listed_client(struct session *s, const struct check *c)
{
	return reject_listed(s, c, client_name(s, c), s->address);
}

enum decision
reject_listed_domain(struct session *s, const struct check *c)
{
	struct str what = c->row->subject == SUBJECT_CLIENT
				  ? s->name
				  : subject_name(s, c->row->subject);

	return reject_listed(s, c, domain_name(s, c), what);
}

/* Who might have been let in is not refused for good when that cannot be found out. */
static enum decision
permit_listed(struct session *s, const struct check *c, struct str name)
{
	if (!c->list.domain.len)
		return needs_domain(s, c);
	if (!name.data)
		return DUNNO;
	switch (is_listed(s, c, name)) {
	case LISTED:
		/* A list of somebody else's does not open the relay. */
		return recipient_is_refused(s)
			       ? DUNNO
			       : permit_because(s, c->name, SUBJECT_CLIENT, STR_NONE);
	case UNCERTAIN:
		return defer_if_reject(s, 450, "4.7.1",
			"<%.*s>: %s rejected: Service unavailable", STR_ARG(s->client),
			subject_class(SUBJECT_CLIENT));
	case NOT_LISTED:
		break;
	}
	return DUNNO;
}

enum decision
permit_listed_client(struct session *s, const struct check *c)
{
	return permit_listed(s, c, client_name(s, c));
}

enum decision
permit_listed_domain(struct session *s, const struct check *c)
{
	return permit_listed(s, c, domain_name(s, c));
}
