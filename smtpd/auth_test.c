/* auth_test.c -- plays in which the client logs in (RFC 4954). Replies and log lines are
 * Postfix 3.7's; tests/smtpd/sasl_test.py compares them with it. */
#include "play.h"
#include <stdio.h>

#define GREETING \
	{ \
		NULL, "220 mx.test" \
	}
#define EHLO \
	{ \
		"EHLO client.example\r\n", "250-mx.test" \
	}
#define MAIL(sender) \
	{ \
		"MAIL FROM:<" sender ">\r\n", "250 2.1.0 Ok" \
	}
#define RCPT(rcpt, want) \
	{ \
		"RCPT TO:<" rcpt ">\r\n", want \
	}
#define RSET \
	{ \
		"RSET\r\n", "250 2.0.0 Ok" \
	}
#define LOGIN \
	{ \
		"AUTH PLAIN AGpvZQBz\r\n", "235 2.7.0 Authentication successful" \
	}
#define MESSAGE \
	{ "DATA\r\n", "354 " }, \
	{ \
		"Subject: x\r\n\r\n.\r\n", "250 2.0.0 Ok: queued" \
	}
#define SASL \
	"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n" \
	"smtpd_sasl_path = private/auth\nmynetworks = 192.0.2.0/24\n"

static const char *const welcome[] = { "OK\t@\tuser=joe\n", "OK\t@\tuser=joe\n",
	"OK\t@\tuser=joe\n", NULL };

static void
stage(const char *settings, const char *const *answers)
{
	struct buf conf CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&conf, SASL "%s", settings);
	play_conf(buf_cstr(&conf));
	play_auth = answers;
}

static const struct exchange logged_in[] = {
	GREETING,
	EHLO,
	LOGIN,
	{ "AUTH PLAIN =\r\n", "503 5.5.1 Error: already authenticated" },
	{ "MAIL FROM:<a@here.test> AUTH=e+3Dmc2@example.com\r\n", "250 2.1.0 Ok" },
	RCPT("far@away.example", "250 2.1.5 Ok"),
	MESSAGE,
};

TEST(who_has_logged_in_may_relay)
{
	stage("smtpd_sasl_authenticated_header = yes\n", welcome);
	PLAY(logged_in);
	CHECK_STR(play_mail.envelope.sasl_method, "PLAIN");
	CHECK_STR(play_mail.envelope.sasl_username, "joe");
	CHECK_STR(play_mail.envelope.sasl_sender, "e+3Dmc2@example.com");
	CHECK(str_find(play_mail.request.received,
		      STR("[127.0.0.1])\n\t(Authenticated sender: joe)\n"
			  "\tby mx.test (Postern) with ESMTPA id ")) > 0);
	CHECK(play_logged("client=localhost[127.0.0.1], sasl_method=PLAIN, "
			  "sasl_username=joe, sasl_sender=e+3Dmc2@example.com\n"));
	CHECK(play_logged("ehlo=1 auth=1/2 mail=1 rcpt=1 data=1 "));
	CHECK(str_find(buf_str(&play_auth_asked),
		      STR("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\t"
			  "rip=127.0.0.1\tresp=AGpvZQBz\n")) > 0);
}

static const struct exchange stranger[] = {
	GREETING,
	EHLO,
	{ "MAIL FROM:<a@here.test> AUTH=joe@here.test\r\n", "250 2.1.0 Ok" },
	RCPT("far@away.example", "454 4.7.1 <far@away.example>: Relay access denied"),
	RCPT("user@here.test", "250 2.1.5 Ok"),
	{ "AUTH PLAIN =\r\n", "503 5.5.1 Error: MAIL transaction in progress" },
	MESSAGE,
};

TEST(who_has_not_is_not_believed)
{
	stage("", welcome);
	PLAY(stranger);
	CHECK(play_logged("client=localhost[127.0.0.1], sasl_sender=joe@here.test\n"));
	CHECK(str_find(play_mail.request.received, STR("with ESMTP id")) > 0);
}

static const struct exchange only_ehlo[] = { GREETING, EHLO };
static const struct {
	const char *settings;
	const char *offer; /* NULL: none */
} offers[] = {
	{ "", "250-AUTH PLAIN LOGIN SCRAM-SHA-256\n" },
	{ "smtpd_sasl_security_options =\n",
		"250-AUTH PLAIN LOGIN ANONYMOUS SCRAM-SHA-256\n" },
	{ "smtpd_sasl_security_options = noanonymous, noplaintext\n",
		"250-AUTH SCRAM-SHA-256\n" },
	{ "smtpd_sasl_mechanism_filter = !login, static:rest\n",
		"250-AUTH PLAIN SCRAM-SHA-256\n" },
	{ "smtpd_sasl_mechanism_filter = plain\n", "250-AUTH PLAIN\n" },
	{ "broken_sasl_auth_clients = yes\nsmtpd_sasl_mechanism_filter = plain\n",
		"250-AUTH PLAIN\n250-AUTH=PLAIN\n" },
	{ "smtpd_tls_auth_only = yes\n", NULL },
	{ "smtpd_sasl_exceptions_networks = !127.0.0.2, 127.0.0.0/8\n", NULL },
	{ "smtpd_sasl_exceptions_networks = !127.0.0.1, 127.0.0.0/8\n", "250-AUTH " },
	{ "smtpd_discard_ehlo_keywords = auth\n", NULL },
	{ "smtpd_sasl_security_options = forward_secrecy\n", NULL },
};

TEST(what_is_offered)
{
	for (size_t i = 0; i < COUNT(offers); i++) {
		stage(offers[i].settings, welcome);
		PLAY(only_ehlo);
		test_row(i);
		if (offers[i].offer)
			CHECK(str_find(buf_str(&play_said), str_c(offers[i].offer)) > 0);
		else
			CHECK(str_find(buf_str(&play_said), STR("AUTH")) < 0);
	}
	CHECK(play_logged("warning: no SASL authentication mechanisms\n"));
}

/* Only the last line has a blank behind its code, whichever that is. */
TEST(the_old_form_may_come_last)
{
	stage("broken_sasl_auth_clients = yes\nsmtputf8_enable = no\n"
	      "smtpd_discard_ehlo_keywords = silent-discard pipelining size vrfy etrn "
	      "xclient enhancedstatuscodes 8bitmime dsn chunking\n",
		welcome);
	PLAY(only_ehlo);
	CHECK(str_ends(buf_str(&play_said),
		STR("250-mx.test\n250-AUTH PLAIN LOGIN SCRAM-SHA-256\n"
		    "250 AUTH=PLAIN LOGIN SCRAM-SHA-256\n")));
}

static const char *const answers[] = { "CONT\t@\tVXNlcm5hbWU6\n",
	"CONT\t@\tUGFzc3dvcmQ6\n", "FAIL\t@\tuser=joe\n", "CONT\t@\t\n", "CONT\t@\t\n",
	"CONT\t@\t\n", "FAIL\t@\treason=Not today\n", "FAIL\t@\tuser=joe\ttemp\n", NULL };
static const struct exchange refusals[] = {
	GREETING,
	{ "HELO client.example\r\n", "250 mx.test" },
	{ "AUTH\r\n", "501 5.5.4 Syntax: AUTH mechanism" },
	{ "AUTH PLAIN a b\r\n", "501 5.5.4 Syntax: AUTH mechanism" },
	{ "AUTH FOO\r\n",
		"535 5.7.8 Error: authentication failed: Invalid authentication "
		"mechanism" },
	{ "AUTH ANONYMOUS\r\n",
		"535 5.7.8 Error: authentication failed: Invalid authentication "
		"mechanism" },
	{ "AUTH PLAIN !!\r\n",
		"535 5.7.8 Error: authentication failed: Invalid base64 data in initial "
		"response" },
	{ "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" },
	{ "am9l\r\n", "334 UGFzc3dvcmQ6" },
	{ "cHc=\r\n", "535 5.7.8 Error: authentication failed: (reason unavailable)" },
	{ "AUTH PLAIN\r\n", "334 " },
	{ "*\r\n", "501 5.7.0 Authentication aborted" },
	{ "AUTH PLAIN\r\n", "334 " },
	{ "not base64!\r\n",
		"535 5.7.8 Error: authentication failed: Invalid base64 data in "
		"continued response" },
	{ "AUTH PLAIN\r\n", "334 " },
	{ NULL, NULL },
};

/* The last row above is followed by a line that is too long. */
TEST(authentication_that_fails)
{
	static char too_long[12400];
	struct exchange rows[COUNT(refusals) + 3];

	memset(too_long, 'A', sizeof(too_long));
	memcpy(too_long + sizeof(too_long) - 3, "\r\n", 3);
	memcpy(rows, refusals, sizeof(refusals));
	rows[COUNT(refusals) - 1] =
		(struct exchange){ too_long, "500 5.5.6 SASL response limit exceeded" };
	rows[COUNT(refusals)] = (struct exchange){ "AUTH PLAIN =\r\n",
		"535 5.7.8 Error: authentication failed: Not today" };
	rows[COUNT(refusals) + 1] = (struct exchange){ "AUTH PLAIN =\r\n",
		"454 4.7.0 Temporary authentication failure: (reason unavailable)" };
	rows[COUNT(refusals) + 2] = (struct exchange){ "QUIT\r\n", "221 " };
	stage("", answers);
	PLAY(rows);
	CHECK(play_logged(
		"warning: localhost[127.0.0.1]: SASL LOGIN authentication failed: "
		"(reason unavailable), sasl_username=joe\n"));
	CHECK(play_logged("warning: localhost[127.0.0.1]: SASL PLAIN authentication "
			  "aborted\n"));
	CHECK(play_logged("SASL FOO authentication failed: Invalid authentication "
			  "mechanism, sasl_username=(unavailable)\n"));
	CHECK(play_logged("request longer than 12288\n"));
	CHECK(!play_logged("AAAA"));
	CHECK(str_find(buf_str(&play_auth_asked),
		      STR("AUTH\t1\tLOGIN\tservice=smtp\tnologin\tlip=127.0.0.1\t"
			  "rip=127.0.0.1\n")) > 0);
	/* What was given up is not waited for. */
	CHECK(str_find(buf_str(&play_auth_asked), STR("CANCEL\t2\n")) > 0);
}

static const struct exchange without_server[] = {
	GREETING,
	EHLO,
	{ "AUTH PLAIN =\r\n",
		"454 4.7.0 Temporary authentication failure: Connection lost to "
		"authentication server" },
	MAIL("a@client.example"),
	RCPT("user@here.test", "250 2.1.5 Ok"),
	MESSAGE,
};

TEST(mail_goes_on_without_the_auth_server)
{
	stage("", NULL);
	PLAY(without_server);
	CHECK(str_find(buf_str(&play_said), STR("250-AUTH")) < 0);
	CHECK(play_logged("warning: SASL: Connect to Dovecot auth socket 'private/auth' "
			  "failed: Connection refused\n"));
}

static const struct exchange not_enabled[] = {
	GREETING,
	EHLO,
	{ "AUTH PLAIN =\r\n", "503 5.5.1 Error: authentication not enabled" },
	{ "XCLIENT LOGIN=joe\r\n", "220 " },
	MAIL("a@client.example"),
	RCPT("user@here.test", "250 2.1.5 Ok"),
};

TEST(auth_has_to_be_enabled)
{
	stage("smtpd_sasl_auth_enable = no\nsmtpd_sender_restrictions = "
	      "reject_sender_login_mismatch, check_sasl_access inline:{joe=reject}\n",
		welcome);
	PLAY(not_enabled);
	CHECK(play_logged(
		"warning: restriction `reject_sender_login_mismatch' ignored: no "
		"SASL support\n"));
	CHECK(play_logged("client=localhost[127.0.0.1], sasl_method=XCLIENT, "
			  "sasl_username=joe\n"));
	stage("smtpd_tls_auth_only = yes\n", welcome);
	play(not_enabled, 3);
	stage("smtpd_discard_ehlo_keywords = auth\n", welcome);
	play(not_enabled, 3);
}

/* The addresses of login maps; rows are MAIL and what RCPT says about it. */
#define OWNED(list) \
	"smtpd_sender_login_maps = inline:{ joe@own.test=joe, " \
	"{ shared@own.test = ann, joe }, ann@own.test=ann, @all.test=joe, user=ann }\n" \
	"recipient_delimiter = +\nsmtpd_sender_restrictions = " list "\n"
#define NOT_OWNED(sender) \
	"553 5.7.1 <" sender ">: Sender address rejected: not owned by user joe"
#define NOT_LOGGED_IN(sender) \
	"553 5.7.1 <" sender ">: Sender address rejected: not logged in"

static const struct {
	const char *restriction, *sender, *known, *unknown; /* replies; NULL: taken */
} mismatches[] = {
	{ "reject_sender_login_mismatch", "joe@own.test", NULL,
		NOT_LOGGED_IN("joe@own.test") },
	{ "reject_sender_login_mismatch", "JOE+x@own.test", NULL,
		NOT_LOGGED_IN("JOE+x@own.test") },
	{ "reject_sender_login_mismatch", "shared@own.test", NULL,
		NOT_LOGGED_IN("shared@own.test") },
	{ "reject_sender_login_mismatch", "ann@own.test", NOT_OWNED("ann@own.test"),
		NOT_LOGGED_IN("ann@own.test") },
	{ "reject_sender_login_mismatch", "x@all.test", NULL,
		NOT_LOGGED_IN("x@all.test") },
	{ "reject_sender_login_mismatch", "user@here.test", NOT_OWNED("user@here.test"),
		NOT_LOGGED_IN("user@here.test") },
	{ "reject_sender_login_mismatch", "x@free.test", NOT_OWNED("x@free.test"), NULL },
	{ "reject_sender_login_mismatch", "", NULL, NULL },
	{ "reject_authenticated_sender_login_mismatch", "ann@own.test",
		NOT_OWNED("ann@own.test"), NULL },
	{ "reject_authenticated_sender_login_mismatch", "x@free.test",
		NOT_OWNED("x@free.test"), NULL },
	{ "reject_known_sender_login_mismatch", "ann@own.test", NOT_OWNED("ann@own.test"),
		NOT_LOGGED_IN("ann@own.test") },
	{ "reject_known_sender_login_mismatch", "x@free.test", NULL, NULL },
	{ "reject_unauthenticated_sender_login_mismatch", "ann@own.test", NULL,
		NOT_LOGGED_IN("ann@own.test") },
	{ "reject_unauthenticated_sender_login_mismatch", "x@free.test", NULL, NULL },
};

TEST(whose_address_the_sender_is)
{
	for (size_t i = 0; i < COUNT(mismatches); i++)
		for (int known = 0; known < 2; known++) {
			struct buf conf CLEANUP(buf_free) = BUF_INIT;
			char mail[100];
			const char *want =
				known ? mismatches[i].known : mismatches[i].unknown;
			struct exchange rows[] = {
				GREETING,
				EHLO,
				LOGIN,
				{ mail, "250 2.1.0 Ok" },
				{ "RCPT TO:<user@here.test>\r\n",
					want ? want : "250 2.1.5 Ok" },
			};

			snprintf(mail, sizeof(mail), "MAIL FROM:<%s>\r\n",
				mismatches[i].sender);
			buf_printf(&conf, OWNED("%s"), mismatches[i].restriction);
			stage(buf_cstr(&conf), welcome);
			if (!known)
				rows[2] = (struct exchange){ "NOOP\r\n", "250 " };
			PLAY(rows);
			test_row(i);
			CHECK(!known || !want ||
				play_logged(" sasl_method=PLAIN sasl_username=joe\n"));
		}
}

static const struct exchange by_xclient[] = {
	GREETING,
	EHLO,
	{ "XCLIENT LOGIN=a+5Fb\r\n", "220 " },
	EHLO,
	{ "AUTH PLAIN =\r\n", "503 5.5.1 Error: already authenticated" },
	MAIL("a@client.example"),
	RCPT("user@here.test",
		"554 5.7.1 <a_b>: SASL login name rejected: Access denied"),
	RSET,
	{ "XCLIENT NAME=x.example\r\n", "220 " },
	LOGIN,
	MAIL("a@client.example"),
	RCPT("user@here.test", "250 2.1.5 Ok"),
	RSET,
	{ "XCLIENT LOGIN=[UNAVAILABLE]\r\n", "220 " },
	LOGIN,
};

TEST(a_front_may_say_who_has_logged_in)
{
	stage("smtpd_sender_restrictions = check_sasl_access inline:{a_b=reject}\n",
		welcome);
	PLAY(by_xclient);
	CHECK(play_logged("sasl_method=XCLIENT sasl_username=a_b\n"));
}

static const struct exchange nobody_special[] = {
	GREETING,
	EHLO,
	{ "AUTH ANONYMOUS =\r\n", "235 2.7.0 " },
	MAIL("a@client.example"),
	RCPT("far@away.example", "454 4.7.1 <far@away.example>: Relay access denied"),
};

TEST(anonymous_is_nobody)
{
	stage("smtpd_sasl_security_options =\n", welcome);
	PLAY(nobody_special);
}

static const struct exchange asks_policy[] = {
	GREETING,
	EHLO,
	LOGIN,
	MAIL("a@client.example"),
	RCPT("user@here.test", "250 2.1.5 Ok"),
};

TEST(policy_servers_hear_of_it)
{
	stage("smtpd_recipient_restrictions = check_policy_service inet:x:1\n", welcome);
	play_policy = "action=dunno\n\n";
	PLAY(asks_policy);
	CHECK(str_find(buf_str(&play_policy_asked),
		      STR("\nsasl_method=PLAIN\nsasl_username=joe\nsasl_sender=\n")) > 0);
}
