/* Which messages a query means, and what is no query. */
#include "queue_query.h"
#include "test.h"

#define NOW ((int64_t)1700010000)

/* 10,000 seconds old. */
static const struct listing message = {
	.queue = STR_INIT("deferred"),
	.queue_id = STR_INIT("4Yq1Zp4rQzz1X2"),
	.time = NOW - 10000,
	.size = 20000,
	.sender = STR_INIT("News@Shop.example"),
	.rcpts =
		(struct listing_rcpt[]){
			{ STR_INIT("a"), STR_INIT("a@example.org"),
				STR_INIT("connect to mx[192.0.2.1]: Connection timed "
					 "out"),
				false },
			{ STR_INIT("b"), STR_INIT("b@sub.example.net"),
				STR_INIT("mailbox full"), false },
		},
	.n_rcpts = 2,
};

static const struct {
	const char *query;
	bool want;
} cases[] = {
	{ "from=news@shop.example", true },
	{ "from=news@shop", false },
	{ "from=@shop.example", true },
	{ "from=@example", false },
	{ "from~shop", true },
	{ "from=news*", true },
	{ "from!=@shop.example", false },
	{ "from!~other", true },
	{ "from=<>", false },
	{ "to=A@example.org", true },
	{ "to=@example.org", true },
	{ "to=a", false },
	{ "to~b@", true },
	{ "to=*@*.net", true },
	{ "to=c*", false },
	{ "destination=example.org", true },
	{ "destination=example.net", false },
	{ "destination=.example.net", true },
	{ "destination=example.*", true },
	{ "destination~sub", true },
	{ "queue=deferred", true },
	{ "queue=hold,deferred", true },
	{ "queue=hold", false },
	{ "queue!=hold", true },
	{ "age>2h", true },
	{ "age>3h", false },
	{ "age<3h", true },
	{ "age>9999", true },
	{ "age>10000s", false },
	{ "size>10k", true },
	{ "size>1M", false },
	{ "size<20001", true },
	{ "size<20000", false },
	{ "reason~timed*out", true },
	{ "reason~\"Timed out\"", true },
	{ "reason=\"mailbox full\"", true },
	{ "reason~quota", false },
	{ "reason!~quota", true },
	{ "reason!~full", false },                /* it is of one of them */
	{ "to=@example.org reason~full", false }, /* not of the same one */
	{ "to=@example.org reason~timed", true },
	{ "to=@example.org to!=b@sub.example.net", false },
	{ "  to=@example.org\tage>1h  reason~timed ", true },
	{ "to=@example.org age>1h queue=hold", false },
};

TEST(queries_mean_messages)
{
	struct arena *arena = arena_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct queue_query q;
		struct why why = { 0 };

		test_row(i);
		CHECK(queue_query_parse(str_c(cases[i].query), STR("MAILER-DAEMON"),
			      arena, &q, &why) == 0);
		CHECK(queue_query_matches(&q, &message, NOW) == cases[i].want);
	}
	arena_free(arena);
}

static const struct str no_queries[] = {
	STR_INIT(""),
	STR_INIT(" "),
	STR_INIT("example.org"),
	STR_INIT("to"),
	STR_INIT("to="),
	STR_INIT("to!"),
	STR_INIT("to>5"),
	STR_INIT("to=\"\""),
	STR_INIT("to=\"a"),
	STR_INIT("to=\"a\"b"),
	STR_INIT("sender=a"),
	STR_INIT("age=5"),
	STR_INIT("age!>5"),
	STR_INIT("age>h"),
	STR_INIT("age>"),
	STR_INIT("age>-5"),
	STR_INIT("age>99999999999999999999"),
	STR_INIT("age>9999999999999999999w"),
	STR_INIT("size>1h"),
	STR_INIT("queue=defered"),
	STR_INIT("queue=,"),
	STR_INIT("queue~hold"),
	STR_INIT("to=a\0b"),
};

TEST(what_is_no_query_is_told)
{
	struct arena *arena = arena_new();
	struct buf long_one = BUF_INIT;
	struct why why = { 0 };
	struct queue_query q;

	for (size_t i = 0; i < COUNT(no_queries); i++) {
		test_row(i);
		why.text[0] = '\0';
		CHECK(queue_query_parse(no_queries[i], STR_NONE, arena, &q, &why) < 0);
		CHECK(why.text[0] != '\0');
	}
	for (size_t i = 0; i < QUERY_WORDS; i++)
		buf_addz(&long_one, "age>1 ");
	CHECK(queue_query_parse(buf_str(&long_one), STR_NONE, arena, &q, &why) == 0);
	buf_addz(&long_one, "age>1");
	CHECK(queue_query_parse(buf_str(&long_one), STR_NONE, arena, &q, &why) < 0);
	buf_free(&long_one);
	arena_free(arena);
}

TEST(the_null_sender_is_as_the_listings_have_it)
{
	struct arena *arena = arena_new();
	struct listing l = { .queue = STR("active"), .sender = STR("MAILER-DAEMON") };
	struct why why = { 0 };
	struct queue_query q;

	CHECK(queue_query_parse(STR("from=<>"), STR("MAILER-DAEMON"), arena, &q, &why) ==
		0);
	CHECK(queue_query_matches(&q, &l, NOW));
	CHECK(queue_query_parse(STR("to=*"), STR("MAILER-DAEMON"), arena, &q, &why) == 0);
	CHECK(!queue_query_matches(&q, &l, NOW)); /* it has none */
	arena_free(arena);
}

TEST_MAIN()
