/* Which bucket, which domain; the table as Postfix's qshape prints it is compared in
 * tests/tools/qshape_test.py. */
#include "shape.h"
#include "test.h"
#include <stdlib.h>

static const struct shape_options usual = {
	.buckets = 10, .tick = 5, .min_children = 5, .width = 80
};

/* Each run of blanks becomes one. */
static void
squeeze(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != ' ' || i == 0 || text.data[i - 1] != ' ')
			buf_addc(out, text.data[i]);
}

/* The table of one message, without its headings. */
static void
check_rows(
	const struct shape_options *o, int64_t age, struct str address, const char *want)
{
	struct shape *s = shape_new(o);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct buf rows CLEANUP(buf_free) = BUF_INIT;
	struct str rest;

	shape_add(s, age, address);
	shape_print(s, out);
	fclose(out);
	rest = str_of(text, len);
	squeeze(str_from(rest, (size_t)str_chr(rest, '\n') + 1), &rows);
	CHECK_STR(buf_str(&rows), want);
	free(text);
	shape_free(s);
}

TEST(ages)
{
	static const struct {
		double tick;
		bool linear;
		int64_t age;
		const char *want;
	} rows[] = {
		{ 5, false, -7, " TOTAL 1 1 0 0 0" },
		{ 5, false, 299, " TOTAL 1 1 0 0 0" },
		{ 5, false, 300, " TOTAL 1 0 1 0 0" },
		{ 5, false, 599, " TOTAL 1 0 1 0 0" },
		{ 5, false, 600, " TOTAL 1 0 0 1 0" },
		{ 5, false, 1200, " TOTAL 1 0 0 0 1" },
		{ 5, false, 1000000000, " TOTAL 1 0 0 0 1" },
		{ 5, true, 599, " TOTAL 1 0 1 0 0" },
		{ 5, true, 899, " TOTAL 1 0 0 1 0" },
		{ 5, true, 900, " TOTAL 1 0 0 0 1" },
		{ 0.5, false, 30, " TOTAL 1 0 1 0 0" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct shape_options o = { .buckets = 4,
			.tick = rows[i].tick,
			.linear = rows[i].linear,
			.width = 33,
			.top = 1 };
		struct buf want CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		buf_printf(&want, "%s\n", rows[i].want);
		check_rows(
			&o, rows[i].age, STR("u@example-very-long.org"), buf_cstr(&want));
	}
}

TEST(domains)
{
	static const struct {
		struct str address;
		const char *domain;
	} rows[] = {
		{ STR_INIT("u@Example.ORG"), "example.org" },
		{ STR_INIT("\"a@b\"@c.example"), "c.example" },
		{ STR_INIT("u@a..b.example."), "a.b.example" },
		{ STR_INIT("u@.a.example"), "a.example" },
		{ STR_INIT("user"), "user" },
		{ STR_INIT("."), "." },
		{ STR_INIT("u@[192.0.2.1]"), "[192.0.2.1]" },
		{ STR_NONE, "MAILER-DAEMON" },
	};
	struct shape_options o = { .buckets = 1, .tick = 5, .width = 24 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf want CLEANUP(buf_free) = BUF_INIT;
		bool before_total = strlen(rows[i].domain) < 5;

		test_row(i);
		if (before_total)
			buf_printf(&want, " %s 1 1\n", rows[i].domain);
		buf_printf(&want, " %s 1 1\n", "TOTAL");
		if (!before_total)
			buf_printf(&want, " %s 1 1\n", rows[i].domain);
		check_rows(&o, 0, rows[i].address, buf_cstr(&want));
	}
}

TEST(domains_above)
{
	struct shape_options o = usual;

	o.buckets = 1;
	o.parents = true;
	o.min_children = 0;
	o.width = 24;
	check_rows(&o, 0, STR("u@a.b.c.example"),
		" TOTAL 1 1\n"
		" .c.example 1 1\n"
		" .b.c.example 1 1\n"
		" a.b.c.example 1 1\n");
	o.min_children = 1;
	check_rows(&o, 0, STR("u@a.b.c.example"),
		" TOTAL 1 1\n"
		" .c.example 1 1\n"
		" .b.c.example 1 1\n"
		" a.b.c.example 1 1\n");
	o.min_children = 2;
	check_rows(&o, 0, STR("u@a.b.c.example"),
		" TOTAL 1 1\n"
		" a.b.c.example 1 1\n");
}

TEST_MAIN()
