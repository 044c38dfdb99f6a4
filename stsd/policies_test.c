/* policies_test.c -- when policies count, when they are fetched, and their file. */
#include "policies.h"
#include "test.h"

#define HOUR  (int64_t)3600
#define DAY   (24 * HOUR)
#define START (1000 * DAY)

static struct policy *
policy_of(const char *line)
{
	static int64_t known;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	/* Each has a domain of its own. */
	buf_printf(&text, "d%lld.example %s", (long long)++known, line);
	CHECK(policy_get(buf_str(&text)));
	buf_clear(&text);
	buf_printf(&text, "D%lld.Example", (long long)known);
	return policies_find(buf_str(&text), false);
}

TEST(lines)
{
	static const struct {
		const char *line;
		bool is_one;
	} rows[] = {
		{ "a.example i1 86400 86400 enforce 604800 mx.a.example *.b.example",
			true },
		{ "b.example i1 86400 0 testing 60 mx.b.example", true },
		{ "c.example i1 86400 86400 none 60", true },
		{ "d.example i1 86400 86400 enforce 60", false },
		{ "e.example i1 86400 86400 enforce x mx", false },
		{ "f.example i1 86400 86400 sometimes 60 mx", false },
		{ "g.example i1 86400 x enforce 60 mx", false },
		{ "h.example i1 -1 86400 enforce 60 mx", false },
		{ "i.example i1 18446744073709551615 1 enforce 60 mx", false },
		{ "j.example i1 86400 86400", false },
		{ "k.example", false },
		{ "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str line = str_c(rows[i].line), rest = line, domain = STR_NONE;
		struct buf again CLEANUP(buf_free) = BUF_INIT;
		struct policy *p;

		CHECK(policy_get(line) == rows[i].is_one);
		p = str_token(&rest, " ", &domain) ? policies_find(domain, false) : NULL;
		CHECK((p != NULL) == rows[i].is_one);
		if (p) {
			policy_put(p, &again);
			again.len--;
			CHECK_STR(buf_str(&again), rows[i].line);
		}
		test_row(i);
	}
}

TEST(the_newest_line_counts)
{
	struct policy *p;

	CHECK(policy_get(STR("n.example i1 86400 86400 enforce 60 mx.example")));
	CHECK(policy_get(STR("n.example i2 86401 86400 none 60")));
	p = policies_find(STR("n.example"), true);
	CHECK_STR(p->id, "i2");
	CHECK_INT(p->terms.mode, MTA_STS_NONE);
	CHECK_INT(p->terms.mx.n, 0);
}

TEST(what_is_known)
{
	struct policy *p = policies_find(STR("new.example"), true);
	struct str mx[] = { STR("mx.example") };
	struct mta_sts terms = { MTA_STS_ENFORCE, (uint32_t)(7 * DAY), { mx, 1 } };

	CHECK(policies_find(STR("other.example"), false) == NULL);
	CHECK(!policy_is_good(p, START));
	CHECK(policy_wants_fetch(p, STR("1"), START));
	/* Who cannot be asked is left alone for a while. */
	policy_missed(p, START);
	CHECK(!policy_wants_fetch(p, STR("1"), START + 299));
	CHECK(policy_wants_fetch(p, STR("1"), START + 300));
	p->fetching = true;
	CHECK(!policy_wants_fetch(p, STR("1"), START + 300));
	p->fetching = false;
	policy_learn(p, STR("1"), &terms, START);
	CHECK(policy_is_good(p, START + 7 * DAY - 1));
	CHECK(!policy_is_good(p, START + 7 * DAY));
	CHECK(!policy_wants_fetch(p, STR("1"), START + 1));
	CHECK(policy_wants_fetch(p, STR("2"), START + 1));
	CHECK(policy_wants_fetch(p, STR("1"), START + 7 * DAY));
	/* A policy stays what it is while a newer one cannot be had. */
	policy_missed(p, START + 1);
	CHECK(!policy_wants_fetch(p, STR("2"), START + 2));
	CHECK(policy_is_good(p, START + 2));
	CHECK_STR(p->terms.mx.items[0], "mx.example");
	CHECK(policy_use(p, START + HOUR));
	CHECK(!policy_use(p, START + 2 * HOUR));
	CHECK(policy_use(p, START + DAY));
}

TEST(refreshed_before_the_end)
{
	static const struct {
		const char *line;
		int64_t due;
	} rows[] = {
		{ "i 86400000 86400000 enforce 604800 mx", START + DAY },
		{ "i 86400000 86400000 testing 604800 mx", START + DAY },
		{ "i 86400000 86400000 enforce 86400 mx", START + DAY / 2 },
		{ "i 86400000 86400000 enforce 3600 mx", START + HOUR / 2 },
		{ "i 86400000 86400000 enforce 3599 mx", 0 },
		{ "i 86400000 86400000 none 604800", 0 },
		/* Nobody has asked for long. */
		{ "i 86400000 83980800 enforce 604800 mx", START + DAY },
		{ "i 86400000 83894400 enforce 604800 mx", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy *p = policy_of(rows[i].line);

		CHECK_INT(policy_refresh_time(p), rows[i].due);
		test_row(i);
	}
	{
		struct policy *p = policy_of("i 86400000 86400000 enforce 604800 mx");

		policy_missed(p, START + DAY);
		CHECK_INT(policy_refresh_time(p), START + DAY + 300);
		policy_missed(p, START + 7 * DAY);
		CHECK_INT(policy_refresh_time(p), 0);
	}
}

TEST(there_is_a_bound)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < 60000; i++) {
		buf_clear(&line);
		buf_printf(&line, "many%d.example i 86400 %lld enforce 60 mx", i,
			(long long)i * DAY);
		CHECK(policy_get(buf_str(&line)));
	}
	CHECK(policies_count() <= 50000);
	CHECK(policies_find(STR("many59999.example"), false) != NULL);
	CHECK(policies_find(STR("many0.example"), false) == NULL);
}

TEST_MAIN()
