/* cache_test.c -- when an address is probed, and what is believed of it. */
#include "cache.h"
#include "test.h"

static const struct cache_times usual = { .positive_expire = 1000,
	.positive_refresh = 500,
	.negative_expire = 100,
	.negative_refresh = 50,
	.keeps_negative = true };

/* One address, asked for and learned about in this order. */
static const struct {
	int64_t now;
	int learn;  /* enum verify_status, or -1: it is asked for */
	int status; /* then, and is a probe wanted? */
	bool probe;
} rows[] = {
	{ 1, -1, VERIFY_UNKNOWN, true },
	{ 2, -1, VERIFY_UNKNOWN, false }, /* it is under way */
	{ 10, VERIFY_BOUNCE, 0, false },
	{ 11, -1, VERIFY_BOUNCE, false },
	{ 61, -1, VERIFY_BOUNCE, true },
	{ 62, -1, VERIFY_BOUNCE, false },
	{ 65, VERIFY_DEFER, 0, false },
	{ 66, -1, VERIFY_DEFER, false },
	{ 166, -1, VERIFY_UNKNOWN, true },
	{ 170, VERIFY_OK, 0, false },
	{ 600, -1, VERIFY_OK, false },
	{ 671, -1, VERIFY_OK, true },
	{ 672, VERIFY_BOUNCE, 0, false }, /* a good address stays good */
	{ 673, -1, VERIFY_OK, true },
	{ 1171, -1, VERIFY_UNKNOWN, true },
};

TEST(addresses_are_probed_in_time)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address *a;

		test_row(i);
		if (rows[i].learn >= 0) {
			CHECK(cache_learn(STR("User@Example"),
				(enum verify_status)rows[i].learn, STR("said"), &usual,
				rows[i].now));
			continue;
		}
		a = cache_take(STR("user@EXAMPLE"), &usual, rows[i].now);
		CHECK_INT(a->status, rows[i].status);
		CHECK_INT(cache_wants_probe(a, &usual, rows[i].now), rows[i].probe);
		if (cache_wants_probe(a, &usual, rows[i].now))
			cache_probing(a, rows[i].now);
	}
	CHECK_INT((long long)cache_probes(), 1);
	CHECK(!cache_learn(STR("other@example"), VERIFY_OK, STR(""), &usual, 1));
}

static const struct {
	const char *entry;
	int status; /* -1: it is none */
} entries[] = {
	{ "0:0:77:250 ok", VERIFY_OK },
	{ "1:5:77:later: perhaps", VERIFY_DEFER },
	{ "2:0:77:no", VERIFY_BOUNCE },
	{ "3:70:0:in progress", -1 },
	{ "", -1 },
	{ "0", -1 },
	{ "0:", -1 },
	{ "0:0:x:text", -1 },
	{ "00:0:0:text", -1 },
	{ "0:-1:0:text", -1 },
	{ "0:99999999999999999999:0:text", -1 },
};

TEST(entries_of_the_table)
{
	for (size_t i = 0; i < COUNT(entries); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		bool got = cache_entry_get(STR("e@example"), str_c(entries[i].entry));
		struct address *a;

		test_row(i);
		CHECK_INT(got, entries[i].status >= 0);
		if (!got)
			continue;
		a = cache_take(STR("e@example"), &usual, 78);
		CHECK_INT(a->status, entries[i].status);
		cache_entry_put(a, &out);
		CHECK(str_ends(buf_str(&out), str_c(a->text)));
		CHECK(cache_entry_get(STR("e@example"), buf_str(&out)));
	}
	CHECK(!cache_entry_get(STR(""), STR("0:0:77:x")));
}

TEST(negative_results_may_be_for_those_who_wait)
{
	struct cache_times t = usual;
	struct address *a;

	t.keeps_negative = false;
	a = cache_take(STR("n@example"), &t, 1);
	cache_probing(a, 1);
	cache_learn(STR("n@example"), VERIFY_BOUNCE, STR("no"), &t, 2);
	CHECK_INT(a->status, VERIFY_BOUNCE);
	CHECK_INT(cache_take(STR("n@example"), &t, 2)->status, VERIFY_UNKNOWN);
}

TEST(what_is_over_is_forgotten)
{
	size_t retained, dropped;

	(void)cache_take(STR("x@example"), &usual, 5000);
	cache_probing(cache_take(STR("y@example"), &usual, 5000), 5000);
	cache_clean(&usual, 5001, &retained, &dropped);
	CHECK_INT((long long)retained, 1);
	CHECK_INT((long long)cache_count(), 1);
}

TEST_MAIN()
