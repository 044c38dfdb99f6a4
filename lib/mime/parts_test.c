/* A message taken apart: whose header each field is in, how each text is encoded, and
 * that no byte is lost, however the message is cut into pieces. */
#include "parts.h"
#include "test.h"

struct seen {
	struct parts parts;
	struct buf told; /* "P:Subject" a field, "|" a header's end, "t7" a text, "b" a
			    boundary */
	struct buf bytes;
	char last;
	size_t ignore_after; /* texts */
};

static void
tell(struct seen *s, char what, const char *more)
{
	if (what == s->last && (what == 't' || what == 'b'))
		return; /* another piece of the same */
	buf_printf(&s->told, "%s%c%s", s->told.len ? " " : "", what, more);
	s->last = what;
}

static void
on_field(void *arg, struct field *f)
{
	struct seen *s = arg;

	buf_add(&s->bytes, f->text);
	tell(s, "PMN"[s->parts.header], "");
	buf_printf(&s->told, ":" STR_FMT, STR_ARG(f->name));
}

static void
on_header_end(void *arg, bool cut_short)
{
	struct seen *s = arg;

	tell(s, '|', s->parts.unterminated ? "!" : "");
	if (!cut_short)
		buf_addc(&s->bytes, '\n');
}

static void
on_text(void *arg, struct str bytes)
{
	static const char *const names[] = { "7", "8", "B", "Q", "6" };
	struct seen *s = arg;

	buf_add(&s->bytes, bytes);
	tell(s, 't', names[s->parts.encoding]);
	if (s->ignore_after && --s->ignore_after == 0)
		parts_ignore(&s->parts);
}

static void
on_boundary(void *arg, struct str bytes)
{
	struct seen *s = arg;

	buf_add(&s->bytes, bytes);
	tell(s, 'b', "");
}

static const struct parts_calls calls = { on_field, on_header_end, on_text, on_boundary };

static void
see(struct seen *s, const char *text, size_t piece)
{
	s->parts = (struct parts){ .calls = &calls,
		.arg = s,
		.field_limit = 2000,
		.nesting_limit = 3,
		.boundary_limit = 70 };
	for (struct str in = str_c(text); in.len > 0;
		in = str_from(in, MIN(piece, in.len)))
		parts_add(&s->parts, str_sub(in, 0, piece));
	parts_end(&s->parts);
}

static void
forget(struct seen *s)
{
	parts_free(&s->parts);
	buf_free(&s->told);
	buf_free(&s->bytes);
}

static const struct {
	const char *text, *told;
} rows[] = {
	{ "A: b\n\ntext\n-- \n--x\n", "P:A | t7" },
	{ "A: b\nno field\nB: c\n", "P:A |! t7" },
	{ "A: b\n", "P:A |" },
	{ "text\n", "|! t7" },
	{ "Content-Transfer-Encoding: 8bit\n\nx\n", "P:Content-Transfer-Encoding | t8" },
	{ "Content-Transfer-Encoding: (c) BINARY\n\nx\n",
		"P:Content-Transfer-Encoding | tB" },
	{ "Content-Transfer-Encoding: x-uue\n\nx\n", "P:Content-Transfer-Encoding | t7" },
	{ "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: "
	  "8bit\n\npre\n"
	  "--b\nContent-Transfer-Encoding: "
	  "base64\n\none\n-x\n--b\n\ntwo\n--b--\nepilogue\n",
		"P:Content-Type P:Content-Transfer-Encoding | t7 b "
		"M:Content-Transfer-Encoding | t6 b | t7 b t7" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
	  "message/rfc822\n\n"
	  "S: x\n\ninner\n--b--\n",
		"P:Content-Type | b M:Content-Type | N:S | t7 b" },
	{ "Content-Type: message/delivery-status\n\nS: x\n", "P:Content-Type | t7" },
	{ "Content-Type: multipart/digest; boundary=b\n\n--b\n\nS: x\n\nd\n--b--\n",
		"P:Content-Type | b | N:S | t7 b" },
	/* RFC 2046 section 5.1.1: only how the line begins counts. */
	{ "Content-Type: multipart/mixed; boundary=b\n\n--bx\nS: x\n\none\n--b--x\n",
		"P:Content-Type | b M:S | t7 b" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nS: x\n--b\ntext\n--b--\n",
		"P:Content-Type | b M:S |! b |! t7 b" },
};

TEST(parts_in_pieces)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t piece = 1; piece < 60; piece++) {
			struct seen s = { .last = 0 };

			test_row(i);
			see(&s, rows[i].text, piece);
			CHECK_STR(buf_str(&s.told), rows[i].told);
			forget(&s);
		}
}

/* Only the empty line that was missing behind the message's own header is added. */
TEST(parts_lose_nothing)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seen s = { .last = 0 };

		test_row(i);
		if (strchr(rows[i].told, '|')[1] == '!')
			continue;
		see(&s, rows[i].text, 7);
		CHECK_STR(buf_str(&s.bytes), rows[i].text);
		forget(&s);
	}
}

TEST(parts_may_be_ignored_from_here_on)
{
	struct seen s = { .ignore_after = 1 };

	see(&s, rows[7].text, 1000);
	CHECK_STR(buf_str(&s.told), "P:Content-Type P:Content-Transfer-Encoding | t7");
	CHECK_STR(buf_str(&s.bytes), rows[7].text);
	forget(&s);
}

TEST_MAIN()
