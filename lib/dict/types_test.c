/* types_test.c -- tables that need no file of a foreign format, and all of them opened,
 * asked, changed and opened again. */
#include "dict_impl.h"
#include "test.h"
#include "log.h"
#include "unix.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Opens, asks once and closes: the value, "(none)", or "error: text". */
static struct str
ask(struct arena *a, const char *spec, const char *key, unsigned flags)
{
	struct why why = { 0 };
	struct dict *d = dict_open(str_c(spec), flags, NULL, &why);
	struct str value = STR("(none)");

	if (!d)
		return arena_printf(a, "no table: %s", why.text);
	if (dict_lookup(d, str_c(key), a, &value, &why) == DICT_ERROR)
		value = arena_printf(a, "error: %s", why.text);
	dict_close(d);
	return value;
}

TEST(tables_without_files)
{
	static const struct {
		const char *spec, *key, *want;
	} rows[] = {
		{ "static:x", "any", "x" },
		{ "static:{a b}", "any", "a b" },
		{ "static:{ a b }", "any", "a b" },
		{ "static:{}", "any", "" },
		{ "inline:{a=b}", "a", "b" },
		{ "inline:{a=b}", "A", "b" }, /* folded */
		{ "inline:{A=b}", "a", "b" },
		{ "inline:{a=b}", "c", "(none)" },
		{ "inline:{ {a = b c}, d=e, }", "a", "b c" },
		{ "inline:{ {a = b c}, d=e, }", "d", "e" },
		{ "inline:{a=b,a=c}", "a", "c" }, /* the last one counts */
		{ "inline:{a=b=c}", "a", "b=c" },
		{ "inline:{a={x}}", "a", "{x}" },
		{ "inline:{=b}", "a", "(none)" },
		{ "unionmap:{inline:{a=b},static:c,inline:{x=y}}", "a", "b,c" },
		{ "unionmap:{inline:{x=y}}", "a", "(none)" },
		{ "unionmap:{inline:{a=b},fail:x}", "a",
			"error: table fail:x: look-ups always fail" },
		{ "pipemap:{inline:{a=b},inline:{b=c}}", "a", "c" },
		{ "pipemap:{inline:{a=b},inline:{x=c}}", "a", "(none)" },
		{ "inline:{{\"a b\"@c = v}}", "a b@c", "v" },
		{ "inline:{{\"a b\"@c = v}}", "\"a b\"@c", "(none)" },
		{ "inline:{{\"a=b\\\"\" = v w}}", "a=b\"", "v w" },
		{ "randmap:{x}", "a", "x" },
		{ "randmap:{{x}}", "a", "{x}" },
		{ "randmap:{x,x x}", "a", "x" },
		{ "internal:x", "a", "(none)" },
		{ "proxy:inline:{a=b}", "a", "b" },
		{ "proxy:proxy:inline:{a=b}", "a", "b" },
		{ "regexp:{{/^a(.)/ <$1>}}", "ab", "<b>" },
		{ "regexp:{{/^a(.)/ <$1>}, {/x/ y}}", "x", "y" },
		{ "cidr:{{192.0.2.0/24 net}}", "192.0.2.7", "net" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_STR(ask(a, rows[i].spec, rows[i].key, DICT_FOLD), rows[i].want);
	}
	arena_free(a);
}

TEST(wrong_names_tell_what_is_wrong)
{
	static const struct {
		const char *spec, *want;
	} rows[] = {
		{ "", "no table: open dictionary: expecting \"type:name\" form instead "
		      "of \"\"" },
		{ "hash:", "no table: open dictionary: expecting \"type:name\" form "
			   "instead of \"hash:\"" },
		{ ":x", "no table: open dictionary: expecting \"type:name\" form instead "
			"of \":x\"" },
		{ "x", "no table: open dictionary: expecting \"type:name\" form instead "
		       "of \"x\"" },
		{ "nosuch:x", "no table: unsupported dictionary type: nosuch" },
		{ "unix:foo", "error: unknown table: unix:foo" },
		{ "inline:x", "error: bad syntax: \"inline:x\"; need "
			      "\"inline:{name=value...}\"" },
		{ "inline:{a}", "error: missing '=' after attribute name: "
				"\"inline:{a}\"; need \"inline:{name=value...}\"" },
		{ "inline:{{a=b}x}", "error: syntax error after '}' in \"{a=b}x\"" },
		{ "inline:{a={b}", "error: bad syntax: \"inline:{a={b}\"; need "
				   "\"inline:{name=value...}\"" },
		{ "unionmap:{x}", "error: bad syntax: \"unionmap:{x}\"; need "
				  "\"unionmap:{type:name...}\"" },
		{ "unionmap:{nosuch:x}", "error: unsupported dictionary type: nosuch" },
		{ "randmap:{}", "error: bad syntax: \"randmap:{}\"; need "
				"\"randmap:{value...}\"" },
		{ "regexp:{/a/ b}", "error: regexp map: no '{' at start of text in "
				    "\"/a/\"" },
		{ "texthash:/nonexistent/x", "error: open database /nonexistent/x: No "
					     "such file or directory" },
		{ "cdb:/nonexistent/x", "error: open database /nonexistent/x.cdb: No "
					"such file or directory" },
		{ "regexp:/nonexistent/x",
			"error: open /nonexistent/x: No such file or directory" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_STR(ask(a, rows[i].spec, "a", 0), rows[i].want);
	}
	arena_free(a);
}

TEST(unix_tables)
{
	struct arena *a = arena_new();

	CHECK(str_starts(ask(a, "unix:passwd.byname", "root", 0), STR("root:x:0:0:")));
	CHECK(str_starts(ask(a, "unix:group.byname", "root", 0), STR("root:x:0:")));
	CHECK_STR(ask(a, "unix:passwd.byname", "", 0), "(none)");
	CHECK_STR(ask(a, "unix:passwd.byname", "ro:ot", 0), "(none)");
	CHECK_STR(ask(a, "unix:passwd.byname", "no-such-user-here", 0), "(none)");
	arena_free(a);
}

TEST(lines_of_passwd)
{
	static const struct {
		const char *text, *name, *want;
		bool others;
	} rows[] = {
		{ "a:x:1:1:A:/a:/b\n", "a", "a:x:1:1:A:/a:/b", false },
		{ "a:x:1:1:A:/a:", "a", "a:x:1:1:A:/a:", false },
		{ "a:x:1:1:A:/a:/b\na:x:2:2:A:/a:/b\n", "a", "a:x:1:1:A:/a:/b", false },
		{ "# a:x:1:1:A:/a:/b\n\n", "# a", NULL, false },
		{ "a:x:1:1:A\n", "a", NULL, false },
		{ "a:x:one:1:A:/a:/b\n", "a", NULL, false },
		{ ":x:1:1:A:/a:/b\n", "", NULL, false },
		{ "a\n", "a", NULL, false },
		{ "+\n", "+", NULL, true },
		{ "+@staff::::::\na:x:1:1:A:/a:/b\n", "a", "a:x:1:1:A:/a:/b", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct entries *e = entries_new();
		struct str value = STR_NONE;
		bool others;
		FILE *file = tmpfile();

		test_row(i);
		ensure(file);
		fputs(rows[i].text, file);
		rewind(file);
		CHECK(unix_read(e, file, 7, &others));
		fclose(file);
		CHECK_INT(others, rows[i].others);
		CHECK_INT(entries_find(e, str_c(rows[i].name), &value),
			rows[i].want != NULL);
		CHECK_STR(value, rows[i].want);
		entries_free(e);
	}
}

TEST(sources_of_nsswitch)
{
	static const struct {
		const char *text;
		bool has_records, want;
	} rows[] = {
		{ "", false, false },
		{ "passwd: files\n", true, false },
		{ "# passwd: sss\npasswd:         files systemd\n", false, false },
		{ "passwd:         files systemd\n", true, true },
		{ "passwd: files sss\n", false, true },
		{ "passwd: files [NOTFOUND=return SUCCESS=merge] ldap\n", false, true },
		{ "passwd: files [NOTFOUND=return] # ldap\n", false, false },
		{ " passwd : compat\n", false, false },
		{ "group: sss\npasswd: files", false, false },
		{ "passwd: db files", false, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_row(i);
		CHECK_INT(unix_asks_others(
				  str_c(rows[i].text), "passwd", rows[i].has_records),
			rows[i].want);
	}
}

TEST(types_are_sorted)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	for (size_t i = 1; i < n; i++)
		CHECK(strcmp(types[i - 1].name, types[i].name) < 0);
	CHECK(n >= 13);
}

TEST(pattern_types)
{
	static const struct {
		const char *spec;
		bool pattern;
	} rows[] = {
		{ "static:x", false },
		{ "regexp:{{/a/ b}}", true },
		{ "proxy:regexp:{{/a/ b}}", true },
		{ "cidr:{{::/0 b}}", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct why why = { 0 };
		struct dict *d = dict_open(str_c(rows[i].spec), 0, NULL, &why);

		test_row(i);
		CHECK(dict_is_pattern(d) == rows[i].pattern);
		dict_close(d);
	}
}

/* ---- files ---- */

static struct str
write_text(struct arena *a, const char *name, const char *text)
{
	struct str path = arena_printf(a, "%s/%s", test_dir(), name);
	FILE *file = fopen(path.data, "w");

	ensure(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void
ignore(enum log_level level UNUSED, struct str line UNUSED, void *arg UNUSED)
{
}

TEST(texthash)
{
	struct arena *a = arena_new();
	struct str path = write_text(a, "t",
			   "# comment\nFoo  bar\n  more\nfoo again\n\"q r\" z\nbare\n\nk "
			   "v\n"),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path));

	log_capture(ignore, NULL);
	CHECK_STR(ask(a, spec.data, "foo", DICT_FOLD), "bar  more");
	CHECK_STR(ask(a, spec.data, "Foo", 0), "bar  more");
	CHECK_STR(ask(a, spec.data, "foo", 0), "again");
	CHECK_STR(ask(a, spec.data, "\"q r\"", 0), "z");
	CHECK_STR(ask(a, spec.data, "bare", 0), "(none)");
	CHECK_STR(ask(a, spec.data, "k", 0), "v");
	log_capture(NULL, NULL);
	arena_free(a);
}

/* The second that dict_changed() lets pass between two looks at the file. */
static void
second_passes(struct dict *d)
{
	d->stamp->next = 0;
}

static struct str
look_up(struct dict *d, const char *key, struct arena *a)
{
	struct str value = STR("(none)");
	struct why why;

	if (dict_lookup(d, str_c(key), a, &value, &why) == DICT_ERROR)
		return STR("(error)");
	return value;
}

TEST(replaced_files_are_opened_again)
{
	struct arena *a = arena_new();
	struct str path = write_text(a, "r", "a 1\n"),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path)), other;
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);

	second_passes(d);
	CHECK(!dict_changed(d));
	other = write_text(a, "r.new", "a 2\n");
	CHECK(rename(other.data, path.data) == 0);
	CHECK(!dict_changed(d)); /* not asked more than once a second */
	second_passes(d);
	CHECK(dict_changed(d));
	CHECK_STR(look_up(d, "a", a), "1"); /* until it is opened again */
	CHECK(dict_reopen(d));
	CHECK_STR(look_up(d, "a", a), "2");
	second_passes(d);
	CHECK(!dict_changed(d));
	dict_close(d);
	arena_free(a);
}

TEST(what_is_said_to_have_changed_is_opened_again)
{
	struct arena *a = arena_new();
	struct str path = write_text(a, "s", "a 1\n"),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path)),
		   inner = arena_printf(
			   a, "unionmap:{static:x, proxy:" STR_FMT "}", STR_ARG(spec));
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why),
		    *u = dict_open(inner, 0, NULL, &why);

	CHECK(!dict_changed(d) && !dict_changed(u));
	dict_must_reopen(STR("texthash:/other"));
	CHECK(!dict_changed(d) && !dict_changed(u));
	dict_must_reopen(spec);
	CHECK(dict_changed(d) && dict_changed(u));
	CHECK(dict_reopen(d) && dict_reopen(u));
	CHECK(!dict_changed(d) && !dict_changed(u));
	for (int i = 0; i < 2000; i++) {
		struct str other = arena_printf(a, "texthash:/%d", i);

		dict_must_reopen(other);
	}
	CHECK(dict_changed(d)); /* more than anybody remembers */
	CHECK(dict_reopen(d));
	CHECK(!dict_changed(d));
	dict_must_reopen(spec);
	CHECK(dict_changed(d));
	dict_close(d);
	dict_close(u);
	arena_free(a);
}

TEST(files_written_in_place_settle_first)
{
	struct arena *a = arena_new();
	struct str path = write_text(a, "p", "a 1\n"),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path));
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);

	write_text(a, "p", "a 1\nb 2\n");
	second_passes(d);
	CHECK(!dict_changed(d)); /* it may be half written */
	second_passes(d);
	CHECK(dict_changed(d));
	CHECK(dict_reopen(d));
	CHECK_STR(look_up(d, "b", a), "2");
	dict_close(d);
	arena_free(a);
}

TEST(a_table_that_is_gone_serves_on)
{
	struct arena *a = arena_new();
	struct str path = write_text(a, "g", "a 1\n"),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path));
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);

	unlink(path.data);
	second_passes(d);
	CHECK(!dict_changed(d));
	CHECK(!dict_reopen(d));
	CHECK_STR(look_up(d, "a", a), "1");
	dict_close(d);
	arena_free(a);
}

TEST(a_table_that_appears_is_opened)
{
	struct arena *a = arena_new();
	struct str path = arena_printf(a, "%s/late", test_dir()),
		   spec = arena_printf(a, "texthash:" STR_FMT, STR_ARG(path));
	struct why why = { 0 };
	struct dict *d = dict_open(spec, 0, NULL, &why);

	CHECK(d && why.code[0]);
	CHECK_STR(look_up(d, "a", a), "(error)");
	write_text(a, "late", "a 1\n");
	second_passes(d);
	CHECK(dict_changed(d));
	CHECK(dict_reopen(d));
	CHECK_STR(look_up(d, "a", a), "1");
	dict_close(d);
	arena_free(a);
}

static void
gather(const char *path, void *arg)
{
	struct buf *b = arg;

	buf_addz(b, path);
	buf_addc(b, ' ');
}

TEST(paths_for_the_jail)
{
	struct buf b = BUF_INIT;

	dict_paths(STR("texthash:/etc/postfix/a, proxy:unix:passwd.byname !/x/y static:z "
		       "unionmap:{cdb:/c/d,regexp:rel} pcre:{{/a/ b}} /top"),
		gather, &b);
	CHECK_STR(buf_str(&b), "/etc/postfix /etc /x /c . / ");
	buf_free(&b);
}
