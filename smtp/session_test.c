/* session_test.c -- plays: greeting, EHLO, and how conversations end. */
#include "play.h"
#include <stdio.h>

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

TEST(a_message_step_by_step)
{
	static const struct line lines[] = {
		GREETED,
		{ "MAIL FROM:<a@test>", "250 2.1.0 Ok" },
		{ "RCPT TO:<b0@test>", "250 2.1.5 Ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 2.0.0 Ok: queued as 1" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 2.0.0 Ok: queued as 1");
	CHECK_STR(buf_str(&play_end.content), "Subject: play\n\nbody\n");
	CHECK(play_logged("relay=#, delay="));
	CHECK(!play_end.site_down);
}

/* The server says nothing until it has seen DATA: only one write can get there. */
TEST(a_message_in_one_write)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:<a@test>", SILENCE },
		{ "RCPT TO:<b0@test>", SILENCE },
		{ "RCPT TO:<b1@test>", SILENCE },
		{ "DATA", "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 go" },
		{ DATA_END, "250 taken" },
		{ "QUIT", SILENCE },
	};

	play_conf("");
	play_rcpts(2);
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 taken");
	CHECK_OUTCOME(1, ACCEPT, "2.0.0", "250 taken");
}

/* More recipients than wait for a reply at a time. */
TEST(many_recipients_go_in_windows)
{
	static struct line lines[310] = { PIPELINED, { "MAIL FROM:", "250 ok" } };
	size_t n = 3;

	play_conf("");
	play_rcpts(250);
	for (size_t i = 0; i < 250; i++)
		lines[n++] = (struct line){ "RCPT TO:<b", "250 ok" };
	lines[n++] = (struct line){ "DATA", "354 go" };
	lines[n++] = (struct line){ DATA_END, "250 2.6.0 taken" };
	play(lines, n);
	CHECK_OUTCOME(0, ACCEPT, "2.6.0", "250 2.6.0 taken");
	CHECK_OUTCOME(249, ACCEPT, "2.6.0", "250 2.6.0 taken");
}

TEST(helo_where_ehlo_is_not_understood)
{
	static const struct line lines[] = {
		{ CONNECT, "220 mx.test" },
		{ "EHLO client.test", "502 5.5.1 what?" },
		{ "HELO client.test", "250 mx.test" },
		{ "MAIL FROM:<a@test>", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 ok");
	play_conf("smtp_never_send_ehlo = yes\n");
	static const struct line helo[] = {
		{ CONNECT, "220 mx.test" },
		{ "HELO client.test", "250 mx.test" },
		{ "MAIL FROM:<a@test>", "550 no" },
	};
	PLAY(helo);
	CHECK_OUTCOME(0, PERMFAIL, "5.0.0",
		"host @ said: 550 no (in reply to MAIL FROM command)");
}

/* ---- servers that do not talk to us ---- */

static const struct {
	const char *conf;
	struct line lines[4];
	enum verdict want;
	const char *code, *text;
	bool site_down;
} greetings[] = {
	{ "", { { CONNECT, "554 5.7.1 go away" } }, TEMPFAIL, "4.7.1",
		"host @ refused to talk to me: 554 5.7.1 go away", true },
	{ "smtp_skip_5xx_greeting = no\n", { { CONNECT, "554 go away" } }, PERMFAIL,
		"5.0.0", "host @ refused to talk to me: 554 go away", false },
	{ "", { { CONNECT, "421 busy" } }, TEMPFAIL, "4.0.0",
		"host @ refused to talk to me: 421 busy", true },
	{ "", { { CONNECT, HANG_UP } }, TEMPFAIL, "4.4.2",
		"lost connection with @ while receiving the initial server greeting",
		true },
	{ "", { { CONNECT, "220 hi" }, { "EHLO", "421-4.3.2 not\r\n421 4.3.2 now" } },
		TEMPFAIL, "4.3.2",
		"host @ refused to talk to me: 421-4.3.2 not 421 4.3.2 now", true },
	{ "", { { CONNECT, "220 hi" }, { "EHLO", HANG_UP } }, TEMPFAIL, "4.4.2",
		"lost connection with @ while performing the EHLO handshake", true },
	{ "", { { CONNECT, "220 hi" }, { "EHLO", "502 no" }, { "HELO", HANG_UP } },
		TEMPFAIL, "4.4.2",
		"lost connection with @ while performing the HELO handshake", true },
	{ "", { { CONNECT, "220 hi" }, { "EHLO", "550 no" }, { "HELO", "550 5.7.0 no" } },
		PERMFAIL, "5.7.0", "host @ refused to talk to me: 550 5.7.0 no", false },
	/* Not SMTP at all. */
	{ "", { { CONNECT, "SSH-2.0-OpenSSH_9.2" } }, TEMPFAIL, "4.4.2",
		"lost connection with @ while receiving the initial server greeting",
		true },
	{ "smtp_tls_security_level = dane-only\n", { { NULL, SILENCE } }, TEMPFAIL,
		"4.7.5", "client TLS configuration problem", true },
	{ "smtp_tls_security_level = secure\n",
		{ { CONNECT, "220 hi" }, { "EHLO", "250 mx.test" } }, TEMPFAIL, "4.7.4",
		"TLS is required, but was not offered by host @", true },
	{ "smtp_tls_security_level = encrypt\n",
		{ { CONNECT, "220 hi" }, { "EHLO", "250 mx.test" } }, TEMPFAIL, "4.7.4",
		"TLS is required, but was not offered by host @", true },
};

TEST(servers_that_do_not_want_to_talk)
{
	for (size_t i = 0; i < COUNT(greetings); i++) {
		size_t n = 0;

		play_conf(greetings[i].conf);
		while (n < 4 && greetings[i].lines[n].say)
			n++;
		play(greetings[i].lines, n);
		test_row(i);
		CHECK_OUTCOME(0, greetings[i].want, greetings[i].code, greetings[i].text);
		CHECK_INT(play_end.site_down, greetings[i].site_down);
	}
}

TEST(a_server_with_our_own_name_is_a_loop)
{
	static const struct line lines[] = {
		{ CONNECT, "220 client.test ESMTP" },
		{ "EHLO client.test", "250-client.test\r\n250 SIZE 10" },
		{ "QUIT", "221 bye" },
	};

	play_conf("");
	PLAY(lines); /* not on the default port: that may well be another program */
	CHECK_STR(play_end.outcomes[0].code, "5.3.4");
	play_conf("");
	play_on_default_port = true;
	PLAY(lines);
	CHECK_OUTCOME(0, PERMFAIL, "5.4.6", "mail for 127.0.0.1 loops back to myself");
	CHECK(play_logged("host # greeted me with my own hostname client.test"));
}

/* ---- connections that end or stall, stage by stage ---- */

#define TO_MAIL \
	{ \
		"MAIL FROM:", "250 ok" \
	}
#define TO_RCPT \
	TO_MAIL, \
	{ \
		"RCPT TO:", "250 ok" \
	}
#define TO_DATA \
	TO_RCPT, \
	{ \
		"DATA", "354 go" \
	}

static const struct {
	struct line lines[7];
	const char *doing;
} stages[] = {
	{ { GREETED, { "MAIL FROM:", NULL } }, "sending MAIL FROM" },
	{ { GREETED, TO_MAIL, { "RCPT TO:", NULL } }, "sending RCPT TO" },
	{ { GREETED, TO_RCPT, { "DATA", NULL } }, "sending DATA command" },
	{ { GREETED, TO_DATA, { DATA_END, NULL } },
		"sending end of data -- message may be sent more than once" },
};

static size_t
script(size_t stage, const char *last, struct line *out)
{
	size_t n = 0;

	while (stages[stage].lines[n].say) {
		out[n] = stages[stage].lines[n];
		n++;
	}
	out[n] = (struct line){ stages[stage].lines[n].want, last };
	return n + 1;
}

TEST(connections_that_are_lost)
{
	for (size_t i = 0; i < COUNT(stages); i++) {
		struct line lines[8];
		char want[200];
		size_t n = script(i, HANG_UP, lines);

		play_conf("");
		play(lines, n);
		test_row(i);
		snprintf(want, sizeof(want), "lost connection with @ while %s",
			stages[i].doing);
		CHECK_OUTCOME(0, TEMPFAIL, "4.4.2", want);
		CHECK(!play_end.site_down);
	}
}

TEST(servers_that_fall_silent)
{
	for (size_t i = 0; i < COUNT(stages); i++) {
		struct line lines[8];
		char want[200];
		size_t n = script(i, SILENCE, lines);
		msec_t *patience[] = { NULL, NULL, NULL, NULL };

		play_conf("");
		patience[0] = &play_settings->smtp_mail_timeout;
		patience[1] = &play_settings->smtp_rcpt_timeout;
		patience[2] = &play_settings->smtp_data_init_timeout;
		patience[3] = &play_settings->smtp_data_done_timeout;
		*patience[i] = 30;
		play(lines, n);
		test_row(i);
		snprintf(want, sizeof(want), "conversation with @ timed out while %s",
			stages[i].doing);
		CHECK_OUTCOME(0, TEMPFAIL, "4.4.2", want);
	}
}

TEST(nobody_greets)
{
	static const struct line lines[] = { { CONNECT, SILENCE } };

	play_conf("");
	play_settings->smtp_helo_timeout = 30;
	PLAY(lines);
	CHECK_OUTCOME(0, TEMPFAIL, "4.4.2",
		"conversation with @ timed out while receiving the initial server "
		"greeting");
}

TEST(nobody_listens)
{
	play_conf("");
	play_mail.request.nexthop = STR("[127.0.0.1]:1");
	play(NULL, 0);
	CHECK_OUTCOME(0, TEMPFAIL, "4.4.1",
		"connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
	CHECK(play_end.site_down);
	CHECK(play_logged("connect to 127.0.0.1[127.0.0.1]:1: Connection refused\n"));
	CHECK(play_logged("relay=none"));
}

TEST(a_421_ends_the_session)
{
	static const struct line lines[] = {
		PIPELINED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "RCPT TO:<b1@test>", "421 4.3.2 shutting down" },
	};

	play_conf("");
	play_rcpts(3);
	PLAY(lines);
	CHECK_OUTCOME(
		0, TEMPFAIL, "4.4.2", "lost connection with @ while sending RCPT TO");
	CHECK_OUTCOME(1, TEMPFAIL, "4.3.2",
		"host @ said: 421 4.3.2 shutting down (in reply to RCPT TO command)");
	CHECK_OUTCOME(
		2, TEMPFAIL, "4.4.2", "lost connection with @ while sending RCPT TO");
	CHECK(str_find(buf_str(&play_end.heard), STR("QUIT")) < 0);
}

/* ---- what EHLO offers ---- */

static const struct {
	const char *conf, *ehlo;
	const char *mail; /* the whole command */
	const char *rcpt;
} offers[] = {
	{ "", "250 mx.test", "MAIL FROM:<a@test>\n", "RCPT TO:<b0@test>\n" },
	{ "", "250-mx.test\r\n250 SIZE 25000000", "MAIL FROM:<a@test> SIZE=20\n",
		"RCPT TO:<b0@test>\n" },
	{ "", "250-mx.test\r\n250-size\r\n250 8bitmime",
		"MAIL FROM:<a@test> SIZE=20 BODY=8BITMIME\n", "RCPT TO:<b0@test>\n" },
	{ "", "250-mx.test SIZE DSN\r\n250 OK", "MAIL FROM:<a@test>\n",
		"RCPT TO:<b0@test>\n" },
	{ "", "250-mx.test\r\n250 DSN", "MAIL FROM:<a@test> ENVID=x+2By+3Dz RET=HDRS\n",
		"RCPT TO:<b0@test> ORCPT=rfc822;b+2B@test NOTIFY=SUCCESS,FAILURE\n" },
	{ "", "250-mx.test\r\n250-SMTPUTF8\r\n250 8BITMIME",
		"MAIL FROM:<a@test> BODY=8BITMIME SMTPUTF8\n", "RCPT TO:<b0@test>\n" },
	{ "smtp_discard_ehlo_keywords = size, dsn\n",
		"250-mx.test\r\n250-SIZE 1\r\n250 DSN", "MAIL FROM:<a@test>\n",
		"RCPT TO:<b0@test>\n" },
};

TEST(parameters_follow_what_the_server_offers)
{
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct line lines[] = {
			{ CONNECT, "220 hi" },
			{ "EHLO", offers[i].ehlo },
			TO_RCPT,
			{ "DATA", "354 go" },
			{ DATA_END, "250 ok" },
		};

		play_conf(offers[i].conf);
		play_mail.envelope.flags = ENVELOPE_8BIT | ENVELOPE_SMTPUTF8;
		play_mail.envelope.ret = RET_HDRS;
		play_mail.envelope.envid = STR("x+y=z");
		play_mail.rcpts[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
		play_mail.rcpts[0].orcpt = STR("rfc822;b+@test");
		PLAY(lines);
		test_row(i);
		CHECK(str_find(buf_str(&play_end.heard), str_c(offers[i].mail)) >= 0);
		CHECK(str_find(buf_str(&play_end.heard), str_c(offers[i].rcpt)) >= 0);
		CHECK_INT(play_end.outcomes[0].relayed,
			strstr(offers[i].rcpt, "NOTIFY") != NULL);
	}
}

/* A domain that does not exist, or a host that says 4xx: the relay gets the mail. What is
 * refused for good stays refused. */
TEST(fallback_relays)
{
	static const struct line taken[] = {
		GREETED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};
	static const struct line later[] = {
		GREETED,
		{ "MAIL FROM:", "450 later" },
		{ "QUIT", HANG_UP },
		GREETED,
		{ "MAIL FROM:", "250 ok" },
		{ "RCPT TO:<b0@test>", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};
	static const struct line never[] = {
		GREETED,
		{ "MAIL FROM:", "550 no" },
		{ "QUIT", "221 bye" },
	};
	static const char conf_text[] =
		"smtp_fallback_relay = absent.test, [127.0.0.1]\n";

	play_conf(conf_text);
	play_on_default_port = true;
	play_mail.request.nexthop = STR("nowhere.test");
	PLAY(taken);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 ok");
	CHECK(play_logged("QID: Host or domain name not found. Name service error for "
			  "name=nowhere.test type=MX: Host not found\n"));
	play_conf("smtp_fallback_relay = [127.0.0.1]\n");
	play_on_default_port = true;
	PLAY(later);
	CHECK_OUTCOME(0, ACCEPT, "2.0.0", "250 ok");
	play_conf("smtp_fallback_relay = [127.0.0.1]\n");
	play_on_default_port = true;
	PLAY(never);
	CHECK_OUTCOME(0, PERMFAIL, "5.0.0",
		"host @ said: 550 no (in reply to MAIL FROM command)");
}

/* The last relay's failure is what is told: as in the log, with its own class. */
TEST(fallback_relays_that_fail)
{
	play_conf("smtp_fallback_relay = absent.test\n");
	play_mail.request.nexthop = STR("nowhere.test");
	play_alone();
	CHECK_OUTCOME(0, PERMFAIL, "5.4.4",
		"Host or domain name not found. Name service error for name=absent.test "
		"type=MX: Host not found");
}

TEST(source_addresses_can_be_insisted_on)
{
	play_conf("smtp_bind_address = 192.0.2.77\nsmtp_bind_address_enforce = yes\n");
	play_mail.request.nexthop = STR("[127.0.0.1]:9");
	play_alone();
	CHECK_OUTCOME(0, TEMPFAIL, "4.4.1",
		"connect to 127.0.0.1[127.0.0.1]:9: Cannot assign requested address");
}

TEST(helo_for_those_who_do_not_say_esmtp)
{
	static const struct line old[] = {
		{ CONNECT, "220 mx.test hello" },
		{ "HELO client.test", "250 mx.test" },
		{ "MAIL FROM:<a@test>", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};
	static const struct line esmtp[] = {
		GREETED,
		{ "MAIL FROM:<a@test>", "250 ok" },
		{ "RCPT TO:", "250 ok" },
		{ "DATA", "354 go" },
		{ DATA_END, "250 ok" },
	};

	play_conf("smtp_always_send_ehlo = no\n");
	PLAY(old);
	CHECK_INT(play_end.outcomes[0].verdict, ACCEPT);
	PLAY(esmtp);
	CHECK_INT(play_end.outcomes[0].verdict, ACCEPT);
}

TEST(addresses_are_quoted_unless_told_not_to)
{
	static const struct {
		const char *conf, *mail;
	} rows[] = {
		{ "", "MAIL FROM:<\"a b\"@test>" },
		{ "smtp_quote_rfc821_envelope = no\n", "MAIL FROM:<a b@test>" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct line lines[] = {
			GREETED,
			{ rows[i].mail, "550 no" },
		};

		play_conf(rows[i].conf);
		play_mail.envelope.sender = STR("a b@test");
		PLAY(lines);
	}
}

TEST_MAIN()
