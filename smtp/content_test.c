/* content_test.c -- lines, dots and folds, wherever chunks end. */
#include "play.h"
#include <unistd.h>

static const struct {
	size_t limit;
	const char *in, *want;
} cases[] = {
	{ 998, "a\nb\n", "a\r\nb\r\n" }, { 998, ".\n..\n.a\n", "..\r\n...\r\n..a\r\n" },
	{ 998, "a.\n\n.\n", "a.\r\n\r\n..\r\n" }, { 998, "no end", "no end" },
	{ 12, "0123456789ab\n", "0123456789ab\r\n" },
	{ 12, "0123456789abc\n", "0123456789ab\r\n c\r\n" },
	{ 12, ".123456789abcdefghijklmn\n", "..123456789ab\r\n cdefghijklm\r\n n\r\n" },
	{ 12, "0123456789ab.\n", "0123456789ab\r\n .\r\n" },
	{ 0, "0123456789abcdefghijklmnopqrstuvwxyz\n",
		"0123456789abcdefghijklmnopqrstuvwxyz\r\n" },
	{ 1, "0123456789abc\n", "0123456789ab\r\n c\r\n" }, /* the least we do */
};

/* Each case in one piece and cut at every place. */
TEST(lines_as_they_go_over_the_wire)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 0; cut <= strlen(cases[i].in); cut++) {
			struct conn c = { 0 };
			struct str in = str_c(cases[i].in);
			size_t column = 0;

			test_row(i);
			content_write(&c, str_sub(in, 0, cut), cases[i].limit, &column);
			content_write(&c, str_from(in, cut), cases[i].limit, &column);
			CHECK_STR(buf_str(&c.out), cases[i].want);
			buf_free(&c.out);
		}
}

/* Content in the request and in a descriptor, the border in the middle of a line. */
TEST(content_with_a_rest_in_a_file)
{
	static const struct line lines[] = {
		{ CONNECT, "220 hi" },
		{ "EHLO", "250 mx.test" },
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};

	play_conf("");
	play_mail.request.content = STR("Subject: x\n\nline without end");
	PLAY(lines);
	CHECK_STR(buf_str(&play_end.content), "Subject: x\n\nline without end\n");
	play_conf("");
	play_mail.request.content = STR("");
	PLAY(lines);
	CHECK_INT(play_end.outcomes[0].verdict, ACCEPT);
}

/* A file that is shorter than announced: half a message gets no full stop. */
TEST(content_that_cannot_be_read)
{
	static const struct line lines[] = {
		{ CONNECT, "220 hi" },
		{ "EHLO", "250 mx.test" },
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "354 go" },
	};

	play_conf("");
	play_mail.request.rest = 1000;
	PLAY(lines);
	CHECK_OUTCOME(0, TEMPFAIL, "4.3.0", "cannot read the content of the message");
	CHECK(str_find(buf_str(&play_end.heard), STR("\n.\n")) < 0);
}
