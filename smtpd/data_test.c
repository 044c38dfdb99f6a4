/* Rows for data.c; each is fed in every split into two and byte by byte. */
#include "data.h"
#include "test.h"

static const struct {
	struct str in;
	const char *want; /* content handed on */
	bool ended, bare_lf;
	const char *rest; /* not used up */
} rows[] = {
	{ STR_INIT(".\r\n"), "", true, false, "" },
	{ STR_INIT("a\r\n.\r\n"), "a\n", true, false, "" },
	{ STR_INIT("a\r\n.\r\nQUIT\r\n"), "a\n", true, false, "QUIT\r\n" },
	{ STR_INIT("a\r\n..\r\n.\r\n"), "a\n.\n", true, false, "" }, /* section 4.5.2 */
	{ STR_INIT("..a\r\n.b\r\n.\r\n"), ".a\nb\n", true, false, "" },
	{ STR_INIT("\r\n\r\n.\r\n"), "\n\n", true, false, "" },
	{ STR_INIT("a\rb\r\n.\r\n"), "a\rb\n", true, false, "" },
	{ STR_INIT("a\r\r\n.\r\n"), "a\r\n", true, false, "" },
	{ STR_INIT("a\nb\r\n.\r\n"), "a\nb\n", true, true, "" },
	{ STR_INIT("a\n.\n.\r\nb\r\n.\r\n"), "a\n.\n.\nb\n", true, true, "" },
	{ STR_INIT("a\r\n.\nb\r\n.\r\n"), "a\n.\nb\n", true, true, "" },
	{ STR_INIT("a\n.\r\nb\r\n.\r\n"), "a\n.\nb\n", true, true, "" },
	{ STR_INIT("a\r.\r\nb\r\n.\r\n"), "a\r.\nb\n", true, false, "" },
	{ STR_INIT("a\r\n.\rb\r\n.\r\n"), "a\n\rb\n", true, false, "" },
	{ STR_INIT("a\r\n.\r\r\nb\r\n.\r\n"), "a\n\r\nb\n", true, false, "" },
	{ STR_INIT("a\r\n.\r"), "a\n", false, false, "" },
	{ STR_INIT("a\r\n. \r\n.\r\n"), "a\n \n", true, false, "" },
};

/* The variants of ../shared/vectors/smuggling between text and a command. */
static const struct str smuggled[] = {
	STR_INIT("\x0a\x2e\x0a"),
	STR_INIT("\x0d\x0a\x2e\x0a"),
	STR_INIT("\x0d\x2e\x0d\x0a"),
	STR_INIT("\x0d\x0a\x00\x2e\x0d\x0a"),
	STR_INIT("\x0a\x0d\x2e\x0a\x0d"),
	STR_INIT("\x0d\x0a\x2e\x20\x0d\x0a"),
	STR_INIT("\x0c\x2e\x0c"),
	STR_INIT("\xc2\x85\x2e\xc2\x85"),
	STR_INIT("\x0d\x0d\x0a\x2e\x0d"),
	STR_INIT("\x85\x2e\x85"),
	/* those that the list leaves out */
	STR_INIT("\x0a\x2e\x0d\x0a"),
	STR_INIT("\x0d\x0a\x2e\x0d"),
	STR_INIT("\x0d\x0a\x2e\x0d\x0d\x0a"),
	STR_INIT("\x0d\x2e\x0d"),
	STR_INIT("\x0d\x0d\x2e\x0d\x0d"),
	STR_INIT("\x0a\x0a\x2e\x0a\x0a"),
	STR_INIT("\x0d\x0a\x2e\x00\x0d\x0a"),
};

/* Feeds in two parts, cut at `cut`. */
static size_t
feed(struct data_scan *d, struct str in, size_t cut, struct buf *out)
{
	size_t used = data_scan(d, str_sub(in, 0, cut), out);

	if (used == cut && !d->ended)
		used += data_scan(d, str_from(in, cut), out);
	return used;
}

TEST(rows_in_every_split)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t cut = 0; cut <= rows[i].in.len; cut++) {
			struct buf out CLEANUP(buf_free) = BUF_INIT;
			struct data_scan d;
			size_t used;

			test_row(i);
			data_scan_init(&d, false, DATA_END_STRICT, true);
			used = feed(&d, rows[i].in, cut, &out);
			CHECK_STR(buf_str(&out), rows[i].want);
			CHECK(d.ended == rows[i].ended);
			CHECK(d.bare_lf == rows[i].bare_lf);
			if (d.ended) /* nothing is left over */
				data_scan_finish(&d, &out);
			CHECK(!d.ended || str_is(buf_str(&out), rows[i].want));
			CHECK_STR(str_from(rows[i].in, used), rows[i].rest);
		}
}

TEST(rows_byte_by_byte)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct data_scan d;

		test_row(i);
		data_scan_init(&d, false, DATA_END_STRICT, true);
		for (size_t at = 0; at < rows[i].in.len && !d.ended; at++)
			CHECK_INT(data_scan(&d, str_sub(rows[i].in, at, 1), &out), 1);
		CHECK_STR(buf_str(&out), rows[i].want);
		CHECK(d.ended == rows[i].ended);
	}
}

/* "no 2xx may come before the true end": the scan ends at the true end, and what it hands
 * on holds no line of a lone dot that came out of the attack as an end. */
TEST(nothing_is_smuggled)
{
	for (size_t i = 0; i < COUNT(smuggled); i++) {
		struct buf in CLEANUP(buf_free) = BUF_INIT;

		buf_addz(&in, "Subject: x\r\n\r\ntext");
		buf_add(&in, smuggled[i]);
		buf_addz(&in, "NOOP\r\nend\r\n");
		for (size_t cut = 0; cut <= in.len; cut++) {
			struct buf out CLEANUP(buf_free) = BUF_INIT;
			struct data_scan d;

			test_row(i);
			data_scan_init(&d, false, DATA_END_STRICT, true);
			CHECK_INT(feed(&d, buf_str(&in), cut, &out), (long long)in.len);
			CHECK(!d.ended);
			CHECK_INT(data_scan(&d, STR(".\r\n"), &out), 3);
			CHECK(d.ended);
			CHECK(str_ends(buf_str(&out), STR("NOOP\nend\n")));
		}
	}
}

TEST(bare_newline_no_takes_lf_for_a_line_end)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct data_scan d;

	data_scan_init(&d, false, DATA_END_ANY, true);
	CHECK_INT(data_scan(&d, STR("a\n.\nQUIT\n"), &out), 4);
	CHECK(d.ended);
	CHECK_STR(buf_str(&out), "a\n");
}

static const struct {
	bool after_crlf;
	const char *in;
	bool ended;
} lf_only[] = {
	{ false, "a\n.\n", true }, /* a script: never a CRLF */
	{ false, ".\n", true },
	{ true, "a\n.\n", false },      /* DATA itself ended in CRLF */
	{ false, "a\r\n\n.\n", false }, /* so did one line */
	{ false, "a\n.\r\n", false },
	{ false, "a\r\n.\r\n", true },
};

TEST(a_client_that_only_knows_lf)
{
	for (size_t i = 0; i < COUNT(lf_only); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct data_scan d;

		test_row(i);
		data_scan_init(&d, false, DATA_END_LF_ONLY, lf_only[i].after_crlf);
		data_scan(&d, str_c(lf_only[i].in), &out);
		CHECK(d.ended == lf_only[i].ended);
	}
}

TEST(chunks_have_no_dots_and_count_their_end)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct data_scan d;

	data_scan_init(&d, true, DATA_END_STRICT, true);
	CHECK_INT(data_scan(&d, STR("a\r\n.\r\n..b\r"), &out), 10);
	CHECK_INT(data_scan(&d, STR("\nc"), &out), 2);
	CHECK(!d.ended);
	data_scan_finish(&d, &out);
	CHECK_STR(buf_str(&out), "a\n.\n..b\nc\n");
	CHECK_INT((long long)d.size, 3 + 3 + 5 + 3);
	data_scan_finish(&d, &out);
	CHECK_INT((long long)d.size, 14);
}

TEST(size_counts_line_ends_as_crlf)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct data_scan d;

	data_scan_init(&d, false, DATA_END_STRICT, true);
	CHECK_INT(data_scan(&d, STR("ab\r\n..c\r\nd\n.\r\n"), &out), 14);
	CHECK_INT((long long)d.size, 4 + 4 + 3 + 3);
}
