/* dnslist_test.c -- what is asked of a DNS list, and what its answer says. */
#include "dnslist.h"
#include "test.h"

static const struct {
	const char *spec, *domain, *filter; /* domain NULL: refused */
} specs[] = {
	{ "list.example", "list.example", "" },
	{ "list.example.", "list.example", "" },
	{ "list.example=127.0.0.2", "list.example", "127.0.0.2" },
	{ "list.example=127.0.[0;4..7].[2..11]", "list.example",
		"127.0.[0;4..7].[2..11]" },
	{ "", NULL, NULL },
	{ ".", NULL, NULL },
	{ "=127.0.0.2", NULL, NULL },
	{ "list.example=", NULL, NULL },
	{ "list.example=127.0.0", NULL, NULL },
	{ "list.example=127.0.0.2.3", NULL, NULL },
	{ "list.example=127.0.0.256", NULL, NULL },
	{ "list.example=127.0.0.[]", NULL, NULL },
	{ "list.example=127.0.0.[2", NULL, NULL },
	{ "list.example=127.0.0.[7..2]", NULL, NULL },
	{ "list.example=127.0.0.[2;]", NULL, NULL },
	{ "list.example=127.0.0.2*", NULL, NULL },
};

TEST(dnslist_specs)
{
	for (size_t i = 0; i < COUNT(specs); i++) {
		struct dnslist list;
		struct why why;
		int got = dnslist_parse(str_c(specs[i].spec), &list, &why);

		test_row(i);
		CHECK_INT(got, specs[i].domain ? 0 : -1);
		if (got < 0 || !specs[i].domain)
			continue;
		CHECK_STR(list.domain, specs[i].domain);
		CHECK_STR(list.filter, specs[i].filter);
	}
}

static const struct {
	const char *filter, *address;
	bool counts;
} answers[] = {
	{ "", "127.0.0.2", true },
	{ "", "192.0.2.1", true },
	{ "", "::1", false },
	{ "", "127.0.0.2.4.5.6.7.8", false },
	{ "127.0.0.2", "127.0.0.2", true },
	{ "127.0.0.2", "127.0.0.3", false },
	{ "127.0.0.[2..11]", "127.0.0.2", true },
	{ "127.0.0.[2..11]", "127.0.0.11", true },
	{ "127.0.0.[2..11]", "127.0.0.12", false },
	{ "127.0.0.[2..11]", "127.0.1.2", false },
	{ "127.[0..255].0.[1;10;100..200]", "127.9.0.10", true },
	{ "127.[0..255].0.[1;10;100..200]", "127.9.0.11", false },
	{ "127.[0..255].0.[1;10;100..200]", "127.9.0.150", true },
};

TEST(dnslist_answers)
{
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct dnslist list = { STR("x"), str_c(answers[i].filter) };

		test_row(i);
		CHECK_INT(dnslist_counts(&list, str_c(answers[i].address)),
			answers[i].counts);
	}
}

TEST(dnslist_names)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct net_addr a;

	ensure(net_addr_parse(STR("192.0.2.1"), 0, &a) == 0);
	CHECK_STR(dnslist_reversed(&a, STR("x.example"), arena), "1.2.0.192.x.example");
	ensure(net_addr_parse(STR("2001:db8::1"), 0, &a) == 0);
	CHECK_STR(dnslist_reversed(&a, STR("x"), arena),
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.x");
}
