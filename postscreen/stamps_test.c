/* stamps_test.c -- what the table says, and what is due. */
#include "stamps.h"
#include "test.h"

TEST(values_of_the_table)
{
	static const struct {
		const char *value;
		bool good;
		int64_t until[TESTS];
	} rows[] = {
		{ "1700000000;0;1;2;3", true, { 1700000000, 0, 1, 2, 3 } },
		{ "17;18", true, { 17, 18, 1, 1, 1 } }, /* of a version with two tests */
		{ "1;2;3;4;5;6", true, { 1, 2, 3, 4, 5 } },
		{ "", false, { 0 } },
		{ "x", false, { 0 } },
		{ "1;-2", false, { 0 } },
		{ "1;;3", false, { 0 } },
		{ "99999999999999999999;1", false, { 0 } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stamps got;

		test_row(i);
		CHECK_INT(stamps_read(str_c(rows[i].value), &got), rows[i].good);
		for (size_t j = 0; rows[i].good && j < TESTS; j++)
			CHECK_INT(got.until[j], rows[i].until[j]);
	}
}

TEST(they_go_there_and_back)
{
	struct stamps s = { { 1700000000, 0, 1, 5, 6 } }, back;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	stamps_write(&s, &text);
	CHECK_STR(buf_str(&text), "1700000000;0;1;5;6");
	CHECK(stamps_read(buf_str(&text), &back));
	CHECK(memcmp(&s, &back, sizeof(s)) == 0);
}

TEST(tests_fall_due_when_their_time_is_over)
{
	struct stamps s = { { 100, 99, STAMP_NEW, STAMP_DISABLED, 101 } };

	CHECK_INT(stamps_due(&s, TESTS_EARLY | TESTS_DEEP, 100),
		TEST_BIT(TEST_DNSBL) | TEST_BIT(TEST_PIPELINING) |
			TEST_BIT(TEST_NON_SMTP));
	CHECK_INT(stamps_due(&s, TEST_BIT(TEST_PREGREET), 100), 0);
	CHECK_INT(stamps_due(&s, TEST_BIT(TEST_PREGREET), 101), TEST_BIT(TEST_PREGREET));
}

TEST(what_was_switched_off_is_no_news)
{
	struct stamps s = { { 100, STAMP_NEW, STAMP_NEW, STAMP_NEW, STAMP_NEW } };

	CHECK(stamps_are_new(&s));
	stamps_disable(&s, TEST_BIT(TEST_PREGREET) | TEST_BIT(TEST_DNSBL));
	CHECK(stamps_are_new(&s)); /* of the lists */
	s.until[TEST_DNSBL] = 100;
	CHECK(!stamps_are_new(&s));
}
