/* triplets_test.c -- who waits and for how long, who is let in, the bound on memory, and
 * what comes out of a table. */
#include "triplets.h"
#include "test.h"
#include <stdio.h>

static const struct triplets_rules rules = {
	.delay = 300, .retry = 7200, .expire = 86400, .allow_after = 2, .most = 100
};

static struct triplet_answer
ask_as(const struct triplets_rules *r, const char *network, const char *sender,
	const char *recipient, int64_t now)
{
	struct triplet t = { .network = str_c(network),
		.sender = str_c(sender),
		.recipient = str_c(recipient) };

	return triplets_ask(&t, r, now);
}

static int64_t
wait_of(const char *network, const char *sender, int64_t now)
{
	return ask_as(&rules, network, sender, "r@here.example", now).wait;
}

/* Past everything that earlier tests did. */
static int64_t
fresh_time(void)
{
	static int64_t now = 1000000;

	now += 10 * rules.expire;
	triplets_clean(&rules, now);
	CHECK_INT(triplets_count(), 0);
	return now;
}

TEST(who_comes_back_in_time_is_let_in)
{
	int64_t t = fresh_time();
	static const struct {
		const char *network, *sender;
		int64_t at, want;
	} cases[] = {
		{ "192.0.2.0/24", "a@x.example", 0, 300 },
		{ "192.0.2.0/24", "a@x.example", 100, 200 },
		{ "192.0.2.0/24", "A@X.example", 200, 100 }, /* case does not matter */
		{ "192.0.2.0/24", "b@x.example", 200, 300 },
		{ "192.0.3.0/24", "a@x.example", 299, 300 },
		{ "192.0.2.0/24", "a@x.example", 300, 0 },
		{ "192.0.2.0/24", "a@x.example", 301, 0 },
		{ "192.0.2.0/24", "", 301, 300 },
		{ "192.0.2.0/24", "b@x.example", 200 + 7501, 300 },   /* too late */
		{ "192.0.2.0/24", "a@x.example", 301 + 86400, 0 },    /* still good */
		{ "192.0.2.0/24", "a@x.example", 302 + 172800, 300 }, /* expired */
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_INT(wait_of(cases[i].network, cases[i].sender, t + cases[i].at),
			cases[i].want);
}

TEST(networks_that_come_back_wait_no_more)
{
	int64_t t = fresh_time();
	const char *network = "2001:db8::/64";
	struct triplet_answer a;

	for (int i = 0; i < 3; i++) /* the same again counts once */
		(void)wait_of(network, "a@x.example", t + (int64_t)i * 300);
	(void)wait_of(network, "b@x.example", t + 600);
	CHECK_INT(wait_of(network, "c@x.example", t + 800), 300);
	a = ask_as(&rules, network, "b@x.example", "r@here.example", t + 950);
	CHECK(a.is_back && a.is_known);
	CHECK_INT(a.waited, 350);
	CHECK_INT(a.wait, 0);
	a = ask_as(&rules, network, "d@x.example", "r@here.example", t + 951);
	CHECK(!a.is_back && a.wait == 0);
	/* What was quiet for too long is forgotten; use keeps it. */
	CHECK_INT(wait_of(network, "e@x.example", t + 951 + 86400), 0);
	CHECK_INT(wait_of(network, "f@x.example", t + 952 + 2 * 86400), 300);
}

TEST(no_network_is_let_in_where_none_is_to_be)
{
	struct triplets_rules never = rules;
	int64_t t = fresh_time();
	char sender[30];

	never.allow_after = 0;
	for (int i = 0; i < 10; i++) {
		snprintf(sender, sizeof(sender), "%d@x.example", i);
		CHECK_INT(ask_as(&never, "n", sender, "r", t).wait, 300);
		CHECK_INT(ask_as(&never, "n", sender, "r", t + 300).wait, 0);
	}
	CHECK_INT(triplets_count(), 10);
}

TEST(a_clock_that_is_set_back_lets_nobody_wait_longer)
{
	int64_t t = fresh_time();

	CHECK_INT(wait_of("n", "s", t), 300);
	CHECK_INT(wait_of("n", "s", t - 5000), 300);
	CHECK_INT(wait_of("n", "s", t - 4700), 0);
}

TEST(memory_is_bounded_and_floods_push_out_nobody_who_came_back)
{
	int64_t t = fresh_time();
	char sender[30];

	(void)wait_of("good", "s", t);
	CHECK_INT(wait_of("good", "s", t + 300), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(sender, sizeof(sender), "%d@x.example", i);
		(void)wait_of("bad", sender, t + 300);
		CHECK(triplets_count() <= rules.most);
	}
	CHECK_INT(triplets_count(), rules.most);
	CHECK_INT(wait_of("good", "s", t + 301), 0);
	CHECK_INT(wait_of("bad", "999@x.example", t + 400), 200);
	CHECK_INT(wait_of("bad", "0@x.example", t + 400), 300); /* forgotten */
	for (int i = 0; i < 1000; i++) { /* where all came back, the quietest goes */
		snprintf(sender, sizeof(sender), "net%d", i);
		(void)wait_of(sender, "s", t + 1000 + i);
		CHECK_INT(wait_of(sender, "s", t + 1300 + i), 0);
		CHECK(triplets_count() <= rules.most);
	}
	CHECK_INT(wait_of("good", "s", t + 2400), 300);
}

/* Of a long address the end counts; a key fits into LMDB. */
TEST(addresses_of_any_length_fit)
{
	int64_t t = fresh_time();
	char longest[5001];

	memset(longest, 'x', sizeof(longest));
	longest[5000] = 0;
	CHECK_INT(ask_as(&rules, longest, longest, longest, t).wait, 300);
	CHECK_INT(ask_as(&rules, longest, longest + 1, longest, t + 1).wait, 299);
	CHECK_INT(triplets_count(), 1);
	longest[4999] = 'y';
	CHECK_INT(ask_as(&rules, longest, longest, longest, t + 1).wait, 300);
}

/* ---- the table ---- */

struct dump {
	struct arena *arena;
	VEC(struct str) keys, values;
};

static void
dump(struct str key, struct str value, void *arg)
{
	struct dump *d = arg;

	CHECK(key.len < 511);
	*vec_push(&d->keys) = arena_str(d->arena, key);
	*vec_push(&d->values) = arena_str(d->arena, value);
}

TEST(what_is_written_is_read_again)
{
	int64_t t = fresh_time();
	struct dump d = { .arena = arena_new() };
	struct triplets_rules two = rules;

	(void)wait_of("n1", "s", t);
	(void)wait_of("n1", "s", t + 300);
	(void)wait_of("n2", "s", t + 310);
	(void)wait_of("n3", "s", t + 305);
	triplets_each(dump, &d);
	CHECK_INT(d.keys.n, 4); /* and n1 itself */
	(void)fresh_time();
	for (size_t i = 0; i < d.keys.n; i++)
		CHECK(triplets_take(d.keys.items[i], d.values.items[i]));
	triplets_taken();
	CHECK_INT(triplets_count(), 4);
	CHECK_INT(wait_of("n1", "s", t + 400), 0);
	CHECK_INT(wait_of("n2", "s", t + 400), 210);
	/* Ages are as they were: n3's goes first. */
	two.most = 4;
	(void)ask_as(&two, "n4", "s", "r@here.example", t + 400);
	CHECK_INT(wait_of("n2", "s", t + 400), 210);
	CHECK_INT(wait_of("n3", "s", t + 400), 300);
	vec_free(&d.keys);
	vec_free(&d.values);
	arena_free(d.arena);
}

TEST(what_is_no_entry_is_not_taken)
{
	static const struct {
		struct str key, value;
		bool want;
	} cases[] = {
		{ STR_INIT("n s r"), STR_INIT("1:2:0"), true },
		{ STR_INIT("n s r"), STR_INIT("2:2:0"), true }, /* instead */
		{ STR_INIT("n"), STR_INIT("1:2:7"), true },
		{ STR_INIT(""), STR_INIT("1:2:0"), false },
		{ STR_INIT("a"), STR_INIT(""), false },
		{ STR_INIT("a"), STR_INIT("1:2"), false },
		{ STR_INIT("a"), STR_INIT("1:2:3:4"), false },
		{ STR_INIT("a"), STR_INIT("1:2:-3"), false },
		{ STR_INIT("a"), STR_INIT("1:2:4294967296"), false },
		{ STR_INIT("a"), STR_INIT("9223372036854775807:2:0"), false },
	};

	(void)fresh_time();
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_INT(triplets_take(cases[i].key, cases[i].value), cases[i].want);
	triplets_taken();
	CHECK_INT(triplets_count(), 2);
}

TEST_MAIN()
