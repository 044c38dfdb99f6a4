/* dmarc.c -- see dmarc.h. */
#include "dmarc.h"
#include <arpa/nameser.h>

#define LABELS_MOST 8 /* section 4.10: of longer names only the last seven are walked */

const char *
dmarc_result_name(enum dmarc_result result)
{
	static const char *const names[] = {
		[DMARC_NONE] = "none",
		[DMARC_PASS] = "pass",
		[DMARC_FAIL] = "fail",
		[DMARC_TEMPERROR] = "temperror",
		[DMARC_PERMERROR] = "permerror",
	};

	return names[result];
}

const char *
dmarc_policy_name(enum dmarc_policy policy)
{
	static const char *const names[] = {
		[DMARC_POLICY_NONE] = "none",
		[DMARC_QUARANTINE] = "quarantine",
		[DMARC_REJECT] = "reject",
	};

	return names[policy];
}

/* ---- records ---- */

enum found { FOUND, NOT_FOUND, DNS_FAILED };

/* Several records are none (section 4.10.1). */
SWITCHES static enum found
record_of(const struct dmarc_question *q, struct str domain, struct arena *arena,
	struct dmarc_record *out)
{
	struct str name = arena_printf(arena, "_dmarc." STR_FMT, STR_ARG(domain));
	struct dns_reply said;
	struct dmarc_record record;
	unsigned n = 0;

	if (q->dns->ask(q->dns->arg, name, ns_t_txt, arena, q->until, &said) ==
		DNS_TEMPFAIL)
		return DNS_FAILED;
	for (size_t i = 0; said.status == DNS_OK && i < said.n_records; i++)
		if (said.records[i].type == ns_t_txt &&
			dmarc_record_get(said.records[i].data, &record) == 0) {
			*out = record;
			n++;
		}
	return n == 1 ? FOUND : NOT_FOUND;
}

static size_t
labels_of(struct str domain)
{
	size_t n = domain.len > 0;

	for (size_t i = 0; i < domain.len; i++)
		n += domain.data[i] == '.';
	return n;
}

static struct str
parent_of(struct str domain)
{
	ssize_t dot = str_chr(domain, '.');

	return dot < 0 ? STR("") : str_from(domain, (size_t)dot + 1);
}

static struct str
top_of(struct str domain)
{
	while (labels_of(domain) > 1)
		domain = parent_of(domain);
	return domain;
}

/* ---- the walk (section 4.10) ---- */

struct walk {
	struct str start;
	bool has_own; /* a record of where it started */
	struct dmarc_record own;
	/* The organizational domain (section 4.10.2); is_cut: the DNS failed above the
	 * own record, so what counts is known, and of this only what it cannot be above.
	 */
	struct str organization;
	bool is_cut;
	struct str above; /* where the record that counts without an own one is; or
			   * none */
	struct dmarc_record record; /* that one */
};

/* DNS_FAILED, or FOUND. */
SWITCHES static enum found
walk_up(const struct dmarc_question *q, struct str start, struct arena *arena,
	struct walk *w)
{
	struct str below = start;

	*w = (struct walk){ .start = start, .organization = start };
	for (struct str at = start; at.len > 0;) {
		struct dmarc_record r;
		enum found found = record_of(q, at, arena, &r);
		bool is_start = at.data == start.data;

		if (found == DNS_FAILED && w->has_own) {
			w->is_cut = true;
			w->organization = top_of(start);
			return FOUND;
		}
		if (found == DNS_FAILED)
			return DNS_FAILED;
		if (found == FOUND && is_start) {
			w->has_own = true;
			w->own = r;
		}
		if (found == FOUND && r.psd == DMARC_PSD_YES && !is_start) {
			w->organization = below;
			/* The suffix' record is for those that have none. */
			if (w->above.data != below.data) {
				w->above = at;
				w->record = r;
			}
			return FOUND;
		}
		if (found == FOUND) {
			w->organization = w->above = at;
			w->record = r;
			if (r.psd == DMARC_PSD_NO)
				return FOUND;
		}
		below = at;
		at = parent_of(at);
		while (labels_of(at) >= LABELS_MOST)
			at = parent_of(at);
	}
	return FOUND;
}

struct str
dmarc_organization(const struct auth_dns *dns, struct str domain, struct arena *arena,
	deadline_t until)
{
	struct dmarc_question q = { .dns = dns, .until = until };
	struct walk w;

	if (walk_up(&q, arena_lower(arena, domain), arena, &w) == DNS_FAILED || w.is_cut)
		return STR_NONE;
	return w.organization;
}

/* ---- alignment (section 4.4) ---- */

SWITCHES static enum found
is_aligned(const struct dmarc_question *q, const struct walk *author,
	const struct dmarc_record *record, const struct dmarc_identity *id,
	struct arena *arena, bool *aligned)
{
	struct str domain = arena_lower(arena, id->domain);
	struct walk w;

	*aligned = str_eq(domain, author->start);
	if (*aligned || (id->is_dkim ? record->strict_dkim : record->strict_spf))
		return FOUND;
	/* What is neither above nor below the same organization need not be asked about.
	 */
	if (!str_eq(domain, author->organization) &&
		!str_ends(domain,
			arena_printf(arena, "." STR_FMT, STR_ARG(author->organization))))
		return FOUND;
	if (author->is_cut || walk_up(q, domain, arena, &w) == DNS_FAILED || w.is_cut)
		return DNS_FAILED;
	*aligned = str_eq(w.organization, author->organization);
	return FOUND;
}

/* ---- one author ---- */

/* np= is for names that the DNS does not have at all. */
SWITCHES static enum dmarc_policy
policy_of(const struct dmarc_question *q, const struct walk *w, struct arena *arena)
{
	struct dns_reply said;

	if (w->has_own)
		return w->own.p;
	if (w->record.np != w->record.sp &&
		q->dns->ask(q->dns->arg, w->start, ns_t_a, arena, q->until, &said) ==
			DNS_NXDOMAIN)
		return w->record.np;
	return w->record.sp;
}

SWITCHES static void
check_author(const struct dmarc_question *q, struct str author, bool may_pass,
	struct arena *arena, struct dmarc_verdict *out)
{
	const struct dmarc_record *record;
	struct walk w;
	bool in_doubt = false;

	*out = (struct dmarc_verdict){ .result = DMARC_TEMPERROR, .domain = author };
	if (walk_up(q, author, arena, &w) == DNS_FAILED)
		return;
	out->result = DMARC_NONE;
	if (w.above.len == 0)
		return;
	record = w.has_own ? &w.own : &w.record;
	out->record = w.has_own ? author : w.above;
	out->published = policy_of(q, &w, arena);
	for (size_t i = 0; i < q->n; i++) {
		const struct dmarc_identity *id = &q->identities[i];
		bool *holds = id->is_dkim ? &out->dkim : &out->spf, aligned = false;

		if (id->domain.len == 0 || *holds || !(id->passes || id->may_pass))
			continue;
		if (is_aligned(q, &w, record, id, arena, &aligned) == DNS_FAILED)
			in_doubt = true;
		else if (aligned && id->passes && may_pass)
			*holds = true;
		else
			in_doubt |= aligned && may_pass;
	}
	out->result = out->dkim || out->spf ? DMARC_PASS
		      : in_doubt            ? DMARC_TEMPERROR
					    : DMARC_FAIL;
	if (out->result != DMARC_FAIL)
		return;
	out->policy = out->published;
	if (record->is_test && out->policy > DMARC_POLICY_NONE)
		out->policy--; /* section 4.7, t= */
}

void
dmarc_check(
	const struct dmarc_question *q, struct arena *arena, struct dmarc_verdict *out)
{
	const struct strs all = q->authors.all;
	bool may_pass = authors_only(&q->authors).len > 0;

	*out = (struct dmarc_verdict){ .result = DMARC_PERMERROR };
	if (q->authors.has_more)
		out->policy = out->published = DMARC_REJECT;
	for (size_t i = 0; i < all.n && !q->authors.has_more; i++) {
		struct dmarc_verdict one;

		check_author(q, all.items[i], may_pass, arena, &one);
		if (i == 0 || one.policy > out->policy)
			*out = one;
	}
}
