/* hosts_test.c -- hosts, nsswitch.conf and the search list. */
#include "resolver.h"
#include "test.h"
#include <arpa/nameser.h>
#include <stdio.h>

static const char *
file(const char *name, const char *text)
{
	static char paths[3][512];
	static size_t n;
	char *path = paths[n++ % 3];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static struct hosts_file *
files(const char *hosts, const char *nsswitch, const char *resolv)
{
	const char *h = file("hosts", hosts), *n = file("nsswitch", nsswitch);

	return hosts_file_open(h, n, file("resolv", resolv));
}

static const char hosts_text[] = "# comment\n"
				 "127.0.0.1\tlocalhost\n"
				 "192.0.2.1 a.test a   # alias\n"
				 "192.0.2.2 two.test\r\n"
				 "192.0.2.3 two.test\n"
				 "2001:db8::1 a.test\n"
				 "junk line\n"
				 "192.0.2.9\n"
				 "192.0.2.10 last.test"; /* no line end */

static const struct {
	const char *name;
	uint16_t type;
	const char *want; /* NULL: it is not there */
} cases[] = {
	{ "a.test", ns_t_a, "192.0.2.1" },
	{ "A.TEST.", ns_t_a, "192.0.2.1" },
	{ "a", ns_t_a, "192.0.2.1" },
	{ "a.test", ns_t_aaaa, "2001:db8::1" },
	{ "two.test", ns_t_a, "192.0.2.2 192.0.2.3" },
	{ "two.test", ns_t_aaaa, NULL },
	{ "last.test", ns_t_a, "192.0.2.10" },
	{ "alias", ns_t_a, NULL },
	{ "line", ns_t_a, NULL },
	{ "1.2.0.192.in-addr.arpa", ns_t_ptr, "a.test" },
	{ "9.2.0.192.in-addr.arpa", ns_t_ptr, NULL },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		ns_t_ptr, "a.test" },
	{ "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		ns_t_ptr, NULL },
	{ "256.2.0.192.in-addr.arpa", ns_t_ptr, NULL },
	{ "2.0.192.in-addr.arpa", ns_t_ptr, NULL },
	{ "a.test", ns_t_ptr, NULL },
	{ "a.test", ns_t_mx, NULL },
};

TEST(hosts_are_found)
{
	struct hosts_file *h = files(hosts_text, "", "");

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct dns_reply out;
		bool found = hosts_file_find(
			h, str_c(cases[i].name), cases[i].type, arena, &out);

		test_row(i);
		CHECK_INT(found, cases[i].want != NULL);
		for (size_t r = 0; r < out.n_records; r++)
			buf_printf(&got, "%s%.*s", r ? " " : "",
				STR_ARG(out.records[r].data));
		if (cases[i].want)
			CHECK_STR(buf_str(&got), cases[i].want);
	}
	hosts_file_close(h);
}

TEST(the_order_of_nsswitch)
{
	static const struct {
		const char *text;
		bool dns_first;
	} rows[] = {
		{ "", false },
		{ "hosts: files dns\n", false },
		{ "passwd: dns files\nhosts:\tdns [!UNAVAIL=return] files\n", true },
		{ "hosts: files mdns4_minimal [NOTFOUND=return] dns\n", false },
		{ "hosts: dns", true },
		{ "#hosts: dns files\n", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct hosts_file *h = files("", rows[i].text, "");

		test_row(i);
		CHECK_INT(hosts_dns_first(h), rows[i].dns_first);
		hosts_file_close(h);
	}
}

TEST(names_by_the_search_list)
{
	static const struct {
		const char *resolv, *name;
		uint32_t flags;
		const char *want;
	} rows[] = {
		{ "search one two\n", "mx", 0, "mx" },
		{ "search one two\n", "mx", DNS_DEFNAMES, "mx.one mx" },
		{ "search one two\n", "mx.a", DNS_DEFNAMES, "mx.a" },
		{ "search one two\n", "mx", DNS_SEARCH, "mx.one mx.two mx" },
		{ "search one two\n", "mx.a", DNS_SEARCH, "mx.a mx.a.one mx.a.two" },
		{ "search one two\n", "mx.", DNS_SEARCH, "mx." },
		{ "search one\nnameserver 1.2.3.4\ndomain two\n", "mx", DNS_SEARCH,
			"mx.two mx" },
		{ "search .\n", "mx", DNS_SEARCH, "mx" },
		{ "search 1 2 3 4 5 6 7 8\n", "mx", DNS_SEARCH,
			"mx.1 mx.2 mx.3 mx.4 mx.5 mx.6 mx" },
		{ "", "mx", DNS_SEARCH | DNS_DEFNAMES, "mx" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct hosts_file *h = files("", "", rows[i].resolv);
		struct strs names =
			hosts_names(h, str_c(rows[i].name), rows[i].flags, arena);

		test_row(i);
		for (size_t n = 0; n < names.n; n++)
			buf_printf(&got, "%s%.*s", n ? " " : "", STR_ARG(names.items[n]));
		CHECK_STR(buf_str(&got), rows[i].want);
		hosts_file_close(h);
	}
}
