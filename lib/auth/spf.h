/* spf.h -- may this client send for that domain? (RFC 7208, check_host())
 *
 * The evaluator asks the DNS through what the caller gives it, so it is as good in smtpd
 * as in a command or a test. Everything in a question and a verdict is in the RFC's terms
 * and nothing of the evaluation shows: another engine could answer the same question. */
#ifndef SPF_H
#define SPF_H

#include "auth_dns.h"
#include "net.h"

enum spf_result { /* section 2.6 */
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};
/* "none", "neutral" ... */
const char *spf_result_name(enum spf_result result);

struct spf_question {
	struct net_addr client; /* an IPv4-mapped address counts as IPv4 (section 5) */
	struct str helo;        /* as it was said */
	struct str sender;   /* internal form; empty: the HELO identity is asked about */
	struct str receiver; /* our name, for the macro %{r}; empty: "unknown" */
	deadline_t until;    /* section 4.6.4: at least 20 seconds from now */
	const struct auth_dns *dns;
};
struct spf_verdict {
	enum spf_result result;
	bool is_of_helo;      /* the identity: "helo", otherwise "mailfrom" */
	struct str domain;    /* the identity's, in its ASCII form; empty: it has none */
	struct str mechanism; /* what matched, as published, the beginning
			       * of a long one; empty: nothing did */
	/* Why it is none, temperror or permerror; printable ASCII, at most 500
	 * octets; empty otherwise. */
	struct str problem;
	/* What the domain wants people to be told about a fail (section 6.2): its own
	 * words, to be quoted as such. Printable ASCII, at most 500 octets; or empty. */
	struct str explanation;
};
/* "pass mailfrom example.org: mx": result, identity, domain, what matched or what is
 * wrong; behind what out holds. */
void spf_verdict_show(const struct spf_verdict *v, struct buf *out);

/* Only who is asked about: is_of_helo and domain. False: there is no domain that could
 * have a record, and *out is the verdict. */
bool spf_identity(
	const struct spf_question *q, struct arena *arena, struct spf_verdict *out);

/* Answers within the limits of section 4.6.4: ten terms that ask the DNS, two answers
 * that there is nothing, ten MX records a mechanism, ten PTR records, and q->until. Fills
 * in all of *out; its strings are in arena, or those of the question. */
SWITCHES void spf_check(
	const struct spf_question *q, struct arena *arena, struct spf_verdict *out);

/* The same by libspf2, which knows no void look-ups and names no mechanism, and has been
 * broken into before: for a process that has nothing to lose (mailauth), on a large
 * stack. Temperror where the build does not have it. */
SWITCHES void spf2_check(
	const struct spf_question *q, struct arena *arena, struct spf_verdict *out);

#endif
