/* Which destinations are suspended, and the file that says so. */
#include "suspension.h"
#include "test.h"

/* In, and its name; NULL: it is none. */
static const struct {
	struct str text;
	const char *name;
} names[] = {
	{ STR_INIT("example.com"), ":example.com" },
	{ STR_INIT("Example.COM"), ":example.com" },
	{ STR_INIT("smtp:Example.com"), "smtp:example.com" },
	{ STR_INIT("smtp:[relay.example]:587"), "smtp:[relay.example]:587" },
	{ STR_INIT("[relay.example]:587"), ":[relay.example]:587" },
	{ STR_INIT("[2001:db8::1]"), ":[2001:db8::1]" },
	{ STR_INIT(":relay.example:587"), ":relay.example:587" },
	{ STR_INIT("smtp:"), "smtp:" },
	{ STR_INIT(""), NULL },
	{ STR_INIT(":"), NULL },
	{ STR_INIT("a b"), NULL },
	{ STR_INIT("a\nb"), NULL },
	{ STR_INIT("a\0b"), NULL },
	{ STR_INIT("../x:y"), NULL },
};

TEST(destinations_are_read_as_they_are_meant)
{
	struct arena *arena = arena_new();

	for (size_t i = 0; i < COUNT(names); i++) {
		struct suspension s = { 0 };
		struct why why = { 0 };
		int got = suspension_read(names[i].text, arena, &s, &why);

		CHECK_INT(got, names[i].name ? 0 : -1);
		if (names[i].name)
			CHECK_STR(suspension_name(&s, arena), names[i].name);
		else
			CHECK(why.text[0] != '\0');
	}
	arena_free(arena);
}

static const char lines[] = "1700000000 :example.com moving house\n"
			    "1700000001 lmtp:\n"
			    "1700000002 relay:[relay.example]:587\n";

TEST(the_first_that_matches_says_why)
{
	static const struct {
		const char *transport, *nexthop;
		long long since; /* 0: not suspended */
	} cases[] = {
		{ "smtp", "example.com", 1700000000 },
		{ "relay", "EXAMPLE.com", 1700000000 },
		{ "smtp", "sub.example.com", 0 },
		{ "lmtp", "[::1]", 1700000001 },
		{ "lmtp", "", 1700000001 },
		{ "relay", "[relay.example]:587", 1700000002 },
		{ "smtp", "[relay.example]:587", 0 },
	};
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));

	CHECK_INT((long long)suspensions_parse(str_c(lines), arena, all), 0);
	CHECK_INT((long long)all->n, 3);
	CHECK_STR(all->items[0].reason, "moving house");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct suspension *s = suspension_of(
			all, str_c(cases[i].transport), str_c(cases[i].nexthop));

		CHECK_INT(s ? s->since : 0, cases[i].since);
	}
	arena_free(arena);
}

TEST(bad_lines_are_left_out)
{
	static const char *const bad[] = { "x :a", "1", "1 ", "-1 :a", "1 a/b:c",
		"99999999999999999999 :a", "1 : reason", "1 :a rea\tson" };
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(bad); i++)
		buf_printf(&text, "%s\n", bad[i]);
	buf_addz(&text, "5 :good\n6 :good again\n");
	CHECK_INT((long long)suspensions_parse(buf_str(&text), arena, all), COUNT(bad));
	CHECK_INT((long long)all->n, 1);
	CHECK_STR(all->items[0].reason, "again");
	arena_free(arena);
}

TEST(there_are_no_more_than_fit)
{
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));
	struct suspension one = { 0 };

	for (int i = 0; i < SUSPENSIONS_MOST; i++) {
		one.nexthop = arena_printf(arena, "d%d.example", i);
		CHECK_INT(suspensions_set(all, &one), 0);
	}
	CHECK_INT(suspensions_set(all, &one), 0); /* it is there */
	one.nexthop = STR("one.more");
	CHECK_INT(suspensions_set(all, &one), -1);
	one.nexthop = STR("d7.example");
	CHECK(suspensions_remove(all, &one));
	CHECK(!suspensions_remove(all, &one));
	CHECK(!suspension_of(all, STR("smtp"), one.nexthop));
	one.nexthop = STR("one.more");
	CHECK_INT(suspensions_set(all, &one), 0);
	arena_free(arena);
}

TEST(the_file_says_what_was_stored)
{
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));
	struct suspensions *again = arena_alloc(arena, sizeof(*again));
	size_t bad;

	CHECK_INT(suspensions_load(test_dir(), arena, again, &bad), 0);
	CHECK_INT((long long)again->n, 0);
	suspensions_parse(str_c(lines), arena, all);
	CHECK_INT(suspensions_store(test_dir(), all), 0);
	CHECK_INT(suspensions_load(test_dir(), arena, again, &bad), 0);
	CHECK_INT((long long)bad, 0);
	CHECK_INT((long long)again->n, 3);
	for (size_t i = 0; i < again->n; i++) {
		CHECK_STR(suspension_name(&again->items[i], arena),
			suspension_name(&all->items[i], arena).data);
		CHECK_STR(again->items[i].reason,
			all->items[i].reason.len ? all->items[i].reason.data : "");
		CHECK_INT(again->items[i].since, all->items[i].since);
	}
	CHECK_INT(suspensions_store("/nonexistent", all), -1);
	arena_free(arena);
}

TEST_MAIN()
