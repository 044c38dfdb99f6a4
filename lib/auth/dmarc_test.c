/* dmarc_test.c -- policies, alignment, authors: rows of ours, and those of the shared
 * set. */
#include "dmarc.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the DNS is the first column: "name=record|name=record"; a name may also be there
 * without a record, or =SERVFAIL ---- */

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct str zone = *(struct str *)arg, item;
	struct dns_rr *records = arena_alloc(arena, 8 * sizeof(*records));
	struct str below = arena_printf(arena, "." STR_FMT, STR_ARG(name));
	bool exists = false;

	(void)until;
	*said = (struct dns_reply){ .status = DNS_NXDOMAIN, .records = records };
	while (str_split(&zone, '|', &item) && said->n_records < 8) {
		ssize_t equals = str_chr(item, '=');
		struct str owner = equals < 0 ? item : str_sub(item, 0, (size_t)equals);
		struct str data =
			equals < 0 ? STR_NONE : str_from(item, (size_t)equals + 1);

		exists |= str_case_eq(owner, name) || str_ends(owner, below);
		if (!data.data || !str_case_eq(owner, name) || type != 16)
			continue;
		if (str_is(data, "SERVFAIL")) {
			said->status = DNS_TEMPFAIL;
			return DNS_TEMPFAIL;
		}
		records[said->n_records++] = (struct dns_rr){ .type = 16, .data = data };
	}
	said->status = said->n_records ? DNS_OK : exists ? DNS_NODATA : DNS_NXDOMAIN;
	return (enum dns_status)said->status;
}

static struct dmarc_identity
identity(struct str text, bool is_dkim, struct arena *arena)
{
	struct str result;

	(void)str_split(&text, ':', &result);
	return (struct dmarc_identity){ .domain = arena_lower(arena, text),
		.passes = str_is(result, "pass"),
		.may_pass = str_is(result, "temperror"),
		.is_dkim = is_dkim };
}

static bool
is_one_of(struct str choices, const char *word)
{
	struct str choice;

	while (str_split(&choices, '|', &choice))
		if (str_is(choice, word))
			return true;
	return false;
}

static void
check_row(struct str line)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str column[7], authors[8], part;
	struct dmarc_identity ids[8];
	struct auth_dns dns = { .ask = ask, .arg = &column[0] };
	struct dmarc_question q = { .authors = { .all = { authors, 0 },
					    .is_plain = true },
		.identities = ids,
		.dns = &dns,
		.until = DEADLINE_NEVER };
	struct dmarc_verdict v;
	bool good;

	for (size_t i = 0; i < COUNT(column); i++) {
		column[i] = STR("");
		(void)str_split(&line, '\t', &column[i]);
	}
	/* "?": one that nobody can make out; "+": more than there is room for. */
	while (str_split(&column[1], ',', &part))
		if (str_is(part, "?"))
			q.authors.is_plain = false;
		else if (str_is(part, "+"))
			q.authors.has_more = true;
		else
			authors[q.authors.all.n++] = arena_lower(arena, part);
	ids[q.n++] = identity(column[2], false, arena);
	while (str_split(&column[3], ';', &part) && q.n < COUNT(ids))
		if (!str_is(part, "-"))
			ids[q.n++] = identity(part, true, arena);
	dmarc_check(&q, arena, &v);
	good = is_one_of(column[4], dmarc_result_name(v.result)) &&
	       is_one_of(column[5], dmarc_policy_name(v.policy));
	if (!good)
		printf("%.*s: %s, %s\n", STR_ARG(column[6]), dmarc_result_name(v.result),
			dmarc_policy_name(v.policy));
	CHECK(good);
}

TEST(policies_apply)
{
#define R "v=DMARC1; p=reject"
	static const char *const rows[] = {
		"_dmarc.a.test=" R "\ta.test\tpass:a.test\t-\tpass\tnone\tSPF",
		"_dmarc.a.test=" R "\ta.test\tfail:a.test\tpass:a.test\tpass\tnone\tDKIM",
		"_dmarc.a.test=" R
		"; adkim=s\ta.test\tfail:a.test\tpass:x.a.test\tfail\treject\tstrict",
		"_dmarc.a.test=" R
		"; t=y\ta.test\tfail:a.test\t-\tfail\tquarantine\ttesting",
		"_dmarc.a.test=v=DMARC1; p=quarantine; "
		"t=y\ta.test\tfail:a.test\t-\tfail\tnone\tt=y",
		/* np: the name does not exist, sp: it does. */
		"_dmarc.a.test=v=DMARC1; p=none; np=reject; "
		"sp=quarantine|x.a.test\tx.a.test\t"
		"fail:b.test\t-\tfail\tquarantine\tsp",
		"_dmarc.a.test=v=DMARC1; p=none; np=reject; "
		"sp=quarantine|x.a.test\ty.a.test\t"
		"fail:b.test\t-\tfail\treject\tnp",
		"_dmarc.a.test=v=DMARC1; p=none; "
		"np=reject\ty.a.test\tfail:b.test\t-\tfail\t"
		"reject\tnp beside p",
		/* Public suffixes tell of themselves. */
		"_dmarc.test=v=DMARC1; p=reject; "
		"psd=y\ta.test\tpass:b.test\t-\tfail\treject\t"
		"two below a suffix",
		"_dmarc.test=v=DMARC1; p=reject; "
		"psd=y\tx.a.test\tpass:y.a.test\t-\tpass\tnone\t"
		"one organization below a suffix",
		"_dmarc.test=v=DMARC1; p=reject; psd=y|_dmarc.a.test=v=DMARC1; "
		"p=none\ta.test\t"
		"fail:a.test\t-\tfail\tnone\tits own counts",
		"_dmarc.test=v=DMARC1; p=reject; psd=y|_dmarc.a.test=v=DMARC1; "
		"p=quarantine\t"
		"x.a.test\tfail:a.test\t-\tfail\tquarantine\tthe organization's counts",
		/* psd=n ends the walk. */
		"_dmarc.x.a.test=" R "; psd=n|_dmarc.a.test=" R
		"\tx.a.test\tpass:y.a.test\t-\tfail\treject\ta part that is on its own",
		/* Without it, what is highest up is the organization. */
		"_dmarc.x.a.test=" R "|_dmarc.a.test=" R
		"\tx.a.test\tpass:y.a.test\t-\tpass\tnone\tsame",
		/* Long names: from the seventh label from the right on. */
		"_dmarc.3.4.5.6.7.a.test=" R
		"\t1.2.x.3.4.5.6.7.a.test\tfail:a.test\t-\tfail\treject\tlong",
		"_dmarc.2.3.4.5.6.7.a.test=" R
		"\t1.2.3.4.5.6.7.a.test\tfail:a.test\t-\tnone\tnone\ttoo deep",
		"\ta.test\tfail:a.test\t-\tnone\tnone\tno record",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"\ta.test\tfail:a.test\t-\tfail\treject\tabove its own record",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"\ta.test\tpass:a.test\t-\tpass\tnone\tthe same, aligned",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"\ta.test\tpass:b.other\t-\tfail\treject\tthe same, surely not aligned",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"\ta.test\tpass:x.a.test\t-\ttemperror\tnone\tthe same, who knows",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"; aspf=s\ta.test\tpass:x.a.test\t-\tfail\treject\tthe same, strict",
		"_dmarc.test=SERVFAIL|_dmarc.a.test=" R
		"\tx.a.test\tfail:a.test\t-\ttemperror\tnone\tabove another's record",
		"_dmarc.a.test=SERVFAIL|_dmarc.b.a.test=" R "|_dmarc.c.a.test=" R
		"; psd=n\tc.a.test\tpass:b.a.test\t-\tfail\treject\tit is on its own",
		"_dmarc.a.test=" R
		"\ta.test\tfail:a.test\ttemperror:a.test\ttemperror\tnone\tkey",
		"_dmarc.a.test=" R
		"\ta.test\tfail:a.test\ttemperror:b.test\tfail\treject\tother",
		"_dmarc.a.test=" R
		"\ta.test,b.test\tpass:a.test\tpass:b.test\tfail\treject\ttwo",
		"_dmarc.a.test=" R
		"\tb.test,a.test\tpass:a.test\tpass:b.test\tfail\treject\tturned",
		"_dmarc.a.test=" R "\t\tpass:a.test\t-\tpermerror\tnone\tno author",
		/* A real one beside one that is strange: no pass, and no way around it.
		 */
		"_dmarc.a.test=" R
		"\ta.test,?\tpass:a.test\tpass:a.test\tfail\treject\tstrange",
		"_dmarc.a.test=" R "\t?\tpass:a.test\t-\tpermerror\tnone\tonly strange",
		"\ta.test,?\tpass:a.test\t-\tnone\tnone\tstrange, without a policy",
		"_dmarc.a.test=" R
		"\ta.test,+\tpass:a.test\t-\tpermerror\treject\ttoo many",
		"\tb.test,+\tpass:b.test\t-\tpermerror\treject\ttoo many, no policy seen",
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(str_c(rows[i]));
}

TEST(the_shared_set)
{
	const char *shared = getenv("POSTERN_SHARED");
	struct buf path CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line;

	buf_printf(
		&path, "%s/vectors/dmarc-made/cases.tsv", shared ? shared : "../shared");
	if (read_file(buf_cstr(&path), (size_t)1024 * 1024, &text) < 0) {
		printf("skipped: %s is absent: set POSTERN_SHARED\n", buf_cstr(&path));
		return;
	}
	rest = buf_str(&text);
	(void)str_split(&rest, '\n', &line); /* the head */
	while (str_split(&rest, '\n', &line))
		if (line.len)
			check_row(line);
}

TEST(records_are_read)
{
	static const struct {
		const char *text;
		int result;
		enum dmarc_policy p, sp, np;
	} rows[] = {
		{ "v=DMARC1;p=reject", 0, DMARC_REJECT, DMARC_REJECT, DMARC_REJECT },
		{ "v=DMARC1; P=Quarantine; SP=none; np=reject", 0, DMARC_QUARANTINE,
			DMARC_POLICY_NONE, DMARC_REJECT },
		{ " v = DMARC1 ; p = none;;; x", 0, DMARC_POLICY_NONE, DMARC_POLICY_NONE,
			DMARC_POLICY_NONE },
		{ "v=DMARC1; rua=mailto:a@b", 0, DMARC_POLICY_NONE, DMARC_POLICY_NONE,
			DMARC_POLICY_NONE },
		{ "v=DMARC1; p=reject; sp=what", -1, 0, 0, 0 },
		{ "v=DMARC1; p=reject; np=", -1, 0, 0, 0 },
		{ "v=DMARC1; np=none; rua=mailto:a@b; sp=what; p=reject", 0,
			DMARC_POLICY_NONE, DMARC_POLICY_NONE, DMARC_POLICY_NONE },
		{ "v=DMARC1; p=what", -1, 0, 0, 0 },
		{ "v=dmarc1; p=reject", -1, 0, 0, 0 },
		{ "p=reject; v=DMARC1", -1, 0, 0, 0 },
		{ "v=DMARC11; p=reject", -1, 0, 0, 0 },
		{ "", -1, 0, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dmarc_record r;

		CHECK_INT(dmarc_record_get(str_c(rows[i].text), &r), rows[i].result);
		if (rows[i].result < 0)
			continue;
		CHECK_INT(r.p, rows[i].p);
		CHECK_INT(r.sp, rows[i].sp);
		CHECK_INT(r.np, rows[i].np);
	}
}

TEST(authors_are_found)
{
	static const struct {
		const char *message, *domains;
		bool is_plain;
	} rows[] = {
		{ "From: a@One.test\n\nFrom: b@two.test\n", "one.test", true },
		{ "Subject: x\nfrom: A <a@one.test>\nTo: c@two.test\n\n", "one.test",
			true },
		{ "From: a@one.test, b@ONE.test\n\n", "one.test", true },
		{ "From: a@one.test, b@two.test\n\n", "one.test two.test", true },
		{ "From: a@one.test\nFrom: b@two.test\n\n", "one.test two.test", false },
		{ "From: a@one.test\nFrom: b@one.test\n\n", "one.test", false },
		{ "From: a@one.test\nFrom:\n\n", "one.test", false },
		{ "From: ceo@one.test, x\n\n", "one.test", false },
		{ "From: x, ceo@one.test\n\n", "one.test", false },
		{ "From: a@b\xC3\xBC"
		  "cher.test\n\n",
			"xn--bcher-kva.test", true },
		{ "From: \"b@two.test\" <a@one.test>\n\n", "one.test", true },
		{ "From: a@one.test.\n\n", "one.test", true },
		{ "From: undisclosed:;\n\n", "", false },
		{ "From: local\n\n", "", false },
		{ "From: <>\n\n", "", false },
		{ "From: a@one.test", "one.test", true },
		{ "Subject: none\n\n", "", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct authors *a = authors_new(10000);
		struct str text = str_c(rows[i].message);
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct author_domains domains;

		authors_add(a, str_sub(text, 0, text.len / 2));
		authors_add(a, str_from(text, text.len / 2));
		domains = authors_end(a, arena);
		for (size_t j = 0; j < domains.all.n; j++) {
			buf_addz(&got, j ? " " : "");
			buf_add(&got, domains.all.items[j]);
		}
		CHECK_STR(buf_str(&got), rows[i].domains);
		CHECK_INT(domains.is_plain, rows[i].is_plain);
		CHECK(!domains.has_more);
		authors_free(a);
	}
}

/* n throwaway domains, and one that somebody would hide behind them. */
static struct author_domains
crowd(unsigned n, size_t limit, struct arena *arena)
{
	struct authors *a = authors_new(limit);
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct author_domains found;

	buf_addz(&text, "From: ");
	for (unsigned i = 0; i < n; i++)
		buf_printf(&text, "a@x%u.test,\n ", i);
	buf_addz(&text, "ceo@bank.test\n\n");
	authors_add(a, buf_str(&text));
	found = authors_end(a, arena);
	authors_free(a);
	return found;
}

TEST(no_author_hides_behind_others)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct author_domains found = crowd(15, 10000, arena);

	CHECK_INT(found.all.n, 16);
	CHECK(!found.has_more);
	CHECK_STR(found.all.items[15], "bank.test");
	CHECK(crowd(16, 10000, arena).has_more);
	CHECK(crowd(1000, 100000, arena).has_more);
	/* The field ends before the last one. */
	CHECK(crowd(5, 60, arena).has_more);
}

TEST_MAIN()
