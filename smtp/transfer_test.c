/* transfer_test.c -- plays: who is refused, and what the others get. */
#include "play.h"

#define GREETED \
	{ CONNECT, "220 mx.test ESMTP" }, \
	{ \
		"EHLO client.test", "250 mx.test" \
	}
#define PIPELINED \
	{ CONNECT, "220 mx.test ESMTP" }, \
	{ \
		"EHLO client.test", "250-mx.test\r\n250 PIPELINING" \
	}

/* MAIL is refused; RCPT and DATA were already on their way. */
TEST(mail_is_refused_under_pipelining)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "550 5.7.1 not you" },
		{ "RCPT TO:", "503 5.5.1 need MAIL" },
		{ "RCPT TO:", "503 5.5.1 need MAIL" },
		{ "DATA", "503 5.5.1 need RCPT" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	play_rcpts(2);
	PLAY(lines);
	CHECK_OUTCOME(0, PERMFAIL, "5.7.1",
		"host @ said: 550 5.7.1 not you (in reply to MAIL FROM command)");
	CHECK_OUTCOME(1, PERMFAIL, "5.7.1",
		"host @ said: 550 5.7.1 not you (in reply to MAIL FROM command)");
}

/* RFC 2920 section 3.1: the server takes DATA although it took nobody. */
TEST(everybody_is_refused_and_354)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "550 5.1.1 unknown" },
		{ "RCPT TO:<b1@test>", "450 4.2.1 later" },
		{ "DATA", "354 go" },
		{ DATA_END, "554 5.5.1 no valid recipients" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	play_rcpts(2);
	PLAY(lines);
	CHECK_OUTCOME(0, PERMFAIL, "5.1.1",
		"host @ said: 550 5.1.1 unknown (in reply to RCPT TO command)");
	CHECK_OUTCOME(1, TEMPFAIL, "4.2.1",
		"host @ said: 450 4.2.1 later (in reply to RCPT TO command)");
	CHECK_INT(play_end.content.len, 0);
	CHECK(play_logged("relay=#, "));
	CHECK(!play_end.site_down);
}

TEST(everybody_is_refused_step_by_step)
{
	static const struct line lines[] = {
		GREETED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "550 unknown" },
		{ "RSET", "250 ok" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines);
	CHECK_OUTCOME(0, PERMFAIL, "5.0.0",
		"host @ said: 550 unknown (in reply to RCPT TO command)");
}

TEST(some_are_refused)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "RCPT TO:<b1@test>", "550-5.1.1 no\r\n550 5.1.1 such user" },
		{ "RCPT TO:<b2@test>", "450 greylisted" },
		{ "RCPT TO:<b3@test>", "552 too many" },
		{ "RCPT TO:<b4@test>", "552 5.2.2 full" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 2.0.0 taken" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	play_rcpts(5);
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 2.0.0 taken");
	CHECK_OUTCOME(1, PERMFAIL, "5.1.1",
		"host @ said: 550-5.1.1 no 550 5.1.1 such user (in reply to RCPT TO "
		"command)");
	CHECK_OUTCOME(2, TEMPFAIL, "4.0.0",
		"host @ said: 450 greylisted (in reply to RCPT TO command)");
	CHECK_OUTCOME(3, TEMPFAIL, "4.0.0",
		"host @ said: 552 too many (in reply to RCPT TO command)");
	CHECK_OUTCOME(4, PERMFAIL, "5.2.2",
		"host @ said: 552 5.2.2 full (in reply to RCPT TO command)");
}

TEST(data_is_refused)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "451 4.3.0 not now" },
		{ "RSET", "250 ok" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines);
	CHECK_OUTCOME(0, TEMPFAIL, "4.3.0",
		"host @ said: 451 4.3.0 not now (in reply to DATA command)");
}

TEST(content_is_refused)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "554 5.7.1 spam" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines);
	CHECK_OUTCOME(0, PERMFAIL, "5.7.1",
		"host @ said: 554 5.7.1 spam (in reply to end of DATA command)");
}

/* An enhanced code of another class than the reply's is not believed (RFC 2034 section
 * 4), a success where none belongs is temporary. */
TEST(codes_that_contradict_themselves)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:", "550 2.1.5 ok" },
		{ "RCPT TO:", "354 2.0.0 go" },
		{ "RCPT TO:", "450 4.1..2 odd" },
		{ "DATA", "554 none" },
	};

	play_conf("");
	play_rcpts(3);
	PLAY(lines);
	CHECK_STR(play_end.outcomes[0].code, "5.0.0");
	CHECK_INT(play_end.outcomes[0].verdict, PERMFAIL);
	CHECK_STR(play_end.outcomes[1].code, "4.0.0");
	CHECK_STR(play_end.outcomes[2].code, "4.0.0");
}

TEST(replies_that_are_none)
{
	static const struct {
		const char *say, *logged;
	} rows[] = {
		{ "garbage", "non-SMTP response from #: garbage" },
		{ "25", "non-SMTP response" },
		{ "250x", "non-SMTP response" },
		{ "099 no", "non-SMTP response" },
		{ "600 no", "non-SMTP response" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct line lines[] = { PIPELINED, { "MAIL FROM:", rows[i].say } };

		play_conf("");
		PLAY(lines);
		test_row(i);
		CHECK_OUTCOME(0, TEMPFAIL, "4.4.2",
			"lost connection with @ while sending MAIL FROM");
		CHECK(play_logged(rows[i].logged));
	}
}

TEST(an_endless_reply_ends)
{
	static char endless[12 * REPLY_LINES_MOST], lengthy[3 * REPLY_TEXT_MOST];
	struct line lines[] = { PIPELINED, { "MAIL FROM:", endless } };

	for (size_t i = 0; i < REPLY_LINES_MOST; i++)
		strcat(endless, "250-more\r\n");
	play_conf("");
	PLAY(lines);
	CHECK_INT(play_end.outcomes[0].verdict, TEMPFAIL);
	CHECK(play_logged("endless response from #"));
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	memcpy(lengthy, "250 ", 4);
	lines[2].say = lengthy;
	play_conf("");
	PLAY(lines);
	CHECK_INT(play_end.outcomes[0].verdict, TEMPFAIL);
	CHECK(play_logged("(too long)"));
}

TEST(what_the_server_cannot_take_is_not_sent)
{
	static const struct line small[] = {
		{ CONNECT, "220 hi" },
		{ "EHLO", "250-mx.test\r\n250 SIZE 10" },
		{ "QUIT", "221 bye" },
	};
	static const struct line ascii[] = { GREETED, { "QUIT", "221 bye" } };

	play_conf("");
	PLAY(small);
	CHECK_OUTCOME(0, PERMFAIL, "5.3.4",
		"message size 20 exceeds size limit 10 of server @");
	play_conf("");
	play_mail.envelope.flags = ENVELOPE_SMTPUTF8;
	play_mail.rcpts[0].address = STR("b\xc3\xbc@test");
	PLAY(ascii);
	CHECK_OUTCOME(0, PERMFAIL, "5.6.7",
		"SMTPUTF8 is required, but was not offered by host @");
}

TEST(a_probe_delivers_nothing)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 2.1.5 fine" },
		{ "RCPT TO:<b1@test>", "550 5.1.1 unknown" },
		{ "RSET", "250 ok" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	play_rcpts(2);
	play_mail.request.probe = true;
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.1.5", "250 2.1.5 fine");
	CHECK_INT(play_end.outcomes[1].verdict, PERMFAIL);
	CHECK(play_logged("status=deliverable (250 2.1.5 fine)"));
}
