/* addrlist_test.c -- what people write into To: */
#include "addrlist.h"
#include "test.h"

static const struct {
	const char *body, *want;
} cases[] = {
	{ " a@example.org\n", "a@example.org" },
	{ " A Name <a@example.org>, b@example.org\n", "a@example.org|b@example.org" },
	{ " \"Last, First\" <a@b.c>\n", "a@b.c" },
	{ " a@b.c (a comment, with (nested) parts)\n", "a@b.c" },
	{ " friends: a@b.c, d@e.f;\n", "a@b.c|d@e.f" },
	{ " undisclosed-recipients:;\n", "" },
	{ " <@relay.example:a@b.c>\n", "a@b.c" },
	{ " \"quoted local\"@b.c\n", "\"quoted local\"@b.c" },
	{ " a @ b . c\n", "a@b.c" },
	{ " root\n", "root" },
	{ " a@b.c,\n\td@e.f,,\n", "a@b.c|d@e.f" },
	{ " a@b.c d@e.f\n", "a@b.c|d@e.f" },
	{ "", "" },
	{ " <a@b.c\n", "a@b.c" },
	{ " \"open <a@b.c>\n", "\"open <a@b.c>\"" },
};

TEST(addresses_are_found)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr_list l = { 0 };
		struct buf got CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		addr_list_parse(str_c(cases[i].body), a, &l);
		for (size_t k = 0; k < l.list.n; k++)
			buf_printf(
				&got, "%s%.*s", k ? "|" : "", STR_ARG(l.list.items[k]));
		CHECK_STR(buf_str(&got), cases[i].want);
		addr_list_free(&l);
	}
	arena_free(a);
}

TEST_MAIN()
