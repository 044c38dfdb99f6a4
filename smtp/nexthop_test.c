/* nexthop_test.c -- the forms a next hop may have. */
#include "smtp.h"
#include "test.h"
#include <stdio.h>

bool smtp_lmtp;

static const struct {
	const char *text;
	enum verdict want;
	const char *host;
	bool literal;
	unsigned port;
	bool default_port;
} cases[] = {
	{ "example.org", ACCEPT, "example.org", false, 25, true },
	{ "example.org:2525", ACCEPT, "example.org", false, 2525, false },
	{ "example.org:smtp", ACCEPT, "example.org", false, 25, true },
	{ "example.org:submissions", ACCEPT, "example.org", false, 465, false },
	{ "example.org:25", ACCEPT, "example.org", false, 25, true },
	{ "[mail.example.org]", ACCEPT, "mail.example.org", true, 25, true },
	{ "[192.0.2.1]:587", ACCEPT, "192.0.2.1", true, 587, false },
	{ "[IPv6:2001:db8::1]", ACCEPT, "IPv6:2001:db8::1", true, 25, true },
	{ "[2001:db8::1]:26", ACCEPT, "2001:db8::1", true, 26, false },
	{ "", PERMFAIL, "", false, 0, false },
	{ "[]", PERMFAIL, "", false, 0, false },
	{ "[open", PERMFAIL, "", false, 0, false },
	{ "host:0", PERMFAIL, "", false, 0, false },
	{ "host:65536", PERMFAIL, "", false, 0, false },
	{ "host:no-such-service", PERMFAIL, "", false, 0, false },
	{ "[host]x", PERMFAIL, "", false, 0, false },
};

static struct conf *
defaults(void)
{
	struct conf_issues issues;
	struct conf *c;
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/main.cf", test_dir());
	file = fopen(path, "w");
	CHECK(file != NULL);
	if (file)
		fclose(file);
	conf_issues_init(&issues);
	c = conf_load(test_dir(), STR_NONE, NULL, &issues);
	conf_issues_free(&issues);
	return c;
}

TEST(next_hops_are_taken_apart)
{
	struct conf *c = defaults();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nexthop n;
		struct why why = { 0 };

		test_row(i);
		CHECK_INT(nexthop_parse(c, str_c(cases[i].text), 25, &n, &why),
			cases[i].want);
		if (cases[i].want != ACCEPT) {
			CHECK_STR(str_c(why.code), "5.1.3");
			continue;
		}
		CHECK_STR(n.host, cases[i].host);
		CHECK_INT(n.literal, cases[i].literal);
		CHECK_INT(n.port, cases[i].port);
		CHECK_INT(n.default_port, cases[i].default_port);
	}
	conf_free(c);
}

/* Forms that only lmtp knows; to smtp they are a domain and a port. */
TEST(next_hops_of_lmtp)
{
	static const struct {
		const char *text;
		enum verdict want;
		const char *host, *path;
		unsigned port;
	} rows[] = {
		{ "unix:private/dovecot-lmtp", ACCEPT, "", "private/dovecot-lmtp", 24 },
		{ "unix:/run/lmtp", ACCEPT, "", "/run/lmtp", 24 },
		{ "unix:", PERMFAIL, "", "", 24 },
		{ "inet:host", ACCEPT, "host", "", 24 },
		{ "inet:[192.0.2.1]:2003", ACCEPT, "192.0.2.1", "", 2003 },
		{ "host", ACCEPT, "host", "", 24 },
	};
	struct conf *c = defaults();
	struct nexthop n;
	struct why why;

	smtp_lmtp = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(nexthop_parse(c, str_c(rows[i].text), 24, &n, &why),
			rows[i].want);
		CHECK_STR(n.host, rows[i].host);
		CHECK_STR(n.path, rows[i].path);
	}
	smtp_lmtp = false;
	CHECK_INT(nexthop_parse(c, STR("unix:path"), 25, &n, &why), PERMFAIL);
	conf_free(c);
}

TEST_MAIN()
