/* fields_test.c -- header sections in every split of their bytes. */
#include "fields.h"
#include "test.h"

static const struct {
	const char *content;
	const char *seen; /* names in <>, then what is left for the body */
} cases[] = {
	{ "Subject: x\n\nbody\n", "<Subject> |body\n" },
	{ "A: 1\n B\n\tc\nD : 2\n\n", "<A><D> |" },
	{ "A: 1\nno header\nB: 2\n", "<A> |no header\nB: 2\n" },
	{ "\nA: body\n", " |A: body\n" },
	{ " leading blank\nA: x\n", " | leading blank\nA: x\n" },
	{ "A: 1\nB: 2", "<A><B> |" },
	{ "A: 1", "<A> |" },
	{ "just text", " |just text" },
	{ "", " |" },
	{ "A:\n\n\nx", "<A> |\nx" },
	{ "X Y: 1\n", " |X Y: 1\n" },
};

/* Feeds content in pieces of `step` bytes and writes down what comes out. */
static void
run(const char *content, size_t step, struct buf *seen)
{
	struct fields f = { .limit = 2000 };
	struct str all = str_c(content);
	struct field field;
	enum fields_event event = FIELDS_MORE;
	struct str in = STR_NONE;

	while (event != FIELDS_END && all.len > 0) {
		in = str_sub(all, 0, step);
		all = str_from(all, step);
		while ((event = fields_next(&f, &in, &field)) == FIELDS_FIELD)
			buf_printf(seen, "<%.*s>", STR_ARG(field.name));
	}
	while (event != FIELDS_END)
		if ((event = fields_finish(&f, &field)) == FIELDS_FIELD)
			buf_printf(seen, "<%.*s>", STR_ARG(field.name));
	buf_printf(seen, " |");
	buf_add(seen, buf_str(&f.line));
	buf_add(seen, in);
	buf_add(seen, all);
	fields_free(&f);
}

TEST(fields_are_found_in_every_split)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t step = 1; step < 12; step++) {
			struct buf seen CLEANUP(buf_free) = BUF_INIT;

			test_row(i);
			run(cases[i].content, step, &seen);
			/* The LF that fields_finish supplies to a last line is not
			 * content. */
			if (seen.len > 0 && seen.data[seen.len - 1] == '\n' &&
				str_ends(str_c(cases[i].seen), STR("text")))
				seen.len--;
			CHECK_STR(buf_str(&seen), cases[i].seen);
		}
}

TEST(long_fields_are_cut_and_the_next_one_is_whole)
{
	for (size_t step = 1; step < 5000; step = step * 3 + 1) {
		struct buf content CLEANUP(buf_free) = BUF_INIT;
		struct fields f = { .limit = 1500 };
		struct field field;
		struct str in;
		size_t n = 0;

		buf_addz(&content, "Long: ");
		for (int i = 0; i < 4000; i++)
			buf_addc(&content, 'x');
		buf_addz(&content, "\nNext: y\n\nbody");
		in = STR_NONE;
		for (struct str all = buf_str(&content); all.len > 0 && !f.ended;) {
			in = str_sub(all, 0, step);
			all = str_from(all, step);
			while (fields_next(&f, &in, &field) == FIELDS_FIELD) {
				CHECK(field.text.len <= 1501);
				CHECK_STR(field.name, n++ ? "Next" : "Long");
			}
		}
		CHECK_INT((long long)n, 2);
		CHECK(f.cut && f.ended);
		fields_free(&f);
	}
}

static const struct {
	size_t limit;
	struct str content, want; /* the first field */
} cut[] = {
	{ 12, STR_INIT("Name : one\n\n"), STR_INIT("Name: one\n") },
	{ 9, STR_INIT("Name: one\n\n"), STR_INIT("Name: one\n") },
	{ 8, STR_INIT("Name: one\n\n"), STR_INIT("Name: on\n") },
	{ 3, STR_INIT("Name: one\n two\n\n"), STR_INIT("Name:\n") },
	{ 11, STR_INIT("Name: one\n two\n three\n\n"), STR_INIT("Name: one\n \n") },
	{ 10, STR_INIT("Name: one\n two\n\n"), STR_INIT("Name: one\n") },
	{ 15, STR_INIT("Name: one\n two\n three\n\n"), STR_INIT("Name: one\n two\n") },
};

TEST(a_field_is_cut_at_the_limit)
{
	for (size_t i = 0; i < COUNT(cut); i++) {
		struct fields f = { .limit = cut[i].limit };
		struct str in = cut[i].content;
		struct field field;

		test_row(i);
		CHECK(fields_next(&f, &in, &field) == FIELDS_FIELD);
		test_check_str(field.text, cut[i].want, "text", __FILE__, __LINE__);
		CHECK_STR(field.name, "Name");
		fields_free(&f);
	}
}

TEST(an_endless_first_line_is_body)
{
	struct fields f = { .limit = 1024 };
	struct buf piece CLEANUP(buf_free) = BUF_INIT;
	struct field field;
	struct str in;

	for (int i = 0; i < 3000; i++)
		buf_addc(&piece, 'x');
	in = buf_str(&piece);
	CHECK(fields_next(&f, &in, &field) == FIELDS_END);
	CHECK_INT((long long)(f.line.len + in.len), 3000);
	fields_free(&f);
}

TEST(a_field_is_unfolded)
{
	struct fields f = { .limit = 2000 };
	struct arena *a = arena_new();
	struct str in = STR("Message-Id:\n <a@b>\n\n");
	struct field field;

	CHECK(fields_next(&f, &in, &field) == FIELDS_FIELD);
	CHECK(field_is(&field, "message-id"));
	CHECK_STR(field_unfold(&field, a), "<a@b>");
	arena_free(a);
	fields_free(&f);
}

TEST_MAIN()
