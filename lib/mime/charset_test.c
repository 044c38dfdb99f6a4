/* Sets of characters: how they are written, and what they take out of a text. */
#include "charset.h"
#include "test.h"

TEST(charset_rows)
{
	static const struct {
		const char *set, *text, *stripped;
		ssize_t at;
	} rows[] = {
		{ "", "a\tb", "a\tb", -1 },
		{ "xyz", "a x b z", "a  b ", 2 },
		{ "\\t", "a\tb", "ab", 1 },
		{ "\\0", "ab", "ab", -1 },
		{ "\\a\\b\\f\\n\\r\\t\\v", "\a\b\f\n\r\t\v1", "1", 0 },
		{ "\\101", "xAy", "xy", 1 },
		{ "\\1011", "x1A", "x", 1 }, /* three digits at most */
		{ "\\7", "a\ab", "ab", 1 },
		{ "\\78", "8a", "a", 0 },
		{ "\\\\", "a\\b", "ab", 1 },
		{ "\\x", "axb", "ab", 1 }, /* no hexadecimal ones */
		{ "a\\", "a\\b", "b", 0 },
		{ "\\377", "a\xff", "a", 1 },
		{ "aaa", "baab", "bb", 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out CLEANUP(buf_free) = BUF_INIT;
		struct charset set;

		test_row(i);
		charset_parse(&set, str_c(rows[i].set));
		CHECK_INT(charset_find(&set, str_c(rows[i].text)), rows[i].at);
		charset_strip(&set, str_c(rows[i].text), &out);
		CHECK_STR(buf_str(&out), rows[i].stripped);
	}
}

TEST(charset_with_a_nul)
{
	struct charset set;

	charset_parse(&set, STR("\\0"));
	CHECK(!set.empty);
	CHECK_INT(charset_find(&set, STR("a\0b")), 1);
}

TEST_MAIN()
