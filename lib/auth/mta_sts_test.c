/* mta_sts_test.c -- records, policies and hosts of MTA-STS. */
#include "mta_sts.h"
#include "test.h"

TEST(ids)
{
	static const struct {
		const char *record, *id; /* NULL: none */
	} rows[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=a", "a" },
		{ "v=STSv1 ; id=a ; x=y;", "a" },
		{ "v=STSv1; x-y.z=1; id=a", "a" },
		{ "v=STSv1; id=a; id=b", "a" },
		{ "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890"
								  "123456789012" },
		{ "v=STSv1; id=123456789012345678901234567890123", NULL },
		{ "v=STSv1; id=", NULL },
		{ "v=STSv1; id=a-b", NULL },
		{ "v=STSv1; ID=a", NULL },
		{ "v=STSv1;", NULL },
		{ "v=STSv10; id=a", NULL },
		{ "v=stsv1; id=a", NULL },
		{ "id=a; v=STSv1", NULL },
		{ "v=spf1 -all", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str id = STR_NONE;

		CHECK(mta_sts_id(str_c(rows[i].record), &id) == (rows[i].id != NULL));
		CHECK_STR(id, rows[i].id ? rows[i].id : "");
		test_row(i);
	}
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"

TEST(policies)
{
	static const struct {
		const char *text, *want; /* "mode age mx ...", or what is wrong with it */
	} rows[] = {
		{ HEAD "mx: mx.example\n", "enforce 86400 mx.example" },
		{ HEAD "mx: MX.Example", "enforce 86400 mx.example" },
		{ "version: STSv1\r\nmode: testing\r\nmx: *.a.example\r\nmx:b.example\r\n"
		  "max_age: 604800\r\n",
			"testing 604800 *.a.example b.example" },
		{ "version: STSv1\nmode: none\nmax_age: 0\n", "none 0" },
		{ "max_age: 9999999999\nmode: none\nversion: STSv1  \n",
			"none 31557600" },
		{ HEAD "mode: none\nmx: a\nversion: STSv2\nfuture-field: 1:2\n\n",
			"enforce 86400 a" },
		{ HEAD "mx: under_score.example\n", "enforce 86400 under_score.example" },
		{ HEAD, "the policy has no mx" },
		{ HEAD "mx:\n", "an mx of the policy is no host name" },
		{ HEAD "mx: *\n", "an mx of the policy is no host name" },
		{ HEAD "mx: a.*.example\n", "an mx of the policy is no host name" },
		{ HEAD "mx: *.*.example\n", "an mx of the policy is no host name" },
		{ HEAD "mx: .example\n", "an mx of the policy is no host name" },
		{ HEAD "mx: a..example\n", "an mx of the policy is no host name" },
		{ HEAD "mx: a b\n", "an mx of the policy is no host name" },
		{ HEAD "mx: a\nnonsense\n", "a line of the policy has no name" },
		{ HEAD "mx: a\n: b\n", "a line of the policy has no name" },
		{ "mode: enforce\nmax_age: 1\nmx: a\n",
			"the policy is not of version STSv1" },
		{ "version: STSv2\nmode: enforce\nmax_age: 1\nmx: a\n",
			"the policy is not of version STSv1" },
		{ "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a\n",
			"the policy has no mode" },
		{ "version: STSv1\nmax_age: 1\nmx: a\n", "the policy has no mode" },
		{ "version: STSv1\nmode: enforce\nmx: a\n", "the policy has no max_age" },
		{ "version: STSv1\nmode: enforce\nmax_age: -1\nmx: a\n",
			"the policy has no max_age" },
		{ "version: STSv1\nmode: enforce\nmax_age: 10000000000\nmx: a\n",
			"the policy has no max_age" },
		{ "<html>\n<body>404</body>\n", "a line of the policy has no name" },
		{ "", "the policy is not of version STSv1" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct mta_sts policy;
		struct why why;

		if (mta_sts_parse(str_c(rows[i].text), arena, &policy, &why) != ACCEPT) {
			buf_addz(&got, why.text);
		} else {
			buf_printf(
				&got, "%s %u", mta_sts_word(policy.mode), policy.max_age);
			for (size_t k = 0; k < policy.mx.n; k++)
				buf_printf(
					&got, " " STR_FMT, STR_ARG(policy.mx.items[k]));
		}
		CHECK_STR(buf_str(&got), rows[i].want);
		test_row(i);
	}
}

TEST(too_much)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct mta_sts policy;
	struct why why;

	buf_addz(&text, HEAD);
	for (int i = 0; i < MTA_STS_MX_MOST; i++)
		buf_printf(&text, "mx: mx%d.example\n", i);
	CHECK(mta_sts_parse(buf_str(&text), arena, &policy, &why) == ACCEPT);
	CHECK_INT(policy.mx.n, MTA_STS_MX_MOST);
	buf_addz(&text, "mx: more.example\n");
	CHECK(mta_sts_parse(buf_str(&text), arena, &policy, &why) == PERMFAIL);
	buf_clear(&text);
	buf_addz(&text, HEAD "mx: a\n");
	while (text.len <= MTA_STS_TEXT_MOST)
		buf_addz(&text, "more: of the same, for nobody to read\n");
	CHECK(mta_sts_parse(buf_str(&text), arena, &policy, &why) == PERMFAIL);
	CHECK_STR(str_c(why.text), "the policy is too long");
}

TEST(hosts)
{
	struct str mx[] = { STR("mx.example"), STR("*.wild.example") };
	struct strs list = { mx, COUNT(mx) };
	static const struct {
		const char *host;
		bool matches;
	} rows[] = {
		{ "mx.example", true },
		{ "MX.example", true },
		{ "mx2.example", false },
		{ "a.mx.example", false },
		{ "example", false },
		{ "a.wild.example", true },
		{ "a.Wild.example", true },
		{ "a.b.wild.example", false },
		{ "wild.example", false },
		{ ".wild.example", false },
		{ "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK(mta_sts_matches(list, str_c(rows[i].host)) == rows[i].matches);
		test_row(i);
	}
	CHECK(!mta_sts_matches((struct strs){ NULL, 0 }, STR("mx.example")));
}

TEST_MAIN()
