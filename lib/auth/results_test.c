/* results_test.c -- Authentication-Results, written and read. */
#include "results.h"
#include "test.h"

TEST(whose_word_it_is)
{
	static const struct {
		const char *body, *who;
	} rows[] = {
		{ " mx.example.org; spf=pass", "mx.example.org" },
		{ "mx.example.org;none", "mx.example.org" },
		{ " MX.Example.ORG 1; none", "MX.Example.ORG" },
		{ " (a (nested) \\) comment)\n\tmx.example.org (v1); dkim=pass",
			"mx.example.org" },
		{ " \"mx.example.org\"; none", "mx.example.org" },
		{ " \"m\\x.example.org\" ; none", "mx.example.org" },
		{ "\n mx.example.org\n ; none", "mx.example.org" },
		{ " mx.example.org", "mx.example.org" },
		{ " (never closed mx.example.org", "" },
		{ " \"never closed", "never closed" },
		{ " ; none", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		results_who(str_c(rows[i].body), &got);
		CHECK_STR(buf_str(&got), rows[i].who);
	}
}

TEST(what_is_said)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct dkim_verdict dkim = { .result = DKIM_PASS,
		.domain = STR("example.org"),
		.selector = STR("s1"),
		.algorithm = STR("rsa-sha256"),
		.part = STR("aB/+x=") };
	struct spf_verdict spf = { .result = SPF_SOFTFAIL, .domain = STR("example.org") };
	struct str items[3];

	results_spf(&spf, &out);
	CHECK_STR(buf_str(&out), "spf=softfail smtp.mailfrom=example.org");
	buf_clear(&out);
	spf.is_of_helo = true;
	spf.result = SPF_NONE;
	spf.domain = STR("we ird\"\nname");
	results_spf(&spf, &out);
	CHECK_STR(buf_str(&out), "spf=none smtp.helo=\"we ird\\\"name\"");
	buf_clear(&out);
	results_dkim(&dkim, &out);
	CHECK_STR(buf_str(&out), "dkim=pass header.d=example.org header.s=s1 "
				 "header.a=rsa-sha256 header.b=\"aB/+x=\"");
	buf_clear(&out);
	dkim = (struct dkim_verdict){ .result = DKIM_POLICY,
		.problem = STR("too short") };
	results_dkim(&dkim, &out);
	CHECK_STR(buf_str(&out), "dkim=policy reason=\"too short\"");
	buf_clear(&out);
	results_dkim(NULL, &out);
	CHECK_STR(buf_str(&out), "dkim=none");

	items[0] = STR("spf=pass smtp.mailfrom=a.example");
	items[1] = STR("dkim=none");
	buf_clear(&out);
	results_field(STR("mx.example"), (struct strs){ items, 2 }, &out);
	CHECK_STR(buf_str(&out), "Authentication-Results: mx.example;\n"
				 "\tspf=pass smtp.mailfrom=a.example;\n\tdkim=none\n");
	buf_clear(&out);
	results_field(STR("mx.example"), (struct strs){ NULL, 0 }, &out);
	CHECK_STR(buf_str(&out), "Authentication-Results: mx.example; none\n");
}

TEST(what_counts_for_the_author)
{
	struct dkim_verdict dkim[] = {
		{ .result = DKIM_PASS, .domain = STR("a.test") },
		{ .result = DKIM_PASS, .domain = STR("b.test"), .is_limited = true },
		{ .result = DKIM_FAIL, .domain = STR("c.test") },
		{ .result = DKIM_POLICY, .domain = STR("d.test") },
		{ .result = DKIM_TEMPERROR, .domain = STR("e.test") },
	};
	struct dmarc_identity ids[COUNT(dkim) + 1];

	CHECK_INT(results_identities(SPF_PASS, STR("s.test"), dkim, COUNT(dkim), ids), 3);
	CHECK_STR(ids[0].domain, "s.test");
	CHECK(ids[0].passes && !ids[0].is_dkim);
	CHECK_STR(ids[1].domain, "a.test");
	CHECK(ids[1].passes && ids[1].is_dkim);
	CHECK_STR(ids[2].domain, "e.test");
	CHECK(!ids[2].passes && ids[2].may_pass);
	CHECK_INT(results_identities(SPF_NONE, STR_NONE, NULL, 0, ids), 0);
}

TEST_MAIN()
