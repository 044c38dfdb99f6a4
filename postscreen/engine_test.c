/* engine_test.c -- whole dialogues, what is answered and what is seen. More of them are
 * in tests/postscreen, beside Postfix's. */
#include "play.h"
#include "test.h"

#define GREETED "220 mx.example ESMTP\r\n"
#define BUSY    "450 4.3.2 Service currently unavailable\r\n"
#define OK      "250 2.1.0 Ok\r\n"

TEST(dialogues)
{
	static const struct {
		struct str send;
		const char *said, *logged;
	} rows[] = {
		{ STR_INIT(""), GREETED, "HANGUP after " },
		{ STR_INIT("HELO x\r\nQUIT\r\n"),
			GREETED "250 mx.example\r\n221 2.0.0 Bye\r\n",
			"COMMAND PIPELINING from [192.0.2.7]:4711 after HELO: "
			"QUIT\\r\\n" },
		{ STR_INIT("QUIT\r\n"), GREETED "221 2.0.0 Bye\r\n", "DISCONNECT " },
		{ STR_INIT("MAIL FROM:<a@b>\n"), GREETED OK,
			"BARE NEWLINE from [192.0.2.7]:4711 after MAIL FROM:<a@b>\n" },
		{ STR_INIT("Subject: x\r\n"),
			GREETED "521 5.7.0 Error: I can break rules, too. Goodbye.\r\n",
			"NON-SMTP COMMAND from [192.0.2.7]:4711 after CONNECT: Subject: "
			"x\n" },
		{ STR_INIT("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"), GREETED OK BUSY,
			"NOQUEUE: reject: RCPT from [192.0.2.7]:4711: 450 4.3.2 Service "
			"currently unavailable; from=<a@b>, to=<c@d>, proto=SMTP, "
			"helo=<>\n" },
		{ STR_INIT("MAIL FROM:<a@b>\r\nDATA\r\n.\r\n"),
			GREETED OK "554 5.5.1 Error: no valid recipients\r\n",
			"DATA without valid RCPT from [192.0.2.7]:4711\n" },
		{ STR_INIT("BDAT 99999999999999999999\r\n"),
			GREETED "501 5.5.4 Syntax: BDAT count [LAST]\r\n",
			"BDAT without valid RCPT " },
		{ STR_INIT("NO\0OP\r\n"),
			GREETED "502 5.5.2 Error: command not recognized\r\n",
			"HANGUP after " },
		{ STR_INIT("VRFY \001\r\n"), GREETED BUSY, "HANGUP after " },
	};

	play_conf("postscreen_pipelining_enable = yes\n"
		  "postscreen_pipelining_action = ignore\n"
		  "postscreen_non_smtp_command_enable = yes\n"
		  "postscreen_bare_newline_enable = yes\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str said;

		test_row(i);
		CHECK(play_feed(rows[i].send, &said));
		CHECK_STR(said, rows[i].said);
		CHECK(str_find(play_logged(), str_c(rows[i].logged)) >= 0);
	}
}
