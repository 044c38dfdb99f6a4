/* mailbox_test.c -- quotes, parts and extensions of addresses. */
#include "test.h"
#include "mailbox.h"

TEST(parts)
{
	static const struct {
		const char *address, *local, *domain;
	} rows[] = {
		{ "user@example.org", "user", "example.org" },
		{ "a@b@example.org", "a@b", "example.org" },
		{ "\"a@b\"@example.org", "\"a@b\"", "example.org" },
		{ "\"a@b\"", "\"a@b\"", NULL },
		{ "user", "user", NULL },
		{ "@example.org", "", "example.org" },
		{ "user@", "user", "" },
	};
	struct str local, domain;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		address_split(str_c(rows[i].address), &local, &domain);
		CHECK_STR(local, rows[i].local);
		CHECK(str_eq(domain, str_c(rows[i].domain)));
		CHECK_INT(domain.data != NULL, rows[i].domain != NULL);
	}
}

TEST(quotes)
{
	static const struct {
		const char *plain, *quoted;
	} rows[] = {
		{ "user@example.org", "user@example.org" },
		{ "a b@example.org", "\"a b\"@example.org" },
		{ "a@b@example.org", "\"a@b\"@example.org" },
		{ "a\"b@example.org", "\"a\\\"b\"@example.org" },
		{ ".a@example.org", "\".a\"@example.org" },
		{ "a..b@example.org", "\"a..b\"@example.org" },
		{ "j\xc3\xbcrgen@example.org", "j\xc3\xbcrgen@example.org" },
		{ "\"a@b\"", "\"a@b\"" }, /* no domain: a@b is another address */
		{ "user", "user" },
		{ "", "" },
	};

	struct arena *arena = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_STR(address_quote(str_c(rows[i].plain), arena), rows[i].quoted);
		CHECK_STR(address_unquote(str_c(rows[i].quoted), arena), rows[i].plain);
	}
	arena_free(arena);
}

TEST(extensions)
{
	static const struct {
		const char *local, *delimiters, *user, *extension;
	} rows[] = {
		{ "user+ext", "+", "user", "ext" },
		{ "user-ext", "+-", "user", "ext" },
		{ "user+", "+", "user", "" },
		{ "+ext", "+", NULL, NULL },
		{ "user", "+", NULL, NULL },
		{ "user+ext", "", NULL, NULL },
		{ "Mailer-Daemon", "-", NULL, NULL },
		{ "double-bounce", "-", NULL, NULL },
		{ "owner-list", "-", NULL, NULL },
		{ "list-request", "-", NULL, NULL },
		{ "owner-list+x", "+", "owner-list", "x" },
	};
	struct str user, extension;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(address_split_extension(str_c(rows[i].local),
				  str_c(rows[i].delimiters), true, STR("double-bounce"),
				  &user, &extension),
			rows[i].user != NULL);
		if (!rows[i].user)
			continue;
		CHECK_STR(user, rows[i].user);
		CHECK_STR(extension, rows[i].extension);
	}
}

TEST_MAIN()
