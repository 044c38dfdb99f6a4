/* downgrade_test.c -- 8-bit parts become quoted-printable, in every split of their bytes.
 */
#include "downgrade.h"
#include "test.h"

#define CTE "Content-Transfer-Encoding: "
#define QP  CTE "quoted-printable\n"

static const struct {
	const char *content, *want;
} cases[] = {
	/* what says nothing stays */
	{ "Subject: x\n\nbody\n", "Subject: x\n\nbody\n" },
	{ "A: 1\n\n\xe9t\xe9\n", "A: 1\n\n\xe9t\xe9\n" },
	{ CTE "7bit\nA: 1\n\nx\n", CTE "7bit\nA: 1\n\nx\n" },
	{ CTE "base64\n\n/w==\n", CTE "base64\n\n/w==\n" },
	/* one part */
	{ CTE "8bit\nA: 1\n\n\xc3\xa9=1\n", "A: 1\n" QP "\n=C3=A9=3D1\n" },
	{ "content-transfer-encoding : (why) BINARY\n\na\rb", QP "\na=0Db" },
	{ CTE "8bit\n\na \nb\t\n \nc d\n ", QP "\na=20\nb=09\n=20\nc d\n=20" },
	{ CTE "8bit\n\n--x\n--x--\n", QP "\n--x\n--x--\n" },
	{ CTE "8bit\n\n", QP "\n" },
	{ CTE "8bit\nA: 1", "A: 1\n" QP },
	{ CTE "8bit\nno field\n", QP "\nno field\n" },
	/* several */
	{ "Content-Type: multipart/mixed; boundary=x\n" CTE "8bit\n\npre\xe9\n--x\n" CTE
	  "8bit\n\n\xe9\n--x\n\n\xe9\n--x--\n\xe9\n",
		"Content-Type: multipart/mixed; boundary=x\n" CTE
		"7bit\n\npre\xe9\n--x\n" QP "\n=E9\n--x\n\n\xe9\n--x--\n\xe9\n" },
	{ "Content-Type: multipart/mixed; (a;b) boundary = \"x y\\z\"\n\n--x yz \n" CTE
	  "8bit\n\n\xe9\n--x\n--x yz--",
		"Content-Type: multipart/mixed; (a;b) boundary = \"x y\\z\"\n\n--x yz "
		"\n" QP "\n=E9\n--x\n--x yz--" },
	/* a part without an empty line, and one without a header */
	{ "Content-Type: multipart/a;\n boundary=x\n\n--x\n" CTE "8bit\n--x\n\n--x--\n",
		"Content-Type: multipart/a;\n boundary=x\n\n--x\n" QP "--x\n\n--x--\n" },
	/* one in the other; the outer one's boundary ends the inner one */
	{ "Content-Type: multipart/a; boundary=o\n\n--o\nContent-Type: multipart/b; "
	  "boundary=oi\n\n--oi\n" CTE "8bit\n\n\xe9\n--o\n" CTE
	  "8bit\n\n\xe8\n--oi\n--o--\n",
		"Content-Type: multipart/a; boundary=o\n\n--o\nContent-Type: "
		"multipart/b; boundary=oi\n\n--oi\n" QP "\n=E9\n--o\n" QP
		"\n=E8\n--oi\n--o--\n" },
	/* a message in a message, and in a digest */
	{ "Content-Type: message/rfc822\n" CTE "8bit\n\n" CTE "8bit\n\n\xe9\n",
		"Content-Type: message/rfc822\n" CTE "7bit\n\n" QP "\n=E9\n" },
	{ "Content-Type: multipart/digest; boundary=x\n\n--x\n\n" CTE
	  "8bit\n\n\xe9\n--x\n" CTE "8bit\nContent-Type: text/plain\n\n\xe9\n",
		"Content-Type: multipart/digest; boundary=x\n\n--x\n\n" QP
		"\n=E9\n--x\nContent-Type: text/plain\n" QP "\n=E9\n" },
	{ "Content-Type: message/rfc822\n\n\n\xe9\n",
		"Content-Type: message/rfc822\n\n\n\xe9\n" },
	{ "Content-Type: message/rfc822\nno field\n",
		"Content-Type: message/rfc822\n\nno field\n" },
	/* a multipart that names no boundary cannot be taken apart */
	{ "Content-Type: multipart/mixed\n" CTE "8bit\n\n\xe9\n",
		"Content-Type: multipart/mixed\n" QP "\n=E9\n" },
};

static const char *
run(const char *content, size_t step, size_t nesting, size_t boundary, struct buf *out)
{
	struct downgrade d;
	struct str all = str_c(content);
	const char *problem;

	downgrade_begin(&d, nesting, boundary);
	while (all.len > 0) {
		downgrade_add(&d, str_sub(all, 0, step), out);
		all = str_from(all, step);
	}
	downgrade_end(&d, out);
	problem = d.problem;
	downgrade_free(&d);
	return problem;
}

TEST(parts_are_encoded_in_every_split)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t step = 1; step < 30; step++) {
			struct buf out CLEANUP(buf_free) = BUF_INIT;

			test_row(i);
			CHECK(!run(cases[i].content, step, 100, 2048, &out));
			CHECK_STR(buf_str(&out), cases[i].want);
		}
}

TEST(long_lines_are_broken_softly)
{
	struct buf in CLEANUP(buf_free) = BUF_INIT;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str rest, line;

	buf_addz(&in, CTE "8bit\n\n");
	for (int i = 0; i < 500; i++)
		buf_addz(&in, i % 3 ? "\xc3\xa9" : "e ");
	buf_addc(&in, '\n');
	CHECK(!run(buf_cstr(&in), 1000, 100, 2048, &out));
	rest = buf_str(&out);
	while (str_split(&rest, '\n', &line))
		CHECK(line.len <= 76);
}

TEST(nesting_has_a_limit)
{
	struct buf in CLEANUP(buf_free) = BUF_INIT;
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < 10; i++)
		buf_printf(&in, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
			i, i);
	CHECK(!run(buf_cstr(&in), 1000, 8, 2048, &out));
	CHECK_STR(str_c(run(buf_cstr(&in), 1000, 7, 2048, &out)),
		"MIME nesting exceeds safety limit");
}

/* Only the first bytes of a boundary count, as mime_boundary_length_limit says. */
TEST(long_boundaries_are_cut)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	CHECK(!run(
		"Content-Type: multipart/a; boundary=abcdefgh\n\n--abcdxxxxxxxxxx\n" CTE
		"8bit\n\n\xe9\n",
		3, 100, 4, &out));
	CHECK_STR(buf_str(&out), "Content-Type: multipart/a; boundary=abcdefgh\n\n"
				 "--abcdxxxxxxxxxx\n" QP "\n=E9\n");
}

static const struct {
	const char *body, *type, *boundary;
} types[] = {
	{ " text/plain\n", "text/plain", "" },
	{ " (x) multipart / mixed (y(z)) ;\n\tBoundary=\"a;b\"; boundary=c\n",
		"multipart/mixed", "a;b" },
	{ " multipart/x; charset; boundary=q\n", "multipart/x", "q" },
	{ " multipart/x; boundary=\"open", "multipart/x", "open" },
	{ " multipart/x; boundary=", "multipart/x", "" },
	{ " text\n", "text", "" },
	{ "\n", "", "" },
};

TEST(content_types)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		struct buf type CLEANUP(buf_free) = BUF_INIT;
		struct buf boundary CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		content_type_parse(str_c(types[i].body), &type, &boundary);
		CHECK_STR(buf_str(&type), types[i].type);
		CHECK_STR(buf_str(&boundary), types[i].boundary);
	}
}

TEST_MAIN()
