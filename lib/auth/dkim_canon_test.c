/* dkim_canon_test.c -- canonical forms, the examples of RFC 6376 section 3.4.5 first. */
#include "dkim_canon.h"
#include "test.h"

TEST(fields_are_canonical)
{
	static const struct {
		struct str field;
		const char *simple, *relaxed;
	} cases[] = {
		{ STR_INIT("A: X\r\n"), "A: X\r\n", "a:X\r\n" },
		{ STR_INIT("B : Y\t\r\n\tZ  \r\n"), "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
		{ STR_INIT("B : Y\t\n\tZ  \n"), "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
		{ STR_INIT("Subject:"), "Subject:\r\n", "subject:\r\n" },
		{ STR_INIT("S:\n \n x\n"), "S:\r\n \r\n x\r\n", "s:x\r\n" },
		{ STR_INIT("S: a:b\rc"), "S: a:b\rc\r\n", "s:a:b\rc\r\n" },
		{ STR_INIT("no field"), "no field\r\n", "no field\r\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		dkim_canon_field(DKIM_SIMPLE, cases[i].field, &out);
		CHECK_STR(buf_str(&out), cases[i].simple);
		buf_clear(&out);
		dkim_canon_field(DKIM_RELAXED, cases[i].field, &out);
		CHECK_STR(buf_str(&out), cases[i].relaxed);
	}
}

static void
take(void *arg, struct str bytes)
{
	buf_add(arg, bytes);
}

static void
check_body(enum dkim_canon how, struct str in, const char *want)
{
	for (size_t step = 1; step <= in.len + 1; step++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct dkim_body b;

		dkim_body_begin(&b, how, take, &out);
		for (size_t at = 0; at < in.len; at += step)
			dkim_body_add(&b, str_sub(in, at, step));
		dkim_body_end(&b);
		CHECK_STR(buf_str(&out), want);
	}
}

TEST(bodies_are_canonical)
{
	static const struct {
		struct str body;
		const char *simple, *relaxed;
	} cases[] = {
		{ STR_INIT(" C \r\nD \t E\r\n\r\n\r\n"), " C \r\nD \t E\r\n",
			" C\r\nD E\r\n" },
		{ STR_INIT(""), "\r\n", "" },
		{ STR_INIT("\n\n\n"), "\r\n", "" },
		{ STR_INIT(" \n"), " \r\n", "" },
		{ STR_INIT("a"), "a\r\n", "a\r\n" },
		{ STR_INIT("a\n\n\nb"), "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
		{ STR_INIT("a\n \t\n\n"), "a\r\n \t\r\n", "a\r\n" },
		{ STR_INIT("a\n \t\nb\n"), "a\r\n \t\r\nb\r\n", "a\r\n\r\nb\r\n" },
		{ STR_INIT("a\rb\r\r\n\r"), "a\rb\r\r\n\r\r\n", "a\rb\r\r\n\r\r\n" },
		{ STR_INIT("a \r\nb"), "a \r\nb\r\n", "a\r\nb\r\n" },
		{ STR_INIT("\t a\n..\n"), "\t a\r\n..\r\n", " a\r\n..\r\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		test_row(i);
		check_body(DKIM_SIMPLE, cases[i].body, cases[i].simple);
		check_body(DKIM_RELAXED, cases[i].body, cases[i].relaxed);
	}
}

/* What is held back and what is longer than the stage. */
TEST(large_bodies_are_whole)
{
	struct buf in CLEANUP(buf_free) = BUF_INIT, out CLEANUP(buf_free) = BUF_INIT;
	struct dkim_body b;

	for (size_t i = 0; i < 5000; i++)
		buf_addz(&in, "\r\n");
	for (size_t i = 0; i < 5000; i++)
		buf_addc(&in, 'x');
	buf_addz(&in, "\r\n");
	dkim_body_begin(&b, DKIM_RELAXED, take, &out);
	dkim_body_add(&b, buf_str(&in));
	dkim_body_end(&b);
	CHECK(str_eq(buf_str(&out), buf_str(&in)));
}

TEST(names_of_forms_are_read)
{
	static const struct {
		struct str text;
		int want;
		enum dkim_canon header, body;
	} cases[] = {
		{ STR_INIT("simple"), 0, DKIM_SIMPLE, DKIM_SIMPLE },
		{ STR_INIT("Relaxed"), 0, DKIM_RELAXED, DKIM_SIMPLE },
		{ STR_INIT("relaxed/relaxed"), 0, DKIM_RELAXED, DKIM_RELAXED },
		{ STR_INIT("simple/relaxed"), 0, DKIM_SIMPLE, DKIM_RELAXED },
		{ STR_INIT("relaxed/"), -1, 0, 0 },
		{ STR_INIT("nowsp"), -1, 0, 0 },
		{ STR_INIT(""), -1, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum dkim_canon header, body;
		int got = dkim_canon_read(cases[i].text, &header, &body);

		test_row(i);
		CHECK_INT(got, cases[i].want);
		if (got == 0) {
			CHECK_INT(header, cases[i].header);
			CHECK_INT(body, cases[i].body);
		}
	}
}
