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
	{ " u1 u2, u3 (x) u4\n", "u1|u2|u3|u4" },
	{ " \"x y\" \"z\"@b.c\n", "\"x y\"|\"z\"@b.c" },
	{ " A Name <a@b.c> <d@e.f>, Group Name: g@h.i;\n", "a@b.c|g@h.i" },
	{ " a@b.c (one) d@e.f\n", "a@b.c|d@e.f" },
	{ " Foo Bar\n", "Foo|Bar" },
	{ " Foo Bar <a@b.c>, a b@c.d\n", "a@b.c|a|b@c.d" },
	{ " \"a b\" \"c\\\" d\"@e.f\n", "\"a b\"|\"c\\\" d\"@e.f" },
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
			buf_printf(&got, "%s%.*s", k ? "|" : "",
				STR_ARG(l.list.items[k].address));
		CHECK_STR(buf_str(&got), cases[i].want);
		addr_list_free(&l);
	}
	arena_free(a);
}

/* What stands in the body where an address was found. */
static const struct {
	const char *body, *want;
} places[] = {
	{ " Joe (J) < joe@old.example > , (Joe) ann@old.example (Ann)\n",
		"joe@old.example|ann@old.example" },
	{ " <@a,@b:c@d>, b . c @ d . e x\n", "@a,@b:c@d|b . c @ d . e|x" },
	{ " \"a b\"@c.d,\n e\n", "\"a b\"@c.d|e" },
};

TEST(addresses_are_where_they_stand)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(places); i++) {
		struct addr_list l = { 0 };
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct str body = str_c(places[i].body);

		test_row(i);
		addr_list_parse(body, a, &l);
		for (size_t k = 0; k < l.list.n; k++) {
			const struct addr_item *item = &l.list.items[k];

			buf_addz(&got, k ? "|" : "");
			buf_add(&got, str_sub(body, item->at, item->len));
		}
		CHECK_STR(buf_str(&got), places[i].want);
		addr_list_free(&l);
	}
	arena_free(a);
}

TEST_MAIN()
