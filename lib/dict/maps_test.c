/* maps_test.c -- lists of tables, the forms of an address, match lists. */
#include "dict.h"
#include "log.h"
#include "mailbox.h"
#include "test.h"
#include <stdio.h>

static struct buf said = BUF_INIT;

static void
hear(enum log_level level UNUSED, struct str line, void *arg UNUSED)
{
	buf_add(&said, line);
	buf_addc(&said, '\n');
}

static const char *
result_name(enum dict_result r)
{
	static const char *const names[] = { "found", "not found", "error" };

	return names[r];
}

TEST(maps_stop_at_the_first_answer)
{
	static const struct {
		const char *value, *key, *want;
	} rows[] = {
		{ "", "a", "not found" },
		{ "inline:{a=1}", "a", "1" },
		{ "inline:{b=1}, inline:{a=2} static:3", "a", "2" },
		{ "inline:{b=1} static:3", "a", "3" },
		{ "inline:{a=1} fail:x", "a", "1" },
		{ "inline:{b=1} fail:x static:3", "a", "error" },
		{ "inline:{b=1} nosuch:x static:3", "a", "error" },
		{ "inline:{a=} static:3", "a", "error" }, /* empty is a mistake */
		{ "static:x", "", "not found" },
		{ "texthash:/nonexistent", "a", "error" },
	};
	struct arena *a = arena_new();

	log_capture(hear, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct maps *m =
			maps_open("test_maps", str_c(rows[i].value), DICT_FOLD, NULL);
		struct str value;
		struct why why = { 0 };
		enum dict_result got = maps_find(m, str_c(rows[i].key), a, &value, &why);

		test_row(i);
		if (got != DICT_FOUND)
			value = str_c(result_name(got));
		CHECK_STR(value, rows[i].want);
		CHECK((got == DICT_ERROR) == (why.code[0] != '\0'));
		CHECK_INT(maps_empty(m), rows[i].value[0] == '\0');
		maps_close(m);
	}
	log_capture(NULL, NULL);
	buf_free(&said);
	arena_free(a);
}

/* Each table gives for each key it was asked for a value of its own, so that the value
 * tells which form matched. */
TEST(forms_of_an_address)
{
	enum {
		CANONICAL = FIND_FULL | FIND_USER | FIND_DOMAIN,
		TRANSPORT = FIND_FULL | FIND_BARE_DOMAIN,
		ACCESS = FIND_FULL | FIND_BARE_DOMAIN | FIND_USER_AT,
	};
	static const struct {
		const char *keys; /* one table for each word, all in this order */
		const char *address;
		unsigned steps;
		bool local, dots;
		const char *want, *extension;
	} rows[] = {
		{ "u+x@d u@d u+x u @d", "u+x@d", CANONICAL, true, false, "u+x@d", "" },
		{ "u@d u+x u @d", "u+x@d", CANONICAL, true, false, "u@d", "x" },
		{ "u+x u @d", "u+x@d", CANONICAL, true, false, "u+x", "" },
		{ "u @d", "u+x@d", CANONICAL, true, false, "u", "x" },
		{ "@d", "u+x@d", CANONICAL, true, false, "@d", "" },
		{ "u+x u @d", "u+x@d", CANONICAL, false, false, "@d", "" },
		{ "u", "u@d", CANONICAL, false, false, "(none)", "" },
		{ "u", "u", CANONICAL, false, false, "u", "" },
		{ "u", "u+x", CANONICAL, false, false, "u", "x" },
		{ "@", "u", CANONICAL, true, false, "(none)", "" },
		{ "u@d", "U@D", CANONICAL, false, false, "u@d", "" },
		{ "u@d d", "u@d", TRANSPORT, false, false, "u@d", "" },
		{ "d @d", "u@d", TRANSPORT, false, false, "d", "" },
		{ "c.d d", "u@b.c.d", TRANSPORT, false, false, "c.d", "" },
		{ ".c.d .d", "u@b.c.d", TRANSPORT, false, true, ".c.d", "" },
		{ "c.d .d", "u@b.c.d", TRANSPORT, false, true, ".d", "" },
		{ ".b.c.d", "u@b.c.d", TRANSPORT, false, true, "(none)", "" },
		{ "u+x@ u@", "u+x@d", ACCESS, false, false, "u+x@", "" },
		{ "u@", "u+x@d", ACCESS, false, false, "u@", "x" },
		{ "d u@", "u+x@d", ACCESS, false, false, "d", "" },
		/* what is no extension */
		{ "u@d", "u+@d", CANONICAL, false, false, "u@d", "" },
		{ "@d", "+x@d", CANONICAL, false, false, "@d", "" },
		{ "mailer", "mailer-daemon", CANONICAL, false, false, "(none)", "" },
		{ "owner", "owner-x", CANONICAL, false, false, "(none)", "" },
		{ "x", "x-request", CANONICAL, false, false, "(none)", "" },
		{ "x", "x-y", CANONICAL, false, false, "x", "y" },
		/* quoting: as it must be written, then as many write it */
		{ "\"u_x\"@d", "u_x@d", CANONICAL, false, false, "(none)", "" },
		{ "u..v@d", "u..v@d", CANONICAL, false, false, "u..v@d", "" },
		{ "\"u..v\"@d u..v@d", "u..v@d", CANONICAL, false, false, "\"u..v\"@d",
			"" },
		{ "@d", "a@b@d", CANONICAL, false, false, "@d", "" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str words = str_c(rows[i].keys), word;
		struct buf tables = BUF_INIT;
		struct str value = STR("(none)"), extension;
		struct why why;
		struct maps *m;

		test_row(i);
		/* all keys in one table: the order of the forms decides */
		buf_addz(&tables, "inline:{");
		while (str_token(&words, " ", &word)) {
			/* in quotes, so that its own ones stay */
			struct str key = address_quote_local(word, a);

			buf_printf(&tables, "{" STR_FMT "=" STR_FMT "} ", STR_ARG(key),
				STR_ARG(word));
		}
		buf_addz(&tables, "}");
		m = maps_open("test_maps", buf_str(&tables),
			DICT_FOLD | (rows[i].dots ? DICT_PARENT_DOT : 0), NULL);
		maps_find_address(m, str_c(rows[i].address), STR("+-"), rows[i].steps,
			rows[i].local, a, &value, &extension, &why);
		CHECK_STR(value, rows[i].want);
		CHECK_STR(extension.data ? extension : STR(""), rows[i].extension);
		maps_close(m);
		buf_free(&tables);
	}
	arena_free(a);
}

TEST(pattern_tables_see_the_whole_key_only)
{
	static const struct {
		const char *tables, *address, *want;
	} rows[] = {
		{ "regexp:{{/^u\\+x@d$/ whole}}", "u+x@d", "whole" },
		{ "regexp:{{/^u@d$/ part}}", "u+x@d", "(none)" },
		{ "regexp:{{/^@d$/ part}}", "u@d", "(none)" },
		{ "regexp:{{/^d$/ part}}", "u@d", "(none)" },
		{ "regexp:{{/^d$/ part}} inline:{d=domain}", "u@d", "domain" },
		{ "proxy:regexp:{{/^d$/ part}}", "u@d", "(none)" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct maps *m = maps_open("test_maps", str_c(rows[i].tables), 0, NULL);
		struct str value = STR("(none)"), extension;
		struct why why;

		test_row(i);
		maps_find_address(m, str_c(rows[i].address), STR("+"),
			FIND_FULL | FIND_USER | FIND_DOMAIN | FIND_BARE_DOMAIN |
				FIND_USER_AT,
			true, a, &value, &extension, &why);
		CHECK_STR(value, rows[i].want);
		maps_close(m);
	}
	arena_free(a);
}

TEST(domains_and_their_parents)
{
	static const struct {
		const char *tables, *domain;
		bool dots;
		const char *want;
	} rows[] = {
		{ "inline:{a.b.c=1,b.c=2,c=3}", "a.b.c", false, "1" },
		{ "inline:{b.c=2,c=3}", "a.b.c", false, "2" },
		{ "inline:{c=3}", "a.b.c", false, "3" },
		{ "inline:{.b.c=2,b.c=3}", "a.b.c", true, "2" },
		{ "inline:{b.c=3}", "a.b.c", true, "(none)" },
		{ "inline:{.c=3}", "a.b.c", true, "3" },
		{ "regexp:{{/^b.c$/ 1}}", "a.b.c", false, "(none)" },
		{ "regexp:{{/^a.b.c$/ 1}}", "a.b.c", false, "1" },
		{ "inline:{.c=3}", "a..c", false, "3" },
		{ "static:x", "", false, "(none)" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct maps *m = maps_open("test_maps", str_c(rows[i].tables), 0, NULL);
		struct str value = STR("(none)");
		struct why why;

		test_row(i);
		maps_find_domain(m, str_c(rows[i].domain), rows[i].dots, a, &value, &why);
		CHECK_STR(value, rows[i].want);
		maps_close(m);
	}
	arena_free(a);
}

/* ---- match lists ---- */

static const char *list_file(const char *text);

struct match_row {
	const char *list;
	bool parents;
	const char *what;
	enum dict_result want;
};

static void
check_lists(const struct match_row *rows, size_t n,
	enum dict_result (*ask)(struct match_list *, const char *, struct why *))
{
	log_capture(hear, NULL);
	for (size_t i = 0; i < n; i++) {
		struct match_list *l = match_list_open(
			"test_list", str_c(rows[i].list), rows[i].parents, NULL);
		struct why why = { 0 };
		enum dict_result got = ask(l, rows[i].what, &why);

		test_row(i);
		CHECK_STR(str_c(result_name(got)), result_name(rows[i].want));
		CHECK((got == DICT_ERROR) == (why.code[0] != '\0'));
		match_list_close(l);
	}
	log_capture(NULL, NULL);
	buf_free(&said);
}

static enum dict_result
ask_domain(struct match_list *l, const char *name, struct why *why)
{
	return match_domain(l, str_c(name), why);
}

static enum dict_result
ask_string(struct match_list *l, const char *name, struct why *why)
{
	return match_string(l, str_c(name), why);
}

/* "name address" */
static enum dict_result
ask_client(struct match_list *l, const char *text, struct why *why)
{
	struct str rest = str_c(text), name, address;
	struct net_addr addr;

	ensure(str_token(&rest, " ", &name) && str_token(&rest, " ", &address));
	ensure(net_addr_parse(address, 25, &addr) == 0);
	return match_client(l, name, &addr, why);
}

TEST(domain_lists)
{
	static const struct match_row rows[] = {
		{ "", false, "a.b", DICT_NOTFOUND },
		{ "a.b, c", false, "A.B", DICT_FOUND },
		{ "a.b c", false, "c", DICT_FOUND },
		{ "b", false, "a.b", DICT_NOTFOUND },
		{ "b", true, "a.b", DICT_FOUND },
		{ "b", true, "ab", DICT_NOTFOUND },
		{ ".b", false, "a.b", DICT_FOUND },
		{ ".b", false, "b", DICT_NOTFOUND },
		{ ".b", true, "a.b", DICT_NOTFOUND },
		{ "!a.b, b", true, "a.b", DICT_NOTFOUND },
		{ "!a.b, b", true, "c.b", DICT_FOUND },
		{ "b, !a.b", true, "a.b", DICT_FOUND }, /* the first one decides */
		{ "static:all", false, "anything", DICT_FOUND },
		{ "inline:{a.b=x}", false, "A.B", DICT_FOUND },
		{ "inline:{b=x}", false, "a.b", DICT_NOTFOUND },
		{ "inline:{.b=x}", false, "a.b", DICT_FOUND },
		{ "inline:{b=x}", true, "a.b", DICT_FOUND },
		{ "!inline:{a.b=x} b", true, "a.b", DICT_NOTFOUND },
		{ "inline:{a=}", false, "a", DICT_FOUND }, /* the result is ignored */
		{ "regexp:{{/^b$/ x}}", true, "a.b", DICT_NOTFOUND },
		{ "fail:x a.b", false, "a.b", DICT_ERROR },
		{ "a.b fail:x", false, "a.b", DICT_FOUND },
		{ "nosuch:x", false, "a.b", DICT_ERROR },
		{ "/nonexistent/file", false, "a.b", DICT_ERROR },
		{ "[192.0.2.1]", false, "[192.0.2.1]", DICT_FOUND },
		{ "[foo] a", false, "a", DICT_FOUND },
		{ "!", false, "a", DICT_ERROR },
		{ "cdb:dead", false, "a", DICT_ERROR },
	};

	check_lists(rows, COUNT(rows), ask_domain);
}

TEST(string_lists)
{
	static const struct match_row rows[] = {
		{ "a.b", true, "A.B", DICT_FOUND },
		{ "b", true, "a.b", DICT_NOTFOUND },
		{ ".b", false, "a.b", DICT_NOTFOUND },
		{ "inline:{b=x}", true, "a.b", DICT_NOTFOUND },
		{ "inline:{a.b=x}", true, "a.b", DICT_FOUND },
		{ "!root static:all", false, "root", DICT_NOTFOUND },
		{ "!root static:all", false, "www-data", DICT_FOUND },
		{ "1000", false, "1000", DICT_FOUND },
	};

	check_lists(rows, COUNT(rows), ask_string);
}

TEST(client_lists)
{
	static const struct match_row rows[] = {
		{ "192.0.2.0/24", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "192.0.2.0/24", false, "x.example 192.0.3.7", DICT_NOTFOUND },
		{ "192.0.2.7", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "!192.0.2.7 192.0.2.0/24", false, "x.example 192.0.2.7",
			DICT_NOTFOUND },
		{ "[2001:db8::]/32", false, "x.example 2001:db8::1", DICT_FOUND },
		{ "[2001:db8::/32]", false, "x.example 2001:db8::1", DICT_FOUND },
		{ "[::1]", false, "x.example ::1", DICT_FOUND },
		{ "2001:db8::/32", false, "x.example 2001:db8::1", DICT_FOUND },
		{ "127.0.0.0/8", false, "x.example ::ffff:127.0.0.1", DICT_FOUND },
		{ "x.example", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "example", true, "x.example 192.0.2.7", DICT_FOUND },
		{ ".example", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "inline:{192.0.2.7=x}", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "inline:{192.0.2=x}", false, "x.example 192.0.2.7", DICT_NOTFOUND },
		{ "inline:{example=x}", true, "x.example 192.0.2.7", DICT_FOUND },
		{ "cidr:{{192.0.2.0/24 x}}", false, "x.example 192.0.2.7", DICT_FOUND },
		/* a mistake defers what comes to it */
		{ "192.0.2.1/24", false, "x.example 192.0.2.7", DICT_ERROR },
		{ "x.example 192.0.2.1/24", false, "x.example 192.0.2.7", DICT_FOUND },
		{ "192.0.2.0/33", false, "x.example 192.0.2.7", DICT_ERROR },
		{ "1.2.3", false, "x.example 192.0.2.7", DICT_ERROR },
	};

	check_lists(rows, COUNT(rows), ask_client);
}

TEST(host_bits_are_explained)
{
	struct match_list *l =
		match_list_open("mynetworks", STR("192.0.2.1/24"), false, NULL);
	struct why why;

	log_capture(hear, NULL);
	ask_client(l, "x 192.0.2.1", &why);
	log_capture(NULL, NULL);
	CHECK_STR(str_c(why.text),
		"mynetworks: non-null host address bits in \"192.0.2.1/24\", perhaps you "
		"should use \"192.0.2.0/24\" instead");
	match_list_close(l);
	buf_free(&said);
}

static const char *
list_file(const char *text)
{
	static char path[4200];
	FILE *file;

	snprintf(path, sizeof path, "%s/list", test_dir());
	file = fopen(path, "w");
	ensure(file);
	fputs(text, file);
	fclose(file);
	return path;
}

TEST(files_in_lists)
{
	struct arena *a = arena_new();
	const char *path = list_file("# hosts\na.b, c.d\n  e.f\n!g.h\n");
	struct match_row rows[] = {
		{ path, false, "c.d", DICT_FOUND },
		{ path, false, "e.f", DICT_FOUND },
		{ path, false, "g.h", DICT_NOTFOUND },
		{ arena_printf(a, "!%s static:x", path).data, false, "a.b",
			DICT_NOTFOUND },
		{ arena_printf(a, "!%s static:x", path).data, false, "z", DICT_FOUND },
		/* ! of the file and ! in the file */
		{ arena_printf(a, "!%s", path).data, false, "g.h", DICT_FOUND },
	};

	check_lists(rows, COUNT(rows), ask_domain);
	path = list_file(arena_printf(a, "a.b\n%s/list\n", test_dir()).data);
	rows[0] = (struct match_row){ path, false, "a.b", DICT_FOUND };
	rows[1] = (struct match_row){ path, false, "x", DICT_ERROR }; /* of itself */
	check_lists(rows, 2, ask_domain);
	arena_free(a);
}
