/* lmtp_test.c -- what is different when smtp is called lmtp (RFC 2033). */
#include "play.h"

#define LHLO \
	{ CONNECT, "220 hi" }, \
	{ \
		"LHLO client.test", "250-mx.test\r\n250 PIPELINING" \
	}

static void
play_lmtp(size_t rcpts)
{
	play_conf("");
	smtp_lmtp = true;
	play_rcpts(rcpts);
}

/* Each recipient has its own reply, and its own fate. */
TEST(each_recipient_is_answered)
{
	static const struct line lines[] = {
		LHLO,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "RCPT TO:<b1@test>", "550 5.1.1 who?" },
		{ "RCPT TO:<b2@test>", "250 ok" },
		{ "RCPT TO:<b3@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 2.1.5 <b0> saved" },
		{ NULL, "552 5.2.2 <b2> full" },
		{ NULL, "452 4.2.2 <b3> busy" },
	};

	play_lmtp(4);
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.1.5", "250 2.1.5 <b0> saved");
	CHECK_OUTCOME(1, PERMFAIL, "5.1.1",
		"host @ said: 550 5.1.1 who? (in reply to RCPT TO command)");
	CHECK_OUTCOME(2, PERMFAIL, "5.2.2",
		"host @ said: 552 5.2.2 <b2> full (in reply to end of DATA command)");
	CHECK_OUTCOME(3, TEMPFAIL, "4.2.2",
		"host @ said: 452 4.2.2 <b3> busy (in reply to end of DATA command)");
}

/* The server is gone between two replies: the second is in doubt, the first is not. */
TEST(a_connection_lost_between_replies)
{
	static const struct line lines[] = {
		LHLO,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "RCPT TO:<b1@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 2.1.5 <b0> saved" },
		{ NULL, HANG_UP },
	};

	play_lmtp(2);
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.1.5", "250 2.1.5 <b0> saved");
	CHECK_OUTCOME(1, TEMPFAIL, "4.4.2",
		"lost connection with @ while sending end of data -- message may be sent "
		"more than once");
}

/* There is no HELO to fall back on, and our own name in the greeting is no loop. */
TEST(greetings)
{
	static const struct line no_lhlo[] = {
		{ CONNECT, "220 client.test" },
		{ "LHLO", "500 what?" },
		{ "QUIT", "221 bye" },
	};
	static const struct line own_name[] = {
		{ CONNECT, "220 client.test" },
		{ "LHLO", "250 client.test" },
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};

	play_lmtp(1);
	PLAY(no_lhlo);
	CHECK_OUTCOME(0, PERMFAIL, "5.0.0", "host @ refused to talk to me: 500 what?");
	play_lmtp(1);
	play_on_default_port = true;
	PLAY(own_name);
	CHECK_INT(play_end.outcomes[0].verdict, ACCEPT);
}

/* 354 to nobody: nothing is replied to the dot (RFC 2033 section 4.2). */
TEST(nobody_was_accepted)
{
	static const struct line lines[] = {
		LHLO,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "550 5.1.1 who?" },
		{ "DATA", "354 go" },
		{ DATA_END, SILENCE },
		{ "QUIT", "221 bye" },
	};

	play_lmtp(1);
	PLAY(lines);
	CHECK_INT(play_end.outcomes[0].verdict, PERMFAIL);
}

TEST(a_socket_that_is_not_there)
{
	play_lmtp(1);
	play_mail.request.nexthop = STR("unix:private/none");
	play_alone();
	CHECK_OUTCOME(0, TEMPFAIL, "4.4.1",
		"connect to client.test[private/none]: No such file or directory");
	CHECK(play_end.site_down);
	CHECK(play_logged(
		"connect to client.test[private/none]: No such file or directory"));
}
