/* source_test.c -- logical lines, entries of both kinds, targets of aliases. */
#include "aliases.h"
#include "log.h"
#include "source.h"
#include "test.h"

static void
ignore(enum log_level level UNUSED, struct str line UNUSED, void *arg UNUSED)
{
}

TEST(logical_lines)
{
	static const struct {
		const char *text, *want; /* "line:text|" for each */
	} rows[] = {
		{ "", "" },
		{ "a", "1:a|" },
		{ "a\nb\n", "1:a|2:b|" },
		{ "a\n  b\n\tc\nd", "1:a  b	c|4:d|" },
		{ "a  \n# x\n\n   # y\n  b", "1:a    b|" },
		{ "  a\nb", "2:b|" }, /* goes on with nothing */
		{ "\n\n# c\na\n\n\nb", "4:a|7:b|" },
		{ "a\r\nb\r\n", "1:a|2:b|" },
	};

	log_capture(ignore, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf got = BUF_INIT;
		struct source s;
		struct str line;
		FILE *file = tmpfile();

		ensure(file);
		fputs(rows[i].text, file);
		rewind(file);
		source_open(&s, file, "test");
		while (source_line(&s, &line))
			buf_printf(&got, "%d:" STR_FMT "|", s.line, STR_ARG(line));
		source_close(&s);
		test_row(i);
		CHECK_STR(got.data ? buf_str(&got) : STR(""), rows[i].want);
		buf_free(&got);
	}
	log_capture(NULL, NULL);
}

TEST(map_entries)
{
	static const struct {
		const char *line, *key, *value, *said;
	} rows[] = {
		{ "a b", "a", "b", "" },
		{ "a \t b  c", "a", "b  c", "" },
		{ "\"a b\" c", "\"a b\"", "c", "" },
		{ "\"a\"b c", "\"a\"b", "c", "" },
		{ "a\"b c\" d", "a\"b c\"", "d", "" },
		{ "\"a\\\" b\" c", "\"a\\\" b\"", "c", "" },
		{ "a\\ b c", "a\\ b", "c", "" },
		{ "a: b", "a:", "b",
			"record is in \"key: value\" format; is this an alias file?" },
		{ "a:b c", "a:b", "c", "" },
		{ "a", NULL, NULL, "expected format: key whitespace value" },
		{ "\"a b", NULL, NULL,
			"unbalanced '\"' in '\"a b' -- ignoring this line" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str key, value;
		struct why why;
		enum source_entry got =
			source_map_entry(str_c(rows[i].line), &key, &value, &why);

		test_row(i);
		CHECK_STR(str_c(why.text), rows[i].said);
		CHECK_INT(got == SOURCE_ENTRY, rows[i].key != NULL);
		if (rows[i].key && got == SOURCE_ENTRY) {
			CHECK_STR(key, rows[i].key);
			CHECK_STR(value, rows[i].value);
		}
	}
}

TEST(alias_entries)
{
	/* As Debian's postalias 3.7 stores them. */
	static const struct {
		const char *line, *key, *value;
	} rows[] = {
		{ "Postmaster: Root , Bob@Example.COM", "Postmaster",
			"Root, Bob@Example.COM" },
		{ "\"quoted name\": x", "quoted name", "x" },
		{ "\"Quo\\\"te\": y", "Quo\"te", "y" },
		{ "tab	tab: x", "tab tab", "x" },
		{ "ab2 : x", "ab2", "x" },
		{ "(cm) cmt: x", "(cm) cmt", "x" },
		{ "/file: x", "/file", "x" },
		{ "a: \"|/usr/bin/cmd arg \\\"x\\\"\"", "a",
			"\"|/usr/bin/cmd arg \\\"x\\\"\"" },
		{ "a: | /bin/cmd arg, foo", "a", "|/bin/cmd arg, foo" },
		{ "a: |\"/bin/cmd x y\"", "a", "|\"/bin/cmd x y\"" },
		{ "a: :include:/etc/list", "a", ":include:/etc/list" },
		{ "a: :include: /a", "a", ":include:/a" },
		{ "a: Name<c@d>", "a", "Name <c@d>" },
		{ "a: <x>y", "a", "<x>y" },
		{ "a: a % b ! c | d", "a", "a%b!c|d" },
		{ "a: a(b)c", "a", "a (b) c" },
		{ "a: \"a\"\"b\"", "a", "\"a\" \"b\"" },
		{ "a: a,,b", "a", "a, , b" },
		{ "a: \\\"x\\\"", "a", "\"\\\"x\\\"\"" },
		{ "a: x\\y", "a", "xy" },
		{ "a: user\\@dom", "a", "\"user@dom\"" },
		{ "a: a\\ b@c, \\user", "a", "\"a b\"@c, user" },
		{ "a: \"abc", "a", "\"abc\"" },
		{ "a: (abc", "a", "(abc" },
		{ "a: a[b", "a", "a [b]" },
		{ "a: [a\\]b]", "a", "[a\\]b]" },
		{ "a: x\\", "a", "x" },
		{ "a: \"x\\", "a", "\"x\"" },
		{ "a: \"\"", "a", "\"\"" },
		{ "a: x. y .z", "a", "x.y.z" },
		{ "a: g:a,b;", "a", "g:a, b;" },
		/* not a pair */
		{ "a:", NULL, "need name:value pair" },
		{ "a", NULL, "need name:value pair" },
		{ ":a", NULL, "need name:value pair" },
		{ "quote\"d: x", NULL, "need name:value pair" },
		{ "a@b: c", NULL, "name must be local" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str key, value;
		struct why why;
		enum source_entry got =
			source_alias_entry(str_c(rows[i].line), a, &key, &value, &why);

		test_row(i);
		CHECK_INT(got == SOURCE_ENTRY, rows[i].key != NULL);
		if (got != SOURCE_ENTRY) {
			CHECK_STR(str_c(why.text), rows[i].value);
			continue;
		}
		CHECK_STR(key, rows[i].key);
		CHECK_STR(value, rows[i].value);
	}
	arena_free(a);
}

TEST(alias_targets)
{
	static const struct {
		const char *text, *want; /* kind and text of each, separated by | */
	} rows[] = {
		{ "", "" },
		{ "root", "A root|" },
		{ "root, bob@example.com", "A root|A bob@example.com|" },
		{ "root,, ,bob", "A root|A bob|" },
		{ "\"|/bin/cmd -a \\\"b c\\\", d\"", "C /bin/cmd -a \"b c\", d|" },
		{ "|/bin/cmd", "C /bin/cmd|" },
		{ "|/bin/cmd x, root", "C /bin/cmd x|A root|" },
		{ "|\"/bin/cmd x, y\"", "C /bin/cmd x, y|" },
		{ "/var/mail/x", "F /var/mail/x|" },
		{ "\"/var/mail/x y\"", "F /var/mail/x y|" },
		{ "/a:b", "F /a:b|" },
		{ ":include:/etc/list", "I /etc/list|" },
		{ "\":include:/etc/a list\"", "I /etc/a list|" },
		{ ":Include: /a, b", "I /a|A b|" },
		{ "Bob <bob@example.com> (Bob), x", "A bob@example.com|A x|" },
		{ "Bob <bob@example.com> junk, x", "A bob@example.com|A x|" },
		{ "friends: a@b, c@d;, e", "A a@b|A c@d|A e|" },
		{ "(nobody)", "" },
		{ "<>", "" },
		{ "\"us er\"@example.com", "A us er@example.com|" },
		{ "\\root", "A root|" },
		{ "a @ b . c", "A a@b.c|" },
		{ "u@[192.0.2.1]", "A u@[192.0.2.1]|" },
		{ "u@[IPv6:::1], x", "A u@[IPv6:::1]|A x|" },
		{ "\"unclosed, x", "A unclosed, x|" },
	};
	static const char kinds[] = "ACFI";
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct alias_targets targets = { 0 };
		struct buf got = BUF_INIT;
		struct why why;

		test_row(i);
		CHECK_INT(alias_targets(str_c(rows[i].text), 10, a, &targets, &why), 0);
		for (size_t k = 0; k < targets.n; k++)
			buf_printf(&got, "%c " STR_FMT "|", kinds[targets.items[k].kind],
				STR_ARG(targets.items[k].text));
		CHECK_STR(got.data ? buf_str(&got) : STR(""), rows[i].want);
		buf_free(&got);
	}
	arena_free(a);
}

TEST(alias_targets_are_bounded)
{
	struct arena *a = arena_new();
	struct alias_targets targets;
	struct why why;

	CHECK_INT(alias_targets(STR("a,b,c"), 3, a, &targets, &why), 0);
	CHECK_INT(alias_targets(STR("a,b,c,d"), 3, a, &targets, &why), -1);
	CHECK_STR(str_c(why.text), "more than 3 targets in one alias");
	arena_free(a);
}

TEST_MAIN()
