/* Plays: what a client sends, and how the answer begins (RFC 5321). */
#include "play.h"
#include <arpa/nameser.h>

#define EHLO \
	{ \
		"EHLO client.example\r\n", "250-mx.test" \
	}
#define MAIL \
	{ \
		"MAIL FROM:<a@client.example>\r\n", "250 2.1.0 Ok" \
	}
#define RCPT \
	{ \
		"RCPT TO:<user@here.test>\r\n", "250 2.1.5 Ok" \
	}
#define DATA \
	{ \
		"DATA\r\n", "354 End data with <CR><LF>.<CR><LF>" \
	}
#define QUIT \
	{ \
		"QUIT\r\n", "221 2.0.0 Bye" \
	}
#define GREETING \
	{ \
		NULL, "220 mx.test ESMTP Postern" \
	}
#define CLOSED \
	{ \
		NULL, "" \
	}

static const struct exchange one_message[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	DATA,
	{ "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n", "250 2.0.0 Ok: queued as TESTQ1" },
	QUIT,
	CLOSED,
};

TEST(one_message)
{
	play_conf("");
	PLAY(one_message);
	CHECK_INT((long long)play_mail.count, 1);
	CHECK_STR(buf_str(&play_mail.content), "Subject: x\n\nhello\n.dot\n");
	CHECK_STR(play_mail.envelope.sender, "a@client.example");
	CHECK_INT((long long)play_mail.envelope.n_rcpts, 1);
	CHECK_STR(play_mail.envelope.rcpts[0].address, "user@here.test");
	CHECK_STR(play_mail.envelope.queue_id, "TESTQ1");
	CHECK_STR(play_mail.envelope.helo, "client.example");
	CHECK_STR(play_mail.envelope.protocol, "ESMTP");
	CHECK_STR(play_mail.envelope.client_address, "127.0.0.1");
	CHECK(str_starts(play_mail.request.received,
		STR("Received: from client.example (localhost [127.0.0.1])\n"
		    "\tby mx.test (Postern) with ESMTP id TESTQ1\n"
		    "\tfor <user@here.test>; ")));
	CHECK(str_ends(play_mail.request.received, STR("\n")));
	CHECK_STR(play_mail.request.origin, "localhost[127.0.0.1]");
	CHECK(play_logged("connect from localhost[127.0.0.1]\n"));
	CHECK(play_logged("TESTQ1: client=localhost[127.0.0.1]\n"));
	CHECK(play_logged("disconnect from localhost[127.0.0.1] "
			  "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5\n"));
}

TEST(ehlo_keywords_in_their_order)
{
	static const struct exchange rows[] = { GREETING, EHLO, QUIT };

	play_conf("message_size_limit = 1000000\n");
	PLAY(rows);
	CHECK_STR(buf_str(&play_said),
		"220 mx.test ESMTP Postern\n"
		"250-mx.test\n250-PIPELINING\n250-SIZE 1000000\n250-VRFY\n250-ETRN\n"
		"250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR "
		"DESTPORT\n"
		"250-ENHANCEDSTATUSCODES\n250-8BITMIME\n250-DSN\n250-SMTPUTF8\n"
		"250 CHUNKING\n"
		"221 2.0.0 Bye\n");
	play_conf("smtpd_discard_ehlo_keywords = chunking, dsn, etrn, silent-discard, "
		  "xclient\n"
		  "disable_vrfy_command = yes\nsmtputf8_enable = no\nmessage_size_limit "
		  "= 0\n");
	PLAY(rows);
	CHECK_STR(buf_str(&play_said),
		"220 mx.test ESMTP Postern\n"
		"250-mx.test\n250-PIPELINING\n250-SIZE\n250-ENHANCEDSTATUSCODES\n"
		"250 8BITMIME\n221 2.0.0 Bye\n");
	CHECK(!play_logged("discarding"));
	play_conf("smtpd_discard_ehlo_keywords = chunking dsn etrn\n");
	PLAY(rows);
	CHECK(play_logged("discarding EHLO keywords: ETRN DSN CHUNKING\n"));
}

/* RFC 9422 */
TEST(limits_are_announced_where_wanted)
{
	static const struct exchange rows[] = { GREETING, EHLO, QUIT };

	play_conf("smtpd_limits_enable = yes\nsmtpd_recipient_limit = 150\n");
	PLAY(rows);
	CHECK(str_find(buf_str(&play_said), STR("\n250 LIMITS RCPTMAX=150\n")) >= 0);
	play_conf("smtpd_limits_enable = yes\nsmtpd_discard_ehlo_keywords = limits\n");
	PLAY(rows);
	CHECK(str_find(buf_str(&play_said), STR("LIMITS")) < 0);
	CHECK(play_logged("discarding EHLO keywords: LIMITS\n"));
}

static const struct exchange data_needs_rcpt[] = {
	GREETING,
	{ "DATA\r\n", "503 5.5.1 Error: need RCPT command" }, /* section 4.1.4 */
	EHLO,
	MAIL,
	{ "RCPT TO:<nobody@here.test>\r\n",
		"550 5.1.1 <nobody@here.test>: Recipient address "
		"rejected: User unknown in local recipient table" },
	{ "DATA\r\n", "554 5.5.1 Error: no valid recipients" },
	QUIT,
};

TEST(data_needs_an_accepted_recipient)
{
	play_conf("");
	PLAY(data_needs_rcpt);
	CHECK(play_logged(
		"NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 550 5.1.1 "
		"<nobody@here.test>: "
		"Recipient address rejected: User unknown in local recipient table; "
		"from=<a@client.example> to=<nobody@here.test> proto=ESMTP "
		"helo=<client.example>\n"));
	CHECK(play_logged("ehlo=1 mail=1 rcpt=0/1 data=0/2 quit=1 commands=3/6\n"));
}

static const struct exchange sequence[] = {
	GREETING,
	{ "RCPT TO:<user@here.test>\r\n", "503 5.5.1 Error: need MAIL command" },
	{ "EHLO\r\n", "501 Syntax: EHLO hostname" },
	{ "HELO \r\n", "501 Syntax: HELO hostname" },
	{ "HELO client.example\r\n", "250 mx.test" },
	{ "MAIL FROM:<a@client.example> FOO=10\r\n",
		"555 5.5.4 Unsupported option: FOO=10" },
	{ "MAIL FROM:<a@client.example> SIZE=10\r\n", "250 2.1.0 Ok" },
	EHLO,
	{ "MAIL\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "MAIL FROM:\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "MAIL TO:<a@b>\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "MAIL FROM:<a@b@c>\r\n", "501 5.1.7 Bad sender address syntax" },
	{ "mail from: <a@client.example> size=100\r\n", "250 2.1.0 Ok" },
	{ "MAIL FROM:<b@client.example>\r\n", "503 5.5.1 Error: nested MAIL command" },
	{ "RCPT TO:<>\r\n", "501 5.1.3 Bad recipient address syntax" },
	{ "RCPT TO:<a b@here.test>\r\n", "501 5.1.3 Bad recipient address syntax" },
	{ "RCPT <user@here.test>\r\n", "501 5.5.4 Syntax: RCPT TO:<address>" },
	{ "RCPT TO:<user@here.test> FOO\r\n", "555 5.5.4 Unsupported option: FOO" },
	RCPT,
	{ "DATA now\r\n", "501 5.5.4 Syntax: DATA" },
	{ "RSET now\r\n", "501 5.5.4 Syntax: RSET" },
	{ "RSET\r\n", "250 2.0.0 Ok" },
	QUIT,
};

TEST(commands_out_of_sequence)
{
	play_conf("smtpd_hard_error_limit = 100\n");
	PLAY(sequence);
}

static const struct exchange small_commands[] = {
	GREETING,
	{ "NOOP\r\n", "250 2.0.0 Ok" },
	{ "noop again\r\n", "250 2.0.0 Ok" },
	{ "VRFY\r\n", "501 5.5.4 Syntax: VRFY address" },
	{ "VRFY user@here.test\r\n", "252 2.0.0 user@here.test" },
	{ "VRFY nobody@here.test\r\n", "550 5.1.1 " },
	{ "HELP\r\n",
		"214 2.0.0 Commands: HELO EHLO XCLIENT XFORWARD STARTTLS AUTH MAIL RCPT "
		"DATA BDAT" },
	{ "STARTTLS\r\n", "502 5.5.1 Error: command not implemented" },
	{ "FOO bar\r\n", "500 5.5.2 Error: command not recognized" },
	{ "\r\n", "500 5.5.2 Error: bad syntax" },
	{ "EXPN list\r\n", "500 5.5.2 Error: command not recognized" },
	QUIT,
};

TEST(small_commands)
{
	play_conf("");
	PLAY(small_commands);
	CHECK(play_logged("noop=2 vrfy=1/3 quit=1 help=1 unknown=0/2 commands=5/10\n") ||
		play_logged("unknown=0/2"));
}

static const struct exchange no_vrfy[] = {
	GREETING,
	{ "VRFY user@here.test\r\n", "502 5.5.1 VRFY command is disabled" },
};

TEST(vrfy_disabled)
{
	play_conf("disable_vrfy_command = yes\n");
	PLAY(no_vrfy);
}

static const struct exchange not_smtp[] = {
	GREETING,
	{ "GET / HTTP/1.1\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye." },
	CLOSED,
};
static const struct exchange header_line[] = {
	GREETING,
	{ "Subject: hello\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye." },
	CLOSED,
};

TEST(other_protocols_are_sent_away)
{
	play_conf("");
	PLAY(not_smtp);
	CHECK(play_logged(
		"non-SMTP command from localhost[127.0.0.1]: GET / HTTP/1.1\n"));
	PLAY(header_line);
}

static const struct exchange utf8[] = {
	GREETING,
	EHLO,
	{ "MAIL FROM:<o@\303\266.example>\r\n",
		"553 5.6.7 Must declare SMTPUTF8 to send unicode address" },
	{ "MAIL FROM:<\303\266@client.example>\r\n", "250 2.1.0 Ok" },
	{ "RSET\r\n", "250 2.0.0 Ok" }, /* strict_smtputf8 = no forgives local parts */
	{ "MAIL FROM:<\303\266@client.example> SMTPUTF8\r\n", "250 2.1.0 Ok" },
	{ "RCPT TO:<user@here.test>\r\n", "250 2.1.5 Ok" },
	DATA,
	{ "x\r\n.\r\n", "250 2.0.0 Ok" },
	{ "MAIL FROM:<a@client.example>\r\n", "250 2.1.0 Ok" },
	{ "RCPT TO:<\303\266@here.test>\r\n", "550 5.1.1 " },
	{ "RCPT TO:<\303@here.test>\r\n", "500 5.5.2 Error: bad UTF-8 syntax" },
	QUIT,
};
static const struct exchange strict_utf8[] = {
	GREETING,
	EHLO,
	{ "MAIL FROM:<\303\266@client.example>\r\n",
		"553 5.6.7 Must declare SMTPUTF8 to send unicode address" },
	QUIT,
};

TEST(smtputf8)
{
	play_conf("");
	PLAY(utf8);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_SMTPUTF8, ENVELOPE_SMTPUTF8);
	CHECK(str_find(play_mail.request.received, STR(" with UTF8SMTP id ")) > 0);
	play_conf("strict_smtputf8 = yes\n");
	PLAY(strict_utf8);
}

static const struct exchange dsn[] = {
	GREETING,
	EHLO,
	{ "MAIL FROM:<> RET=HDRS ENVID=QQ+2B1 BODY=8BITMIME SIZE=500\r\n",
		"250 2.1.0 Ok" },
	{ "RCPT TO:<user@here.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;u+40x\r\n",
		"250 2.1.5 Ok" },
	{ "RCPT TO:<root@here.test> NOTIFY=NEVER\r\n", "250 2.1.5 Ok" },
	DATA,
	{ ".\r\n", "250 2.0.0 Ok" },
	QUIT,
};

TEST(dsn_parameters_travel)
{
	play_conf("");
	PLAY(dsn);
	CHECK_STR(play_mail.envelope.sender, "");
	CHECK_STR(play_mail.envelope.envid, "QQ+1");
	CHECK_INT(play_mail.envelope.ret, RET_HDRS);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_8BIT, ENVELOPE_8BIT);
	CHECK_INT((long long)play_mail.envelope.n_rcpts, 2);
	CHECK_INT(play_mail.envelope.rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	CHECK_STR(play_mail.envelope.rcpts[0].orcpt, "rfc822;u@x");
	CHECK_INT(play_mail.envelope.rcpts[1].notify, NOTIFY_NEVER);
	CHECK_INT((long long)play_mail.content.len, 0);
	CHECK(str_find(play_mail.request.received, STR("for <")) <
		0); /* two recipients */
}

TEST(a_pipelined_group_is_answered_together)
{
	play_conf("");
	play_bytes(STR("HELO x\r\n"), "220 mx.test ESMTP Postern\n250 mx.test\n");
	/* After EHLO the group may hold all up to DATA (RFC 2920 section 3.1). */
	{
		static const struct exchange rows[] = {
			GREETING,
			EHLO,
			{ "MAIL FROM:<a@b>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n",
				"250 2.1.0 Ok" },
			{ NULL, "250 2.1.5 Ok" },
			{ NULL, "354 " },
			{ "a\r\n.\r\nMAIL FROM:<c@d>\r\nRCPT "
			  "TO:<user@here.test>\r\nDATA\r\n",
				"250 2.0.0 Ok: queued as TESTQ1" },
			{ NULL, "250 2.1.0 Ok" },
			{ NULL, "250 2.1.5 Ok" },
			{ NULL, "354 " },
			{ "b\r\n.\r\nQUIT\r\n", "250 2.0.0 Ok: queued as TESTQ2" },
			{ NULL, "221 2.0.0 Bye" },
			CLOSED,
		};
		PLAY(rows);
	}
	CHECK_INT((long long)play_mail.count, 2);
}

static const struct exchange early_data[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	{ "DATA\r\nSubject: x\r\n\r\n.\r\n",
		"554 5.5.0 Error: SMTP protocol synchronization" },
	CLOSED,
};

TEST(talking_out_of_turn_ends_the_session)
{
	play_conf("");
	PLAY(early_data);
	CHECK(play_logged("improper command pipelining after DATA from "
			  "localhost[127.0.0.1]: Subject: x\\r\\n\\r\\n.\\r\\n\n"));
	CHECK_INT((long long)play_mail.count, 0);
}

TEST(early_talkers_may_be_tolerated)
{
	static const struct exchange rows[] = {
		GREETING,
		{ "EHLO client.example\r\nNOOP\r\n", "250-" },
		{ NULL, "250 2.0.0 Ok" },
		MAIL,
		{ "RCPT TO:<user@here.test>\r\n",
			"503 5.5.0 <user@here.test>: Recipient "
			"address rejected: Improper use of SMTP "
			"command pipelining" },
		QUIT,
	};

	play_conf("smtpd_forbid_unauth_pipelining = no\n"
		  "smtpd_recipient_restrictions = reject_unauth_pipelining\n");
	PLAY(rows);
}

static const struct exchange chunks[] = {
	GREETING,
	EHLO,
	{ "BDAT 3\r\nabc", "503 5.5.1 Error: need RCPT command" },
	{ "MAIL FROM:<>\r\n", "503 5.5.1 Error: MAIL after BDAT" },
	{ "BDAT 2 LAST\r\nhi", "551 5.0.0 Discarded 2 bytes after earlier error" },
	MAIL,
	RCPT,
	{ "BDAT 12\r\nSubject: y\r\n", "250 2.0.0 Ok: 12 bytes" },
	{ "RCPT TO:<root@here.test>\r\n", "503 5.5.1 Error: RCPT after BDAT" },
	{ "DATA\r\n", "503 5.5.1 Error: DATA after BDAT" },
	{ "BDAT 6\r\n\r\n.\r\nx", "250 2.0.0 Ok: 6 bytes" },
	{ "BDAT 0 LAST\r\n", "250 2.0.0 Ok: 20 bytes queued as TESTQ1" },
	MAIL,
	RCPT,
	{ "BDAT 2 LAST\r\nhi", "250 2.0.0 Ok: 4 bytes queued as TESTQ2" },
	MAIL,
	RCPT,
	{ "BDAT 2\r\nhi", "250 2.0.0 Ok: 2 bytes" },
	{ "RSET\r\n", "250 2.0.0 Ok" },
	{ "BDAT x\r\n", "521 5.5.4 Syntax: BDAT count [LAST]" },
	CLOSED,
};

TEST(chunking)
{
	play_conf("");
	PLAY(chunks);
	CHECK_INT((long long)play_mail.count, 2);
	CHECK_STR(buf_str(&play_mail.content), "hi\n");
}

static const struct exchange big_chunk[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	{ "BDAT 4\r\nabcd", "250 2.0.0 Ok: 4 bytes" },
	{ "BDAT 10\r\n0123456789", "552 5.3.4 Chunk exceeds message size limit" },
	{ "BDAT 1\r\nx", "551 5.0.0 Discarded 1 bytes after earlier error" },
	{ "BDAT 2 LAST\r\nNO", "551 5.0.0 Discarded 2 bytes after earlier error" },
	MAIL,
	QUIT,
};

TEST(chunks_beyond_the_limit_are_read_and_dropped)
{
	play_conf("message_size_limit = 10\n");
	PLAY(big_chunk);
	CHECK_INT((long long)play_mail.count, 0);
}

static const struct exchange too_big[] = {
	GREETING,
	EHLO,
	{ "MAIL FROM:<a@b> SIZE=11\r\n", "552 5.3.4 Message size exceeds fixed limit" },
	MAIL,
	RCPT,
	DATA,
	{ "01234567\r\nx\r\n.\r\n", "552 5.3.4 Error: message file too big" },
	MAIL,
	RCPT,
	DATA,
	{ "01234567\r\n.\r\n", "250 2.0.0 Ok: queued as TESTQ1" },
	QUIT,
};

TEST(message_size_limit)
{
	play_conf("message_size_limit = 10\n");
	PLAY(too_big);
	CHECK(play_logged(
		"NOQUEUE: reject: MAIL from localhost[127.0.0.1]: 552 5.3.4 Message "
		"size exceeds fixed limit; from=<a@b> proto=ESMTP "
		"helo=<client.example>\n"));
}

static const struct exchange many_recipients[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	RCPT,
	{ "RCPT TO:<user@here.test>\r\n", "452 4.5.3 Error: too many recipients" },
	QUIT,
};

TEST(recipient_limit)
{
	play_conf("smtpd_recipient_limit = 2\n");
	PLAY(many_recipients);
}

static const struct exchange errors[] = {
	GREETING,
	{ "FOO\r\n", "500 5.5.2 " },
	{ "FOO\r\n", "500 5.5.2 " },
	{ NULL, "421 4.7.0 mx.test Error: too many errors" },
	CLOSED,
};

TEST(hard_error_limit)
{
	play_conf("smtpd_hard_error_limit = 2\n");
	PLAY(errors);
	CHECK(play_logged("too many errors after UNKNOWN from localhost[127.0.0.1]\n"));
	CHECK(play_logged("unknown=0/2 commands=0/2\n"));
}

static const struct exchange junk[] = {
	GREETING,
	{ "NOOP\r\n", "250 " },
	{ "NOOP\r\n", "250 " },
	{ "NOOP\r\n", "250 " },
	{ NULL, "421 4.7.0 " },
	CLOSED,
};

TEST(junk_commands_become_errors)
{
	play_conf("smtpd_junk_command_limit = 1\nsmtpd_hard_error_limit = 1\n");
	PLAY(junk);
}

static const struct exchange hang_up_in_data[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	DATA,
	{ "Subject: cut\r\n", NULL },
};

TEST(lost_connections_leave_nothing)
{
	play_conf("");
	PLAY(hang_up_in_data);
	CHECK_INT((long long)play_mail.count, 0);
	CHECK(play_logged(
		"lost connection after DATA (14 bytes) from localhost[127.0.0.1]\n"));
	CHECK(play_logged("ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4\n"));
}

TEST(no_command_at_all)
{
	static const struct exchange rows[] = { GREETING };

	play_conf("");
	PLAY(rows);
	CHECK(play_logged("lost connection after CONNECT from localhost[127.0.0.1]\n"));
	CHECK(play_logged("disconnect from localhost[127.0.0.1] commands=0/0\n"));
}

static const struct exchange verdict[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	DATA,
	{ ".\r\n", "550 5.7.1 Error: content rejected" },
	QUIT,
};

TEST(cleanup_has_the_last_word)
{
	static const struct exchange lost[] = {
		GREETING,
		EHLO,
		MAIL,
		RCPT,
		DATA,
		{ ".\r\n", "451 4.3.0 Error: queue file write error" },
		MAIL,
		QUIT,
	};

	play_conf("");
	play_verdict = (struct submit_reply){ .verdict = PERMFAIL,
		.code = STR("5.7.1"),
		.text = STR("content rejected"),
		.smtp_code = 550 };
	PLAY(verdict);
	play_conf("");
	play_cleanup_dies = true;
	PLAY(lost);
}

TEST(a_large_message_streams)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct exchange rows[] = { GREETING, EHLO, MAIL, RCPT, DATA,
		{ NULL, "250 2.0.0 Ok: queued as TESTQ1" }, QUIT };

	for (int i = 0; i < 50000; i++)
		buf_printf(&text, "line %d of a message that is larger than a window\r\n",
			i);
	buf_addz(&text, ".\r\n");
	rows[5].send = buf_cstr(&text);
	play_conf("");
	PLAY(rows);
	CHECK_INT((long long)play_mail.content.len, (long long)text.len - 3 - 50000);
}

static const struct exchange bare_newlines[] = {
	GREETING,
	EHLO,
	MAIL,
	RCPT,
	DATA,
	{ "a\n.\nb\r\n.\r\n", "550 5.5.2 Error: bare <LF> received" },
	CLOSED,
};

TEST(bare_newline_reject)
{
	play_conf("smtpd_forbid_bare_newline = reject\n"
		  "smtpd_forbid_bare_newline_exclusions =\n");
	PLAY(bare_newlines);
	CHECK_INT((long long)play_mail.count, 0);
}

TEST(commands_that_end_in_lf_alone)
{
	static const struct exchange rows[] = {
		GREETING,
		{ "EHLO x\n", "250-" },
		{ "MAIL FROM:<a@b>\n", "250 2.1.0" },
		{ "RCPT TO:<user@here.test>\n", "250 2.1.5" },
		{ "DATA\n", "354 " },
		{ "x\n.\n", "250 2.0.0 Ok: queued as" },
		{ "QUIT\n", "221 " },
	};

	play_conf(""); /* the client is in $mynetworks */
	PLAY(rows);
	CHECK_STR(buf_str(&play_mail.content), "x\n");
}

static const struct exchange xclient[] = {
	GREETING,
	EHLO,
	{ "XCLIENT\r\n", "501 5.5.4 Syntax: XCLIENT attribute=value..." },
	{ "XCLIENT NAME\r\n", "501 5.5.4 Error: attribute=value expected" },
	{ "XCLIENT COLOUR=red\r\n", "501 5.5.4 Bad XCLIENT attribute name: COLOUR" },
	{ "XCLIENT ADDR=x\r\n", "501 5.5.4 Bad ADDR syntax: x" },
	{ "XCLIENT NAME=a+0Ab\r\n", "501 5.5.4 Bad XCLIENT NAME syntax" },
	{ "XCLIENT NAME=far.example ADDR=192.0.2.7 PORT=1234 HELO=h.example "
	  "PROTO=ESMTP\r\n",
		"220 mx.test ESMTP" },
	MAIL,
	{ "RCPT TO:<a@elsewhere.example>\r\n",
		"454 4.7.1 <a@elsewhere.example>: Relay access denied" },
	RCPT,
	DATA,
	{ ".\r\n", "250 2.0.0" },
	{ "XCLIENT ADDR=192.0.2.8\r\n", "550 5.7.0 Error: insufficient authorization" },
	QUIT,
};

static const struct exchange xforward[] = {
	GREETING,
	EHLO,
	{ "XFORWARD\r\n", "501 5.5.4 Syntax: XFORWARD attribute=value..." },
	{ "XFORWARD COLOUR=red\r\n", "501 5.5.4 Bad XFORWARD attribute name: COLOUR" },
	{ "XFORWARD PORT=x\r\n", "501 5.5.4 Bad PORT syntax: x" },
	{ "XFORWARD SOURCE=x\r\n", "501 5.5.4 Bad SOURCE syntax: x" },
	{ "XFORWARD NAME=far.example ADDR=192.0.2.7\r\n", "250 2.0.0 Ok" },
	{ "XFORWARD HELO=a+2Bb IDENT=ABC SOURCE=LOCAL\r\n", "250 2.0.0 Ok" },
	MAIL,
	{ "XFORWARD NAME=x\r\n", "503 5.5.1 Error: MAIL transaction in progress" },
	RCPT,
	DATA,
	{ ".\r\n", "250 2.0.0" },
	QUIT,
};

TEST(xforward_tells_of_the_client)
{
	play_conf("smtpd_authorized_xforward_hosts = 127.0.0.1\n");
	PLAY(xforward);
	CHECK(play_logged(": client=localhost[127.0.0.1], orig_queue_id=ABC, "
			  "orig_client=far.example[192.0.2.7]\n"));
	CHECK_STR(play_mail.envelope.client_name, "far.example");
	CHECK_STR(play_mail.envelope.client_port, "unknown");
	CHECK_STR(play_mail.envelope.helo, "a+b");
	CHECK(play_mail.envelope.flags & ENVELOPE_REWRITE);
}

TEST(xclient_changes_the_client)
{
	play_conf("smtpd_client_port_logging = yes\n");
	PLAY(xclient);
	CHECK(play_logged("reject: RCPT from far.example[192.0.2.7]:1234: 454 4.7.1 "
			  "<a@elsewhere.example>: Relay access denied; "
			  "from=<a@client.example> to=<a@elsewhere.example> proto=ESMTP "
			  "helo=<h.example>\n"));
	CHECK_STR(play_mail.envelope.client_name, "far.example");
	CHECK_STR(play_mail.envelope.client_address, "192.0.2.7");
	CHECK_STR(play_mail.envelope.client_port, "1234");
}

TEST(a_client_can_be_hidden)
{
	play_conf("smtpd_hide_client_session = yes\n");
	PLAY(one_message);
	CHECK(str_starts(play_mail.request.received,
		STR("Received: by mx.test (Postern) with ESMTP id TESTQ1\n\tfor ")));
}

TEST(soft_bounce)
{
	static const struct exchange rows[] = {
		GREETING,
		EHLO,
		MAIL,
		{ "RCPT TO:<nobody@here.test>\r\n", "450 4.1.1 <nobody@here.test>: " },
		{ "FOO\r\n", "400 4.5.2 " },
		QUIT,
	};

	play_conf("soft_bounce = yes\n");
	PLAY(rows);
}

TEST(strict_envelopes)
{
	static const struct exchange rows[] = {
		GREETING,
		EHLO,
		{ "MAIL FROM: <a@client.example>\r\n",
			"501 5.5.4 Syntax: MAIL FROM:<address>" },
		{ "MAIL FROM:a@client.example\r\n",
			"501 5.5.4 Syntax: MAIL FROM:<address>" },
		{ "MAIL FROM:<a..b@client.example>\r\n", "501 5.1.7 " },
		QUIT,
	};

	play_conf("strict_rfc821_envelopes = yes\n");
	PLAY(rows);
}

TEST(helo_required)
{
	static const struct exchange rows[] = {
		GREETING,
		{ "MAIL FROM:<a@b>\r\n", "503 5.5.1 Error: send HELO/EHLO first" },
		EHLO,
		MAIL,
		QUIT,
	};

	play_conf("smtpd_helo_required = yes\n");
	PLAY(rows);
}

/* Nobody answers for flush on this stage. */
TEST(etrn)
{
	static const struct exchange rows[] = {
		GREETING,
		EHLO,
		{ "ETRN\r\n", "500 Syntax: ETRN domain" },
		{ "ETRN a b\r\n", "500 Syntax: ETRN domain" },
		{ "ETRN #a..b\r\n", "501 Error: invalid parameter syntax" },
		{ "ETRN no.test\r\n",
			"554 5.7.1 <no.test>: Etrn command rejected: Access denied" },
		{ "ETRN yes.test\r\n", "458 Unable to queue messages" },
		MAIL,
		{ "ETRN yes.test\r\n", "503 Error: MAIL transaction in progress" },
		QUIT,
	};

	play_conf(
		"smtpd_etrn_restrictions = check_etrn_access inline:{no.test=REJECT}\n");
	PLAY(rows);
}

TEST(lines_and_bytes_that_are_no_commands)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	struct exchange rows[] = { GREETING, { NULL, "500 5.5.2 Error: line too long" },
		{ "NO\rOP\r\n", "500 5.5.2 Error: bad syntax" }, { "NOOP\r\n", "250 " },
		QUIT };

	buf_addz(&line, "NOOP ");
	for (int i = 0; i < 3000; i++)
		buf_addc(&line, 'x');
	buf_addz(&line, "\r\n");
	rows[1].send = buf_cstr(&line);
	play_conf("");
	PLAY(rows);
}

static const struct play_record zone[] = {
	{ "1.2.0.192.in-addr.arpa", "good.example", ns_t_ptr },
	{ "good.example", "192.0.2.1", ns_t_a },
	{ "2.2.0.192.in-addr.arpa", "good.example",
		ns_t_ptr }, /* claims another's name */
	{ "3.2.0.192.in-addr.arpa", "nowhere.example", ns_t_ptr },
	{ "4.2.0.192.in-addr.arpa", "192.0.2.1", ns_t_ptr }, /* a name like an address */
	{ "5.2.0.192.in-addr.arpa", "a b)\n", ns_t_ptr },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		"six.example", ns_t_ptr },
	{ "six.example", "2001:db8:0:0::1", ns_t_aaaa },
};
static const struct {
	const char *address, *client, *warning;
} names[] = {
	{ "192.0.2.1", "good.example[192.0.2.1]", NULL },
	{ "192.0.2.2", "unknown[192.0.2.2]",
		"hostname good.example does not resolve to address 192.0.2.2\n" },
	{ "192.0.2.3", "unknown[192.0.2.3]",
		"hostname nowhere.example does not resolve to address 192.0.2.3: Name or "
		"service not known\n" },
	{ "192.0.2.4", "unknown[192.0.2.4]", NULL },
	{ "192.0.2.5", "unknown[192.0.2.5]", NULL },
	{ "192.0.2.6", "unknown[192.0.2.6]", NULL },
	{ "IPv6:2001:db8::1", "six.example[2001:db8::1]", NULL },
};

TEST(names_of_clients)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		const struct exchange rows[] = {
			GREETING,
			{ arena_printf(arena, "XCLIENT ADDR=%s\r\n", names[i].address)
					.data,
				"220 " },
			EHLO,
			MAIL,
			RCPT,
			QUIT,
		};

		play_conf("smtpd_peername_lookup = yes\n");
		play_zone = zone;
		play_zone_n = COUNT(zone);
		PLAY(rows);
		CHECK(play_logged(
			arena_printf(arena, "TESTQ1: client=%s\n", names[i].client)
				.data));
		CHECK(names[i].warning ? play_logged(names[i].warning)
				       : !play_logged("does not resolve"));
	}
}

TEST(a_process_that_is_to_end_says_421)
{
	static const struct exchange rows[] = {
		GREETING,
		EHLO,
		{ NULL, "421 4.3.2 mx.test Error: service shutting down" },
		CLOSED,
	};

	play_conf("");
	play_draining = true;
	PLAY(rows);
}

/* The PROXY header comes before everything. */
TEST(behind_a_load_balancer)
{
	static const struct exchange rows[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n", "220 " },
		EHLO,
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<x@far.example>\r\n", "454 4.7.1" },
		QUIT,
	};
	static const struct exchange none[] = {
		{ "EHLO x\r\n", "" },
	};

	play_conf("smtpd_upstream_proxy_protocol = haproxy\n"
		  "smtpd_client_port_logging = yes\n");
	PLAY(rows);
	CHECK(play_logged("connect from unknown[192.0.2.1]:4711\n"));
	PLAY(none);
	CHECK(play_logged("warning: haproxy read: no PROXY header\n"));
}

TEST(a_suspect_is_refused)
{
	static const struct exchange rows[] = {
		GREETING,
		{ "XCLIENT ADDR=192.0.2.1\r\n",
			"421 4.7.0 mx.test Error: clients of your network" },
		CLOSED,
	};

	play_conf("");
	play_suspect = true;
	PLAY(rows);
	CHECK(play_logged("NOQUEUE: reject: XCLIENT from unknown[192.0.2.1]: 421 4.7.0 "
			  "mx.test Error: clients of your network have ended too many of "
			  "our processes; try again later; proto=SMTP\n"));
}

TEST(a_full_spool_is_told_at_mail)
{
	static const struct exchange rows[] = {
		GREETING,
		EHLO,
		MAIL,
		RCPT,
		DATA,
		{ ".\r\n", "452 4.3.1 Error: insufficient system storage" },
		{ "MAIL FROM:<a@b>\r\n", "452 4.3.1 Insufficient system storage" },
		QUIT,
	};

	play_conf("");
	play_verdict = (struct submit_reply){ .verdict = TEMPFAIL,
		.code = STR("4.3.1"),
		.text = STR("insufficient system storage"),
		.smtp_code = 452 };
	PLAY(rows);
	CHECK(play_logged("NOQUEUE: reject: MAIL from localhost[127.0.0.1]: 452 4.3.1 "
			  "Insufficient system storage; from=<a@b> proto=ESMTP "
			  "helo=<client.example>\n"));
}
