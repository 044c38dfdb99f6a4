/* rules_test.c -- pcre, regexp and cidr tables: what rules give, and what is said about
 * wrong ones. */
#include "config.h"
#include "dict_impl.h"
#include "log.h"
#include "test.h"
#include <stdio.h>

static struct buf said = BUF_INIT;

static void
hear(enum log_level level UNUSED, struct str line, void *arg UNUSED)
{
	buf_add(&said, line);
	buf_addc(&said, '\n');
}

static struct dict *
open_rules(const char *type, const char *text, unsigned flags)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str path = arena_printf(a, "%s/rules", test_dir());
	struct why why = { 0 };
	FILE *file = fopen(path.data, "w");
	struct dict *d;

	ensure(file);
	fputs(text, file);
	fclose(file);
	buf_clear(&said);
	log_capture(hear, NULL);
	d = dict_open(
		arena_printf(a, "%s:" STR_FMT, type, STR_ARG(path)), flags, NULL, &why);
	log_capture(NULL, NULL);
	CHECK_STR(str_c(why.text), "");
	return d;
}

static struct str
look_up(struct dict *d, const char *key, struct arena *a)
{
	struct str value = STR("(none)");
	struct why why = { 0 };

	if (dict_lookup(d, str_c(key), a, &value, &why) == DICT_ERROR)
		return arena_printf(a, "error: %s", why.text);
	return value;
}

struct row {
	const char *rules, *key, *want;
	bool warns;
};

static void
check_rows(const char *type, const struct row *rows, size_t n)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < n; i++) {
		struct dict *d = open_rules(type, rows[i].rules, 0);

		test_row(i);
		CHECK_STR(look_up(d, rows[i].key, a), rows[i].want);
		CHECK_INT(said.len > 0, rows[i].warns);
		dict_close(d);
	}
	arena_free(a);
}

/* What pcre and regexp have in common. */
static const struct row common[] = {
	{ "/^foo(.*)$/ got $1", "foo1", "got 1", false },
	{ "/^foo(.*)$/ got $1", "FOO1", "got 1", false },
	{ "/^foo/i x", "FOO", "(none)", false }, /* i turns it off */
	{ "/(x)(y)/ $1-${2}x$(2)", "xy", "x-yxy", false },
	{ "/a/ $$1 $$", "a", "$1 $", false },
	{ "/(a)/ $1.x", "a", "a.x", false },
	{ "/x(y)?z/ [$1]", "xz", "[]", false },
	{ "/(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)/ $10", "abcdefghij", "j", false },
	{ "/a/ 1\n/a/ 2", "a", "1", false },
	{ "/b/ 1\n/a/ 2", "a", "2", false },
	{ "!/a/ not", "b", "not", false },
	{ "!/a/ not", "a", "(none)", false },
	{ "!!/a/ yes", "a", "yes", false },
	{ "! /a/ not", "b", "not", false },
	{ "/\\/o/ slash", "/o", "slash", false },
	{ "|a|i pipe", "a", "pipe", false },
	{ "/p\n q/ two lines", "p q", "two lines", false },
	{ "/a/\n  text", "a", "text", false },
	{ "/a/  x  y  ", "a", "x  y", false },
	{ "/a/", "a", "", true },
	{ "# /a/ 1\n\n/a/ 2", "a", "2", false },
	{ "if /a/\n/b/ ab\nendif\n/b/ b", "ab", "ab", false },
	{ "if /a/\n/b/ ab\nendif\n/b/ b", "b", "b", false },
	{ "if /a/\n/b/ ab\nendif\n/b/ b", "a", "(none)", false },
	{ "IF !/a/\n/b/ b\nEndIf", "b", "b", false },
	{ "if !/a/\n/b/ b\nendif", "ab", "(none)", false },
	{ "if /a/\nif /b/\n/c/ 1\nendif\n/c/ 2\nendif", "ac", "2", false },
	{ "if /a/\nif /b/\n/c/ 1\nendif\n/c/ 2\nendif", "abc", "1", false },
	{ "if /a/\nif /b/\n/c/ 1\nendif\n/c/ 2\nendif\n/c/ 3", "c", "3", false },
	{ "if /a/\nendif\n/c/ 3", "ac", "3", false },
	/* what a literal before a $ may look like, and what only looks like one */
	{ "/@Example\\.ORG$/ x", "a@example.org", "x", false },
	{ "/@example\\.org$/ x", "a@exampleXorg", "(none)", false },
	{ "/@example\\.org$/i x", "a@Example.org", "(none)", false },
	{ "/^a@b\\.c$/ x", "a@b.c", "x", false },
	{ "/^a@b\\.c$/ x", "xa@b.c", "(none)", false },
	{ "!/@b\\.c$/ x", "a@b.d", "x", false },
	{ "/b|c$/ x", "ba", "x", false },
	{ "/(b|c)d$/ x", "cd", "x", false },
	{ "/ab*$/ x", "a", "x", false },
	{ "/ab?c$/ x", "ac", "x", false },
	{ "/a[.-]b$/ x", "a-b", "x", false },
	{ "/a{2}b$/ x", "aab", "x", false },
	{ "/a\\wb$/ x", "axb", "x", false },
	{ "/a\\$/ x", "a$b", "x", false },
	{ "/a\\\\$/ x", "a\\", "x", false },
	{ "/(a)\\1$/ $1", "aa", "a", false },
	{ "/$/ x", "a", "x", false },
	/* mistakes: the rule is skipped, the others stay */
	{ "/a(/ 1\n/a/ 2", "a", "2", true },
	{ "/a 1\n/a/ 2", "a", "2", true },
	{ "/a/y 1\n/a/ 2", "a", "2", true },
	{ "a 1\n/a/ 2", "a", "2", true },
	{ "!\n/a/ 2", "a", "2", true },
	{ "if\n/a/ 2", "a", "2", true },
	{ "/(a)/ $2\n/a/ 2", "a", "2", true },
	{ "/(a)/ $0\n/a/ 2", "a", "2", true },
	{ "/(a)/ $1x\n/a/ 2", "a", "2", true },
	{ "/(a)/ ${1\n/a/ 2", "a", "2", true },
	{ "/(a)/ ${}\n/a/ 2", "a", "2", true },
	{ "/(a)/ $\n/a/ 2", "a", "2", true },
	{ "/(a)/ $99\n/a/ 2", "a", "2", true },
	{ "/(a)/ $18446744073709551617\n/a/ 2", "a", "2", true },
	{ "!/(b)/ $1\n/a/ 2", "a", "2", true },
	{ "endif\n/a/ 2", "a", "2", true },
	{ "if /a/ x\n/a/ 2\nendif", "a", "2", true },
	{ "if /b/\n/a/ 2", "a", "(none)", true },
	{ "if /a/\n/a/ 2\nendif x\n/a/ 3", "a", "2", true },
};

TEST(regexp_rules)
{
	static const struct row rows[] = {
		{ "/a\\(b\\)/x $1", "ab", "b", false }, /* x: basic expressions */
		{ "/a$/m x", "a\nb", "x", false },
		{ "/a$/ x", "a\nb", "(none)", false },
		{ "/[\\]b$/ x", "\\b", "x", false }, /* a bracket with a backslash */
		{ "/a/U x\n/a/ y", "a", "y", true },
	};

	check_rows("regexp", common, COUNT(common));
	check_rows("regexp", rows, COUNT(rows));
}

#if HAVE_PCRE2
TEST(pcre_rules)
{
	static const struct row rows[] = {
		{ "/a.b/ x", "a\nb", "x", false }, /* s is on */
		{ "/a.b/s x", "a\nb", "(none)", false },
		{ "/a$/m x", "a\nb", "x", false },
		{ "/a b # c/x x", "ab", "x", false },
		{ "/b/A x", "ab", "(none)", false },
		{ "/a$/E x", "a\n", "(none)", false },
		{ "/a$/ x", "a\n", "x", false },
		{ "/(a+)/U $1", "aaa", "a", false },
		{ "/a/X x", "a", "x", false },
		{ "/(?<n>a)(?:b)(c)/ $1$2", "abc", "ac", false },
		{ "/\\d+/ x", "12", "x", false },
		{ "/(a+)+$/ x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
			"error: pcre map @/rules, line 1: match limit exceeded: simplify "
			"the pattern",
			false },
	};
	struct arena *a = arena_new();

	check_rows("pcre", common, COUNT(common));
	check_rows("pcre", rows, COUNT(rows) - 1);
	{
		struct dict *d = open_rules("pcre", rows[COUNT(rows) - 1].rules, 0);
		struct str got = look_up(d, rows[COUNT(rows) - 1].key, a);

		CHECK(str_starts(got, STR("error: pcre map ")));
		CHECK(str_ends(got, STR("line 1: match limit exceeded: simplify the "
					"pattern")));
		dict_close(d);
	}
	arena_free(a);
}
#endif

TEST(cidr_rules)
{
	static const struct row rows[] = {
		{ "192.0.2.0/24 net", "192.0.2.7", "net", false },
		{ "192.0.2.0/24 net", "192.0.3.7", "(none)", false },
		{ "192.0.2.7 host $1", "192.0.2.7", "host $1", false },
		{ "[192.0.2.0]/24 net", "192.0.2.7", "net", false },
		{ "2001:db8::/32 net", "2001:db8::1", "net", false },
		{ "[2001:db8::]/32 net", "2001:DB8::1", "net", false },
		{ "[2001:db8::/32] net", "2001:db8::1", "net", false },
		{ "0.0.0.0/0 all", "1.2.3.4", "all", false },
		{ "0.0.0.0/0 all", "::1", "(none)", false },
		{ "0.0.0.0/0 all", "host.example", "(none)", false },
		{ "0.0.0.0/0 all", "[1.2.3.4]", "(none)", false },
		{ "::/0 all", "IPv6:::1", "(none)", false },
		{ "0.0.0.0/0 all", "", "(none)", false },
		{ "!192.0.2.0/24 other", "192.0.3.1", "other", false },
		{ "!192.0.2.0/24 other", "192.0.2.1", "(none)", false },
		{ "!192.0.2.0/24 other", "::1", "(none)", false }, /* not its family */
		{ "if 192.0.2.0/24\n192.0.2.1 one\nendif\n0.0.0.0/0 all", "192.0.2.1",
			"one", false },
		{ "if !192.0.2.0/24\n0.0.0.0/0 all\nendif", "192.0.2.1", "(none)",
			false },
		{ "if !192.0.2.0/24\n0.0.0.0/0 all\nendif", "192.0.3.1", "all", false },
		/* mistakes */
		{ "192.0.2.1/24 x\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "192.0.2.0/33 x\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "192.0.2/24 x\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "192.0.2.1\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "host x\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "if\n0.0.0.0/0 all", "192.0.2.1", "all", true },
		{ "[2001:db8::/32 x\n::/0 all", "2001:db8::1", "all", true },
	};

	check_rows("cidr", rows, COUNT(rows));
}

TEST(mistakes_name_file_line_and_remedy)
{
	struct arena *a = arena_new();
	struct dict *d = open_rules("regexp", "# c\n\n/(a)/ $2\n", 0);

	CHECK_STR(buf_str(&said),
		arena_printf(a,
			"warning: regexp map %s/rules, line 3: out of range replacement "
			"index \"2\": skipping this rule\n",
			test_dir())
			.data);
	dict_close(d);
	d = open_rules("cidr", "192.0.2.1/24 x\n", 0);
	CHECK(str_find(buf_str(&said),
		      STR("rules, line 1: non-null host address bits in "
			  "\"192.0.2.1/24\", perhaps you should use \"192.0.2.0/24\" "
			  "instead")) > 0);
	dict_close(d);
	arena_free(a);
}

TEST(substitution_can_be_forbidden)
{
	struct arena *a = arena_new();
	struct dict *d = open_rules("regexp", "/(a)/ $1\n/a/ $$2", DICT_NO_REGSUB);

	CHECK_STR(look_up(d, "a", a), "$2");
	CHECK(said.len > 0);
	dict_close(d);
	buf_free(&said);
	arena_free(a);
}

TEST(keys_with_a_nul)
{
	struct arena *a = arena_new();
	struct dict *d = open_rules("regexp", "/b$/ end\n/^a/ start", 0);
	struct str value;
	struct why why;

	CHECK(dict_lookup(d, STR("a\0b"), a, &value, &why) == DICT_FOUND);
	CHECK_STR(value, "end");
	dict_close(d);
	buf_free(&said);
	arena_free(a);
}
