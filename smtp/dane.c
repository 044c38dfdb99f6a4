/* dane.c -- the level dane: what TLS a host must have by its TLSA records (RFC 7672). All
 * that is asked here is asked with validation; what is not proven is not there, and what
 * ought to be proven and cannot be is a deferral. */
#include "smtp.h"
#include "log.h"
#include "tls_digest.h"
#include <arpa/nameser.h>
#include <stdlib.h>

enum { RECORD_LEAST = 4 }; /* bytes */

enum found {
	FOUND_RECORDS,
	FOUND_NONE,  /* or none that DNSSEC vouches for: the host is like any other */
	FOUND_ERROR, /* the DNS did not say; logged */
};
struct records {
	struct str base;
	struct tls_tlsa *list;
	size_t n;
};

/* ---- look-ups ---- */

/* Those of one name (RFC 7672 section 2.2). */
SWITCHES static enum found
records_at(struct str base, unsigned port, struct arena *arena, struct records *out)
{
	struct str name = arena_printf(arena, "_%u._tcp." STR_FMT, port, STR_ARG(base));
	struct dns_reply said;
	bool any = false;

	hosts_ask(name, ns_t_tlsa, DNS_VALIDATE, arena, &said);
	if (said.status == DNS_TEMPFAIL) {
		log_warn("DANE TLSA lookup problem: Host or domain name not found. Name "
			 "service error for name=" STR_FMT " type=TLSA: " STR_FMT,
			STR_ARG(name), STR_ARG(said.reason));
		return FOUND_ERROR;
	}
	if (said.status != DNS_OK || !said.secure)
		return FOUND_NONE;
	*out = (struct records){ .base = base,
		.list = arena_alloc(arena, said.n_records * sizeof(*out->list)) };
	for (size_t i = 0; i < said.n_records; i++) {
		struct str data = said.records[i].data;

		if (said.records[i].type != ns_t_tlsa)
			continue;
		any = true;
		if (data.len >= RECORD_LEAST)
			out->list[out->n++] =
				(struct tls_tlsa){ .usage = (uint8_t)data.data[0],
					.selector = (uint8_t)data.data[1],
					.matching = (uint8_t)data.data[2],
					.data = str_from(data, 3) };
	}
	return any ? FOUND_RECORDS : FOUND_NONE;
}

/* The first step from an alias may be in a zone that is signed when the last is not. */
SWITCHES static enum found
records_at_alias(
	struct str alias, unsigned port, struct arena *arena, struct records *out)
{
	struct dns_reply said;

	hosts_ask(alias, ns_t_cname, DNS_VALIDATE, arena, &said);
	if (said.status == DNS_TEMPFAIL) {
		log_warn("DNSSEC status lookup error for " STR_FMT ": " STR_FMT,
			STR_ARG(alias), STR_ARG(said.reason));
		return FOUND_ERROR;
	}
	return said.status == DNS_OK && said.secure ? records_at(alias, port, arena, out)
						    : FOUND_NONE;
}

/* Where CNAMEs lead to first, then at the name that the domain gave (RFC 7672 section
 * 2.2.2). A zone that is not signed is not asked: there are servers that do not know how
 * to say no. */
SWITCHES static enum found
records_of(const struct host *h, const struct conf *c, struct arena *arena,
	struct records *out)
{
	bool is_alias = !str_case_eq(h->name, h->expanded);
	enum found got = FOUND_NONE;

	if (h->secure || c->p.smtp_tls_force_insecure_host_tlsa_lookup) {
		got = records_at(h->expanded, h->port, arena, out);
		if (got == FOUND_NONE && is_alias)
			got = records_at(h->name, h->port, arena, out);
	} else if (is_alias) {
		got = records_at_alias(h->name, h->port, arena, out);
	}
	return got;
}

/* ---- what becomes of the policy ---- */

const char *
dane_unfit(const struct conf *c)
{
	if (!str_case_is(c->p.smtp_dns_support_level, "dnssec") || !hosts_by_dns(c))
		return "configured with dnssec lookups disabled";
	if (c->p.ignore_mx_lookup_error && !smtp_lmtp)
		return "configured with MX lookup errors ignored";
	if (c->p.smtp_dns_resolver_options.len > 0)
		return "configured with incompatible dns resolver options";
	if (smtp_tls && !tls_context_has_dane(smtp_tls))
		return "configured with bad tls_dane_digests";
	return NULL;
}

void
dane_warn(struct str who, const struct conf *c)
{
	static bool told;
	const char *unfit = dane_unfit(c);

	if (!told && unfit)
		log_warn(STR_FMT ": dane is %s: it is taken as \"may\", and dane-only "
				 "defers mail",
			STR_ARG(who), unfit);
	else if (!told && c->p.dns_trust_anchor.len == 0)
		log_warn(STR_FMT ": dane without dns_trust_anchor: no TLSA record is "
				 "proven, so none counts: name a file with the key of "
				 "the DNS root",
			STR_ARG(who));
	told = true;
}

/* On the level dane the host gets what it would without; dane-only has nothing else. */
static enum verdict
without(struct tls_policy *p, enum tls_level instead, const char *text, struct why *why)
{
	if (p->level == TLS_DANE_ONLY)
		return why_set(why, "4.7.5", "%s", text);
	p->level = instead;
	return ACCEPT;
}

/* Sessions are resumed where the records are the same, in any order. */
static int
record_compare(const void *a, const void *b)
{
	const struct tls_tlsa *x = a, *y = b;
	int order = (x->usage << 16 | x->selector << 8 | x->matching) -
		    (y->usage << 16 | y->selector << 8 | y->matching);

	if (order == 0)
		order = memcmp(x->data.data, y->data.data, MIN(x->data.len, y->data.len));
	return order != 0 ? order
			  : (x->data.len > y->data.len) - (x->data.len < y->data.len);
}

struct str
dane_text(const struct tls_dane *d, struct arena *arena)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT;
	unsigned char digest[DIGEST_MOST];

	buf_printf(&all, STR_FMT, STR_ARG(d->base));
	for (size_t i = 0; i < d->names.n; i++)
		buf_printf(&all, "|" STR_FMT, STR_ARG(d->names.items[i]));
	for (size_t i = 0; i < d->n; i++) {
		const struct tls_tlsa *r = &d->records[i];

		buf_printf(&all, "|%u %u %u %zu ", r->usage, r->selector, r->matching,
			r->data.len);
		buf_add(&all, r->data);
	}
	if (digest_of(DIGEST_SHA256, buf_str(&all), digest) < 0)
		return arena_str(arena, buf_str(&all));
	for (size_t i = 0; i < digest_size(DIGEST_SHA256); i++)
		buf_printf(&text, "%02x", digest[i]);
	return arena_str(arena, buf_str(&text));
}

/* With records that can be used. Certificates of an authority may also be for the domain
 * itself (RFC 7672 section 3.2.2). */
static void
require(struct tls_policy *p, const struct records *r, const struct host_source *by,
	struct arena *arena)
{
	struct tls_dane *dane = arena_alloc(arena, sizeof(*dane));

	*dane = (struct tls_dane){ .base = r->base, .records = r->list, .n = r->n };
	if (by) {
		dane->names.items = arena_alloc(arena, 2 * sizeof(struct str));
		dane->names.items[dane->names.n++] = by->domain;
		if (!str_case_eq(by->domain, by->expanded))
			dane->names.items[dane->names.n++] = by->expanded;
	}
	qsort(r->list, r->n, sizeof(*r->list), record_compare);
	p->level = by && !by->secure ? TLS_HALF_DANE : TLS_DANE;
	p->terms.dane = dane;
	p->servername = dane->base;
}

/* smtp_tls_dane_insecure_mx_policy */
static enum tls_level
level_of_insecure(const struct conf *c)
{
	struct str word = c->p.smtp_tls_dane_insecure_mx_policy;

	return str_case_is(word, "dane")      ? TLS_HALF_DANE
	       : str_case_is(word, "encrypt") ? TLS_ENCRYPT
					      : TLS_MAY;
}

SWITCHES static enum verdict
decide(struct tls_policy *p, const struct host *h, const struct conf *c,
	struct arena *arena, struct why *why)
{
	bool insecure = h->by && !h->by->secure;
	struct records found = { .n = 0 };

	if (insecure && (p->level == TLS_DANE_ONLY || level_of_insecure(c) == TLS_MAY))
		return without(p, TLS_MAY, "non DNSSEC destination", why);
	switch (records_of(h, c, arena, &found)) {
	case FOUND_ERROR:
		return why_set(why, "4.7.5", "TLSA lookup error for " STR_FMT ":%u",
			STR_ARG(h->name), h->port);
	case FOUND_NONE:
		return without(p, TLS_MAY, "no TLSA records found", why);
	case FOUND_RECORDS:
		break;
	}
	if (smtp_tls)
		found.n = tls_dane_usable(smtp_tls, found.list, found.n);
	if (found.n == 0)
		return without(p, TLS_ENCRYPT, "TLSA records unusable", why);
	require(p, &found, h->by, arena);
	if (insecure && level_of_insecure(c) == TLS_ENCRYPT) {
		p->level = TLS_ENCRYPT;
		p->terms.dane = NULL;
	}
	return ACCEPT;
}

enum verdict
dane_policy(const struct tls_policy *wanted, const struct host *h, const struct conf *c,
	struct arena *arena, struct tls_policy *out, struct why *why)
{
	*out = *wanted;
	if (wanted->level != TLS_DANE && wanted->level != TLS_DANE_ONLY)
		return ACCEPT;
	if (decide(out, h, c, arena, why) != ACCEPT)
		return TEMPFAIL;
	tls_policy_settle(out, h->name, c, arena);
	return ACCEPT;
}
