/* Which mail exchangers are remembered. */
#include "exchangers.h"
#include "test.h"
#include <stdio.h>

static bool
learn(const char *domain, const char *names, size_t most)
{
	struct arena *arena = arena_new();
	struct str rest = str_c(names), name;
	struct strs list = { .items = arena_alloc(arena, 100 * sizeof(struct str)) };
	bool changed;

	while (str_token(&rest, " ", &name))
		list.items[list.n++] = name;
	changed = exchangers_learn(str_c(domain), list, most);
	arena_free(arena);
	return changed;
}

TEST(the_same_hosts_are_the_same_text)
{
	CHECK(learn("a.example", "Mx2.example mx1.example", 100));
	CHECK(learn("b.example", "mx1.example mx2.example mx1.EXAMPLE", 100));
	CHECK_STR(exchangers_of(STR("a.example")), "mx1.example,mx2.example");
	CHECK_STR(exchangers_of(STR("b.example")), "mx1.example,mx2.example");
	CHECK(!learn("a.example", "mx1.example mx2.example", 100));
	CHECK(learn("a.example", "mx3.example", 100));
	CHECK_STR(exchangers_of(STR("a.example")), "mx3.example");
	CHECK_STR(exchangers_of(STR("c.example")), "");
	exchangers_free();
}

TEST(nothing_is_learned_from_nothing)
{
	CHECK(!learn("a.example", "", 100));
	CHECK(!learn("", "mx1.example", 100));
	CHECK(learn("a.example", "mx1.example", 100));
	CHECK(!learn("a.example", "", 100));
	CHECK_STR(exchangers_of(STR("a.example")), "mx1.example");
	exchangers_free();
}

TEST(long_lists_are_cut)
{
	struct buf names CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < 90; i++)
		buf_printf(&names, "host%02d.example ", i);
	CHECK(learn("a.example", buf_cstr(&names), 100));
	CHECK(exchangers_of(STR("a.example")).len <= EXCHANGERS_LENGTH);
	CHECK(str_starts(exchangers_of(STR("a.example")), STR("host00.example,host01")));
	exchangers_free();
}

TEST(the_oldest_are_forgotten)
{
	char domain[32];
	int known = 0;

	for (int i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		learn(domain, "mx.example", 10);
		learn("busy.example", "mx.example", 10);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		known += exchangers_of(str_c(domain)).len > 0;
	}
	CHECK(known >= 4 && known <= 10);
	CHECK_STR(exchangers_of(STR("d999.example")), "mx.example");
	CHECK_STR(exchangers_of(STR("busy.example")), "mx.example");
	exchangers_free();
}

TEST_MAIN()
