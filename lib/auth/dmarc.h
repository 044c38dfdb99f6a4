/* dmarc.h -- does what SPF and DKIM say hold for the author that people see? (RFC 9989,
 * with its walk up the DNS instead of a list of public suffixes; records of RFC 7489 are
 * read.) */
#ifndef DMARC_H
#define DMARC_H

#include "auth_dns.h"

enum dmarc_result {
	DMARC_NONE,
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR
};
const char *dmarc_result_name(enum dmarc_result result);
/* In the order of their strength. */
enum dmarc_policy { DMARC_POLICY_NONE, DMARC_QUARANTINE, DMARC_REJECT };
const char *dmarc_policy_name(enum dmarc_policy policy);

/* ---- dmarc_record.c ---- */
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };
struct dmarc_record {
	enum dmarc_policy p, sp,
		np; /* sp and np have what they stand for when not given */
	bool strict_dkim, strict_spf;
	enum dmarc_psd psd;
	bool is_test; /* t=y */
};
/* -1: it is none (section 4.7), as is one without p=, or whose p=, sp= or np= is no
 * policy, and that has no rua=. With that it says p=none (section 4.10.1). */
int dmarc_record_get(struct str text, struct dmarc_record *out) MUST_CHECK;

/* ---- authors.c: the domains in From, which is what people see ---- */
struct authors;
/* limit: octets of a field. */
struct authors *authors_new(size_t limit) MUST_CHECK;
/* The message from its first byte on, lines ending in LF; all behind the header is passed
 * over. */
void authors_add(struct authors *a, struct str bytes);
struct author_domains {
	struct strs all; /* in ASCII and lower case, each once */
	/* There is one From field, and every author in it has a domain that can be made
	 * out: whoever else is named there, people may take for the author. */
	bool is_plain;
	bool has_more; /* than are told apart here, or than fit into the field's limit */
};
/* In arena. */
struct author_domains authors_end(struct authors *a, struct arena *arena);
/* The only one, of a message that has no other; or none. */
static inline struct str
authors_only(const struct author_domains *d)
{
	return d->is_plain && !d->has_more && d->all.n == 1 ? d->all.items[0] : STR_NONE;
}
void authors_free(struct authors *a); /* NULL: nothing */

/* ---- dmarc.c ---- */
/* What SPF or a signature says. */
struct dmarc_identity {
	struct str domain;
	bool passes, may_pass; /* may_pass: a temporary error */
	bool is_dkim;
};
struct dmarc_question {
	struct author_domains authors;
	const struct dmarc_identity *identities;
	size_t n;
	const struct auth_dns *dns;
	deadline_t until;
};
struct dmarc_verdict {
	enum dmarc_result result;
	enum dmarc_policy policy; /* what its domain wants done now */
	enum dmarc_policy
		published; /* and what it would, were it not for t=y or a pass */
	struct str domain; /* the author's; of several the one with that policy */
	/* For reports: where the record is that counted (none: there is no such), and
	 * whether a signature, and SPF, hold for the author. */
	struct str record;
	bool dkim, spf;
};
/* The organization that a domain belongs to, in arena; none: the DNS does not tell. */
SWITCHES struct str dmarc_organization(const struct auth_dns *dns, struct str domain,
	struct arena *arena, deadline_t until);
/* What is not one plain author never passes; the strongest of the policies that are there
 * counts. With more authors than can be looked at it is PERMERROR and reject, of no
 * domain: somebody's policy would be hidden behind the others. */
SWITCHES void dmarc_check(
	const struct dmarc_question *q, struct arena *arena, struct dmarc_verdict *out);

#endif
