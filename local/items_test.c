/* items_test.c -- what people write into aliases and .forward files. */
#include "local.h"
#include "test.h"

static const struct {
	struct str text;
	const char *want; /* kind letter and text of each item, separated by ";" */
} values[] = {
	{ STR_INIT("ann"), "@ann" },
	{ STR_INIT(" ann , bob@x.example,, "), "@ann;@bob@x.example" },
	{ STR_INIT("Ann O. <ann@x.example> (home), \"Bob, jr\" <bob>"),
		"@ann@x.example;@bob" },
	{ STR_INIT("\"|program \\\"two words\\\", and a comma\""),
		"|program \"two words\", and a comma" },
	{ STR_INIT("|/bin/program -x (y"), "|/bin/program -x (y" },
	{ STR_INIT("| program, ann"), "| program;@ann" },
	{ STR_INIT("\"| program\""), "| program" },
	{ STR_INIT("/var/mail/x, \"/var/mail/a b/\""), "//var/mail/x;//var/mail/a b/" },
	{ STR_INIT(":include:/a/list, :INCLUDE: /b"), ":/a/list;:/b" },
	{ STR_INIT("\":include:/a, b\""), ":/a, b" },
	{ STR_INIT("\\ann, \"|x\""), "@ann;|x" },
	{ STR_INIT("\"ann\""), "@\"ann\"" },
	{ STR_INIT("ann\nbob"), "@ann;@bob" },
	{ STR_INIT("\"|unfinished, ann"), "@\"|unfinished, ann\"" }, /* no command */
	{ STR_INIT("(only a comment)"), "" },
	{ STR_INIT(""), "" },
}, files[] = {
	{ STR_INIT("# a comment, with commas\nann\n\n#bob\ncat,\n dog\n"),
		"@ann;@cat;@dog" },
	{ STR_INIT("\"|program\n  argument\"\n"), "|program  argument" },
	{ STR_INIT("ann"), "@ann" },
};

static void
show(const struct items *items, struct buf *out)
{
	static const char kinds[] = { '@', '|', '/', ':' };

	for (size_t i = 0; i < items->list.n; i++) {
		const struct item *item = &items->list.items[i];

		buf_printf(out, "%s%c" STR_FMT, i ? ";" : "", kinds[item->kind],
			STR_ARG(item->text));
	}
}

TEST(values_are_taken_apart)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct items items = { 0 };

		test_row(i);
		items_parse(values[i].text, a, &items);
		show(&items, &got);
		CHECK_STR(buf_str(&got), values[i].want);
		items_free(&items);
	}
}

TEST(files_have_comments_and_long_lines)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();
		struct buf got CLEANUP(buf_free) = BUF_INIT;
		struct items items = { 0 };

		test_row(i);
		items_parse_file(files[i].text, a, &items);
		show(&items, &got);
		CHECK_STR(buf_str(&got), files[i].want);
		items_free(&items);
	}
}

TEST_MAIN()
