/* published_policies.c -- SPF, DMARC, MTA-STS, TLSRPT. See published.h. */
#include "published_impl.h"
#include "dmarc.h"
#include "mta_sts.h"
#include "spf.h"
#include "spf_record.h"
#include "tags.h"

/* ---- SPF (RFC 7208) ---- */

/* What the record itself says. False: it breaks the grammar, which the evaluation tells.
 */
static bool
read_terms(struct published *p, struct str record)
{
	struct spf_term term;
	struct str rest;
	struct why why;
	bool ends = false;
	int got;

	(void)spf_is_record(record, &rest);
	while ((got = spf_term_next(&rest, &term, &why)) > 0) {
		ends |= term.kind == SPF_ALL || term.kind == SPF_REDIRECT;
		if (term.kind == SPF_PTR)
			published_tell(p, PUBLISHED_WARNING, "SPF",
				"ptr is slow and fails often: name addresses instead "
				"(section 5.5)");
	}
	if (got == 0 && !ends)
		published_tell(p, PUBLISHED_WARNING, "SPF",
			"there is no all at its end: of other clients it says nothing");
	return got == 0;
}

/* With a client that is nobody every term is looked at. */
SWITCHES static void
evaluate(struct published *p, struct str record)
{
	struct spf_question ask = { .helo = p->q->domain,
		.sender = arena_printf(
			p->arena, "postmaster@" STR_FMT, STR_ARG(p->q->domain)),
		.until = p->q->until,
		.dns = p->q->dns };
	struct spf_verdict v;

	ensure(net_addr_parse(STR("0.0.0.1"), 0, &ask.client) == 0);
	spf_check(&ask, p->arena, &v);
	if (v.result == SPF_PERMERROR || v.result == SPF_TEMPERROR)
		published_tell(p, PUBLISHED_ERROR, "SPF", "%s: " STR_FMT,
			spf_result_name(v.result), STR_ARG(v.problem));
	else if (v.result == SPF_PASS)
		published_tell(p, PUBLISHED_ERROR, "SPF",
			STR_FMT " lets anybody send for the domain",
			STR_ARG(published_shown(p, v.mechanism)));
	else if (read_terms(p, record))
		published_tell(p, PUBLISHED_GOOD, "SPF", STR_FMT,
			STR_ARG(published_shown(p, record)));
}

void
published_spf(struct published *p)
{
	struct str record;
	int n = published_text(p, "SPF", p->q->domain, "v=spf1", &record);

	if (n == 0)
		published_tell(p, PUBLISHED_ERROR, "SPF",
			"there is no record: anybody may send for the domain");
	else if (n > 0)
		evaluate(p, record);
}

/* ---- DMARC (RFC 9989) ---- */

static bool
is_at_or_below(struct str name, struct str domain, struct arena *arena)
{
	return str_case_eq(name, domain) ||
	       str_case_ends(name, arena_printf(arena, "." STR_FMT, STR_ARG(domain)));
}

/* Does whoever gets the reports want them? (RFC 9990 section 4) */
SWITCHES static void
check_destination(struct published *p, struct str uri)
{
	struct str domain = p->q->domain, host = STR(""), rest, name, record;
	ssize_t at = str_rchr(uri, '@');
	int n;

	if (!str_case_starts(uri, STR("mailto:")) || at < 0) {
		published_tell(p, PUBLISHED_WARNING, "DMARC",
			"rua=" STR_FMT ": reports are sent to mailto: addresses only",
			STR_ARG(published_shown(p, uri)));
		return;
	}
	rest = str_from(uri, (size_t)at + 1);
	(void)str_split(&rest, '!', &host); /* "!10m": how large they may be */
	if (is_at_or_below(host, domain, p->arena) ||
		is_at_or_below(domain, host, p->arena))
		return;
	name = arena_printf(p->arena, STR_FMT "._report._dmarc." STR_FMT, STR_ARG(domain),
		STR_ARG(host));
	n = published_text(p, "DMARC", name, "v=DMARC1", &record);
	if (n == 0)
		published_tell(p, PUBLISHED_WARNING, "DMARC",
			"no reports go to " STR_FMT ": there is no record " STR_FMT,
			STR_ARG(published_shown(p, uri)),
			STR_ARG(published_shown(p, name)));
}

SWITCHES static void
read_policy(struct published *p, struct str text)
{
	struct dmarc_record record;
	struct str list, uri;

	if (dmarc_record_get(text, &record) < 0) {
		published_tell(p, PUBLISHED_ERROR, "DMARC",
			"\"" STR_FMT "\" is no record that counts: it begins with "
			"v=DMARC1; p=",
			STR_ARG(published_shown(p, text)));
		return;
	}
	if (record.p == DMARC_POLICY_NONE)
		published_tell(p, PUBLISHED_WARNING, "DMARC",
			"p=none: what others send in its name is delivered");
	if (record.is_test)
		published_tell(p, PUBLISHED_WARNING, "DMARC",
			"t=y: the policy is for trial, and is applied a step milder");
	if (!tag_find(text, "rua", &list))
		published_tell(p, PUBLISHED_WARNING, "DMARC",
			"without rua= nobody tells what is sent in its name");
	while (str_token(&list, ", \t", &uri))
		check_destination(p, uri);
	published_tell(
		p, PUBLISHED_GOOD, "DMARC", STR_FMT, STR_ARG(published_shown(p, text)));
}

/* The policy of a domain above. */
SWITCHES static void
check_inherited(struct published *p)
{
	struct str domain = p->q->domain;
	struct dmarc_question ask = { .authors = { .all = { &domain, 1 },
					      .is_plain = true },
		.dns = p->q->dns,
		.until = p->q->until };
	struct dmarc_verdict v;

	dmarc_check(&ask, p->arena, &v);
	if (v.result == DMARC_FAIL)
		published_tell(p, PUBLISHED_GOOD, "DMARC",
			"it has no record; the one of a domain above says %s",
			dmarc_policy_name(v.published));
	else if (v.result == DMARC_TEMPERROR)
		published_tell(p, PUBLISHED_ERROR, "DMARC", "cannot be looked up now");
	else
		published_tell(p, PUBLISHED_ERROR, "DMARC",
			"there is no record " STR_FMT
			": others may send in its name, and nobody tells",
			STR_ARG(published_name(p, "_dmarc", domain)));
}

void
published_dmarc(struct published *p)
{
	struct str record;
	int n = published_text(p, "DMARC", published_name(p, "_dmarc", p->q->domain),
		"v=DMARC1", &record);

	if (n == 0)
		check_inherited(p);
	else if (n > 0)
		read_policy(p, record);
}

/* ---- MTA-STS (RFC 8461) ---- */

void
published_mta_sts(struct published *p)
{
	struct str record, id;
	struct str host = published_name(p, "mta-sts", p->q->domain);
	bool is_alias;
	int n = published_text(p, "MTA-STS", published_name(p, "_mta-sts", p->q->domain),
		"v=STSv1", &record);

	if (n == 0)
		published_tell(p, PUBLISHED_ABSENT, "MTA-STS",
			"nobody is told to insist on TLS");
	if (n <= 0)
		return;
	n = published_has_address(p, "MTA-STS", host, &is_alias);
	if (!mta_sts_id(record, &id))
		published_tell(p, PUBLISHED_ERROR, "MTA-STS",
			"\"" STR_FMT "\" has no id= of 1 to 32 letters and digits",
			STR_ARG(published_shown(p, record)));
	else if (n == 0)
		published_tell(p, PUBLISHED_ERROR, "MTA-STS",
			STR_FMT " has no address: the policy cannot be fetched",
			STR_ARG(host));
	else if (n > 0)
		published_tell(p, PUBLISHED_GOOD, "MTA-STS",
			STR_FMT " (the policy is not fetched here)",
			STR_ARG(published_shown(p, record)));
}

/* ---- TLSRPT (RFC 8460) ---- */

void
published_tlsrpt(struct published *p)
{
	struct str record, list, uri;
	struct str name = published_name(p, "_smtp._tls", p->q->domain);
	int n = published_text(p, "TLSRPT", name, "v=TLSRPTv1", &record);
	bool good = false;

	if (n == 0)
		published_tell(p, PUBLISHED_ABSENT, "TLSRPT",
			"nobody tells when TLS with its hosts fails");
	if (n <= 0)
		return;
	(void)tag_find(record, "rua", &list);
	while (str_token(&list, ", \t", &uri)) {
		good = str_case_starts(uri, STR("mailto:")) ||
		       str_case_starts(uri, STR("https:"));
		if (!good)
			break;
	}
	if (good)
		published_tell(p, PUBLISHED_GOOD, "TLSRPT", STR_FMT,
			STR_ARG(published_shown(p, record)));
	else
		published_tell(p, PUBLISHED_ERROR, "TLSRPT",
			"\"" STR_FMT "\" has no rua= with mailto: or https:",
			STR_ARG(published_shown(p, record)));
}
