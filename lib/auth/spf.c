/* spf.c -- check_host() of RFC 7208: records are walked term by term. An include puts one
 * more on the stack, redirect replaces the one on top. */
#include "spf_impl.h"
#include "idna.h"
#include "mailbox.h"
#include <arpa/nameser.h>
#include <netinet/in.h>

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = {
		[SPF_NONE] = "none",
		[SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass",
		[SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail",
		[SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
	};

	return names[result];
}

void
spf_verdict_show(const struct spf_verdict *v, struct buf *out)
{
	buf_printf(out, "%s %s", spf_result_name(v->result),
		v->is_of_helo ? "helo" : "mailfrom");
	if (v->domain.len)
		buf_printf(out, " " STR_FMT, STR_ARG(v->domain));
	if (v->mechanism.len || v->problem.len)
		buf_printf(out, ": " STR_FMT,
			STR_ARG(v->problem.len ? v->problem : v->mechanism));
}

/* How a step of the evaluation ends. */
enum step {
	MATCH,
	NO_MATCH,
	DONE, /* there is a result */
};

static enum step PRINTF(3, 4)
	done(struct spf_evaluation *e, enum spf_result result, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	e->out->result = result;
	e->out->problem = arena_str(e->arena, str_sub(buf_str(&text), 0, SPF_TEXT_MOST));
	return DONE;
}

/* ---- the DNS ---- */

struct str
spf_name_text(struct str name, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_print(name.data[i]) || name.data[i] == ' ' ||
			name.data[i] == '\\')
			buf_printf(&text, "\\%03u", (unsigned char)name.data[i]);
		else
			buf_addc(&text, name.data[i]);
	return arena_str(arena, buf_str(&text));
}

/* For complaints and questions. */
static struct str
as_text(struct spf_evaluation *e, struct str name)
{
	return spf_name_text(name, e->arena);
}

enum dns_status
spf_ask(struct spf_evaluation *e, struct str name, uint16_t type, struct dns_reply *said)
{
	return e->q->dns->ask(
		e->q->dns->arg, as_text(e, name), type, e->arena, e->q->until, said);
}

/* A question that the record's owner makes us ask. An error ends the evaluation, and so
 * do too many answers that there is nothing (section 4.6.4). What is asked about the
 * client's own names is not counted: there it would be the client who decides. */
static enum step
ask_for_term(
	struct spf_evaluation *e, struct str name, uint16_t type, struct dns_reply *said)
{
	enum dns_status got = spf_ask(e, name, type, said);

	if (got == DNS_TEMPFAIL)
		return done(e, SPF_TEMPERROR, "look-up of " STR_FMT " failed",
			STR_ARG(as_text(e, name)));
	if (got == DNS_OK)
		return MATCH;
	if (++e->voids > SPF_VOIDS_MOST)
		return done(e, SPF_PERMERROR, "more than %d look-ups that found nothing",
			SPF_VOIDS_MOST);
	return NO_MATCH;
}

uint16_t
spf_address_type(const struct spf_evaluation *e)
{
	return e->v6 ? ns_t_aaaa : ns_t_a;
}

bool
spf_addresses_match(const struct spf_evaluation *e, const struct dns_reply *said,
	unsigned bits4, unsigned bits6)
{
	for (size_t i = 0; i < said->n_records; i++) {
		struct net_block block = { .v6 = e->v6, .bits = e->v6 ? bits6 : bits4 };
		struct net_addr address;

		if (said->records[i].type != spf_address_type(e) ||
			net_addr_parse(said->records[i].data, 0, &address) < 0)
			continue;
		if (e->v6)
			memcpy(block.bytes,
				&((struct sockaddr_in6 *)&address.sa)->sin6_addr, 16);
		else
			memcpy(block.bytes,
				&((struct sockaddr_in *)&address.sa)->sin_addr, 4);
		if (net_block_has(&block, &e->client))
			return true;
	}
	return false;
}

/* ---- mechanisms (section 5) ---- */

/* Terms that ask the DNS. */
static enum step
count_term(struct spf_evaluation *e)
{
	if (++e->terms > SPF_TERMS_MOST)
		return done(e, SPF_PERMERROR, "more than %d terms with look-ups",
			SPF_TERMS_MOST);
	return MATCH;
}

static enum step
match_host(struct spf_evaluation *e, const struct spf_term *term, struct str name)
{
	struct dns_reply said;
	enum step got = ask_for_term(e, name, spf_address_type(e), &said);

	if (got == MATCH && !spf_addresses_match(e, &said, term->bits4, term->bits6))
		return NO_MATCH;
	return got;
}

/* Section 5.4. Too many records are a permerror wherever the matching one stands, since
 * the DNS gives them in any order. */
static enum step
match_mx(struct spf_evaluation *e, const struct spf_term *term, struct str domain)
{
	struct dns_reply said;
	enum step got = ask_for_term(e, domain, ns_t_mx, &said);
	size_t n = 0;

	if (got != MATCH)
		return got;
	for (size_t i = 0; i < said.n_records; i++)
		n += said.records[i].type == ns_t_mx;
	if (n > SPF_MX_MOST)
		return done(e, SPF_PERMERROR, "more than %d MX records for " STR_FMT,
			SPF_MX_MOST, STR_ARG(as_text(e, domain)));
	for (size_t i = 0; i < said.n_records; i++) {
		if (said.records[i].type != ns_t_mx ||
			!spf_name_is_valid(said.records[i].data))
			continue; /* RFC 7505: the root is no host */
		got = match_host(e, term, said.records[i].data);
		if (got != NO_MATCH)
			return got;
	}
	return NO_MATCH;
}

/* Section 4.6.4: `include`, `a`, `mx`, `ptr`, `exists` count; where there is no name to
 * ask for (section 4.8), they do not match. */
static enum step
match_target(struct spf_evaluation *e, struct spf_frame *f)
{
	const struct spf_term *term = &f->term;
	struct dns_reply said;
	struct str target;

	if (count_term(e) == DONE)
		return DONE;
	if (!spf_target(e, f, term->domain_spec, &target))
		return NO_MATCH;
	switch (term->kind) {
	case SPF_A:
		return match_host(e, term, target);
	case SPF_MX:
		return match_mx(e, term, target);
	case SPF_PTR:
		return spf_ptr_matches(e, target) ? MATCH : NO_MATCH;
	default:
		return ask_for_term(e, target, ns_t_a, &said); /* section 5.7 */
	}
}

static enum step
match(struct spf_evaluation *e, struct spf_frame *f)
{
	switch (f->term.kind) {
	case SPF_ALL:
		return MATCH;
	case SPF_IP4:
	case SPF_IP6:
		return net_block_has(&f->term.block, &e->client) ? MATCH : NO_MATCH;
	case SPF_A:
	case SPF_MX:
	case SPF_PTR:
	case SPF_EXISTS:
		return match_target(e, f);
	default: /* modifiers have their time later */
		return NO_MATCH;
	}
}

/* ---- records ---- */

/* Section 4.5: the one TXT record that has the version. */
static enum step
select_record(struct spf_evaluation *e, struct str domain, struct str *terms)
{
	struct dns_reply said;
	bool found = false;
	struct str rest;

	switch (spf_ask(e, domain, ns_t_txt, &said)) {
	case DNS_TEMPFAIL:
		return done(e, SPF_TEMPERROR, "look-up of " STR_FMT " failed",
			STR_ARG(as_text(e, domain)));
	case DNS_OK:
		break;
	default:
		said.n_records = 0;
	}
	for (size_t i = 0; i < said.n_records; i++) {
		if (said.records[i].type != ns_t_txt ||
			!spf_is_record(said.records[i].data, &rest))
			continue;
		if (found)
			return done(e, SPF_PERMERROR, STR_FMT " has several SPF records",
				STR_ARG(as_text(e, domain)));
		found = true;
		*terms = rest;
	}
	if (!found)
		return done(e, SPF_NONE, STR_FMT " has no SPF record",
			STR_ARG(as_text(e, domain)));
	return MATCH;
}

/* Section 4.6: a mistake anywhere in the record counts, whatever comes before it. Notes
 * the modifiers, which come once at the most (section 6). */
static enum step
check_record(struct spf_evaluation *e, struct spf_frame *f)
{
	struct str rest = f->rest;
	struct spf_term term;
	struct why why;
	int got;

	while ((got = spf_term_next(&rest, &term, &why)) > 0) {
		struct str *modifier = term.kind == SPF_REDIRECT ? &f->redirect
				       : term.kind == SPF_EXP    ? &f->exp
								 : NULL;

		if (!modifier)
			continue;
		if (modifier->len)
			return done(e, SPF_PERMERROR,
				"%s= twice in the record of " STR_FMT,
				term.kind == SPF_EXP ? "exp" : "redirect",
				STR_ARG(as_text(e, f->domain)));
		*modifier = term.domain_spec;
	}
	if (got < 0)
		return done(e, SPF_PERMERROR, "%s, in the record of " STR_FMT, why.text,
			STR_ARG(as_text(e, f->domain)));
	return MATCH;
}

/* Begins with the record of a domain; in the frame's place when there was one. */
static enum step
open_frame(struct spf_evaluation *e, struct spf_frame *f, struct str domain)
{
	*f = (struct spf_frame){ .domain = domain };
	if (select_record(e, domain, &f->rest) == DONE)
		return DONE;
	return check_record(e, f);
}

/* Section 6.1: its result is that of the record; that there is none is a mistake. */
static enum step
redirect(struct spf_evaluation *e, struct spf_frame *f)
{
	struct str target;

	if (count_term(e) == DONE)
		return DONE;
	if (!spf_target(e, f, f->redirect, &target))
		return done(e, SPF_PERMERROR, "redirect= leads to no domain");
	if (open_frame(e, f, target) != DONE)
		return MATCH;
	if (e->out->result == SPF_NONE)
		e->out->result = SPF_PERMERROR;
	return DONE;
}

/* Section 5.2: no record there is a mistake here, and no domain has none. */
static enum step
include(struct spf_evaluation *e, struct spf_frame *f)
{
	struct str target;

	if (count_term(e) == DONE)
		return DONE;
	if (!spf_target(e, f, f->term.domain_spec, &target))
		return done(e, SPF_PERMERROR, "include: leads to no domain");
	if (open_frame(e, f + 1, target) != DONE) {
		e->depth++;
		return MATCH;
	}
	if (e->out->result == SPF_NONE)
		e->out->result = SPF_PERMERROR;
	return DONE;
}

/* The record on top has its result: the result of all, or whether the term matches that
 * included it. */
static enum step
close_frame(struct spf_evaluation *e, enum spf_result result)
{
	while (--e->depth > 0) {
		if (result != SPF_PASS)
			return NO_MATCH;
		result = e->frames[e->depth - 1].term.qualifier;
	}
	e->out->result = result;
	return DONE;
}

/* Section 4.6.2 and 4.7: terms from left to right, then redirect, then neutral. */
static enum step
next_term(struct spf_evaluation *e)
{
	struct spf_frame *f = &e->frames[e->depth - 1];
	enum step got;
	struct why why;

	if (spf_term_next(&f->rest, &f->term, &why) <= 0) {
		f->term.text = STR_NONE;
		return f->redirect.len ? redirect(e, f) : close_frame(e, SPF_NEUTRAL);
	}
	if (f->term.kind == SPF_INCLUDE)
		return include(e, f);
	got = match(e, f);
	return got == MATCH ? close_frame(e, f->term.qualifier) : got;
}

/* ---- the whole ---- */

/* Section 6.2: any trouble with it, and there is none. */
static void
explain(struct spf_evaluation *e)
{
	const struct spf_frame *f = &e->frames[0];
	const struct dns_rr *found = NULL;
	struct dns_reply said;
	struct str target;

	if (!f->exp.len || !spf_target(e, f, f->exp, &target) ||
		spf_ask(e, target, ns_t_txt, &said) != DNS_OK)
		return;
	for (size_t i = 0; i < said.n_records; i++) {
		if (said.records[i].type != ns_t_txt)
			continue;
		if (found)
			return;
		found = &said.records[i];
	}
	if (found)
		e->out->explanation = spf_explain(e, f, found->data);
}

/* In A-labels (RFC 8616 section 4), without a last dot. */
static struct str
ascii_domain(struct spf_evaluation *e, struct str domain)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;
	bool is_ascii = true;

	for (size_t i = 0; i < domain.len; i++)
		is_ascii &= (unsigned char)domain.data[i] < 0x80;
	if (!is_ascii && idna_to_ascii(domain, &ascii) == 0)
		domain = arena_str(e->arena, buf_str(&ascii));
	if (str_ends(domain, STR(".")))
		domain.len--;
	return domain;
}

/* Section 2.4 and 4.3: no sender, or one without a local part, is the postmaster. The
 * domain has several labels, and is no address literal. */
static enum step
identify(struct spf_evaluation *e)
{
	e->helo = ascii_domain(e, e->q->helo);
	e->out->is_of_helo = e->q->sender.len == 0;
	if (e->out->is_of_helo)
		e->domain = e->helo;
	else
		address_split(e->q->sender, &e->local, &e->domain);
	if (e->local.len == 0)
		e->local = STR("postmaster");
	e->domain = ascii_domain(e, e->domain);
	if (!spf_name_is_valid(e->domain) || e->domain.data[0] == '[' ||
		str_chr(e->domain, '.') < 0)
		return done(e, SPF_NONE, "no domain that could have a record");
	e->out->domain = e->domain;
	spf_macros_begin(e);
	return MATCH;
}

struct spf_evaluation *
spf_begin(const struct spf_question *q, struct arena *arena, struct spf_verdict *out)
{
	struct spf_evaluation *e = arena_alloc(arena, sizeof(*e));

	*out = (struct spf_verdict){ .result = SPF_NONE };
	e->q = q;
	e->arena = arena;
	e->out = out;
	e->client = q->client;
	net_addr_unmap(&e->client);
	e->v6 = e->client.sa.ss_family == AF_INET6;
	return identify(e) == DONE ? NULL : e;
}

bool
spf_identity(const struct spf_question *q, struct arena *arena, struct spf_verdict *out)
{
	return spf_begin(q, arena, out) != NULL;
}

void
spf_check(const struct spf_question *q, struct arena *arena, struct spf_verdict *out)
{
	struct spf_evaluation *e = spf_begin(q, arena, out);

	if (!e || open_frame(e, &e->frames[0], e->domain) == DONE)
		return;
	e->depth = 1;
	while (next_term(e) != DONE)
		;
	if (out->problem.len == 0)
		out->mechanism = str_sub(e->frames[0].term.text, 0, SPF_MECHANISM_MOST);
	if (out->result == SPF_FAIL)
		explain(e);
}
