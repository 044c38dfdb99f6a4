/* report_test.c -- notices, word for word where programs read them. */
#include "report.h"
#include "test.h"
#include <stdio.h>

static struct arena *arena;
static struct conf conf;
static bool postmaster;

static struct str
make(struct notice_request *n, struct envelope *e)
{
	struct buf out = BUF_INIT;
	static struct template template = {
		.charset = STR_INIT("us-ascii"),
		.from = STR_INIT("post <post>"),
		.subject = STR_INIT("It came back"),
		.postmaster_subject = STR_INIT("Somebody's came back"),
	};
	struct report r = { .conf = &conf,
		.notice = n,
		.envelope = e,
		.words = { &template, STR("Sorry.\n") },
		.postmaster = postmaster,
		.to = STR("sender@example.org"),
		.now_us = 1700000000ull * 1000000 };
	struct str text;

	conf.p.myhostname = STR("mx.example.net");
	conf.p.myorigin = STR("example.net");
	conf.p.bounce_size_limit = 50000;
	conf.p.smtputf8_enable = true;
	conf.p.requiretls_enable = true;
	report_head(&r, &out);
	report_tail(&r, &out);
	text = arena_str(arena, buf_str(&out));
	buf_free(&out);
	return text;
}

static bool
has(struct str text, const char *part)
{
	return str_find(text, str_c(part)) >= 0;
}

TEST(a_failure_notice_has_what_programs_read)
{
	struct notice_rcpt rcpt = { .address = STR("nobody@example.com"),
		.original = STR("alias@example.net"),
		.orcpt = STR("rfc822;alias@example.net"),
		.action = STR("failed"),
		.code = STR("5.1.1"),
		.text = STR("host mx[192.0.2.1] said: 550 no\nsuch user") };
	struct notice_request n = {
		.kind = NOTICE_FAILURE, .rcpts = &rcpt, .n_rcpts = 1
	};
	struct envelope e = { .queue_id = STR("OLDID"),
		.sender = STR("sender@example.org"),
		.envid = STR("env1") };
	struct str text;

	arena = arena_new();
	text = make(&n, &e);
	CHECK(has(text, "From: post <post>\nSubject: It came back\n"));
	CHECK(has(text, "Content-Type: text/plain; charset=utf-8\n"
			"Content-Transfer-Encoding: 8bit\n\nSorry.\n\n<nobody@"));
	CHECK(has(text, "Content-Type: multipart/report; report-type=delivery-status;\n"
			"\tboundary=\"OLDID.1700000000/mx.example.net\"\n"));
	CHECK(has(text, "Auto-Submitted: auto-replied\n"));
	CHECK(has(text,
		"\nReporting-MTA: dns; mx.example.net\nOriginal-Envelope-Id: env1\n"
		"X-Postfix-Queue-ID: OLDID\n"
		"X-Postfix-Sender: rfc822; sender@example.org\nArrival-Date: "));
	CHECK(has(text, "\nFinal-Recipient: rfc822; nobody@example.com\n"
			"Original-Recipient: rfc822;alias@example.net\n"
			"Action: failed\nStatus: 5.1.1\n"
			"Diagnostic-Code: X-Postfix; host mx[192.0.2.1] said: 550 no "
			"such user\n"));
	CHECK(has(text, "Content-Description: Undelivered Message\n"
			"Content-Type: message/rfc822\n"));
	CHECK(str_ends(text, STR("\n--OLDID.1700000000/mx.example.net--\n")));
	arena_free(arena);
}

TEST(the_postmaster_reads_other_words)
{
	struct notice_rcpt rcpt = { .address = STR("a@b") };
	struct notice_request n = {
		.kind = NOTICE_FAILURE, .rcpts = &rcpt, .n_rcpts = 1
	};
	struct envelope e = { .queue_id = STR("Q"), .sender = STR("s@t") };
	struct str text;

	arena = arena_new();
	postmaster = true;
	text = make(&n, &e);
	postmaster = false;
	CHECK(has(text, "Subject: Somebody's came back\n"));
	CHECK(!has(text, "Sorry."));
	arena_free(arena);
}

TEST(a_remote_reply_is_an_smtp_diagnostic)
{
	struct dsn_detail detail = { .remote_mta = STR("mx.example.com"),
		.diagnostic = STR("550 5.1.1 unknown"),
		.diagnostic_is_smtp = 1 };
	struct buf coded CLEANUP(buf_free) = BUF_INIT;
	struct notice_rcpt rcpt = { .address = STR("a@b"),
		.action = STR("failed"),
		.code = STR("5.1.1"),
		.text = STR("host said so") };
	struct notice_request n = {
		.kind = NOTICE_FAILURE, .rcpts = &rcpt, .n_rcpts = 1
	};
	struct envelope e = { .queue_id = STR("Q"), .sender = STR("s@t") };
	struct str text;

	arena = arena_new();
	dsn_detail_put(&coded, &detail);
	rcpt.detail = buf_str(&coded);
	text = make(&n, &e);
	CHECK(has(text, "Remote-MTA: dns; mx.example.com\n"
			"Diagnostic-Code: smtp; 550 5.1.1 unknown\n"));
	arena_free(arena);
}

TEST(long_reasons_are_folded)
{
	struct notice_rcpt rcpt = { .address = STR("a@b.example"),
		.action = STR("failed"),
		.code = STR("5.1.1"),
		.text = STR(
			"host mx.example[192.0.2.1] said: 550 5.1.1 no such user here, "
			"sorry (in reply to RCPT TO command)") };
	struct notice_request n = {
		.kind = NOTICE_FAILURE, .rcpts = &rcpt, .n_rcpts = 1
	};
	struct envelope e = { .queue_id = STR("Q"), .sender = STR("s@t") };
	struct str text;

	arena = arena_new();
	text = make(&n, &e);
	CHECK(has(text, "\n<a@b.example>: host mx.example[192.0.2.1] said: 550 5.1.1 no "
			"such user "
			"here,\n    sorry (in reply to RCPT TO command)\n"));
	CHECK(has(text,
		"\nDiagnostic-Code: X-Postfix; host mx.example[192.0.2.1] said: 550 "
		"5.1.1 no such\n    user here, sorry (in reply to RCPT TO command)\n"));
	CHECK(has(text, "\nOriginal-Recipient: rfc822;a@b.example\n"));
	arena_free(arena);
}

static const struct {
	uint8_t ret;
	uint64_t size;
	uint32_t flags;
	const char *want;
} returned[] = {
	{ RET_NONE, 100, 0,
		"Undelivered Message\nContent-Type: message/rfc822\n"
		"Content-Transfer-Encoding: 8bit\n" },
	{ RET_HDRS, 100, 0,
		"Undelivered Message Headers\nContent-Type: text/rfc822-headers\n" },
	{ RET_FULL, 60000, 0,
		"Undelivered Message Headers\nContent-Type: text/rfc822-headers\n" },
	{ RET_NONE, 100, ENVELOPE_SMTPUTF8,
		"Undelivered Message\nContent-Type: message/global\n"
		"Content-Transfer-Encoding: 8bit\n" },
	{ RET_FULL, 100, ENVELOPE_REQUIRETLS,
		"Undelivered Message Headers\nContent-Type: text/rfc822-headers\n" },
	{ RET_NONE, 100, ENVELOPE_TLS_OPTIONAL, "\nTLS-Required: No\n" },
	{ RET_NONE, 100, ENVELOPE_8BIT,
		"Undelivered Message\nContent-Type: message/rfc822\n"
		"Content-Transfer-Encoding: 8bit\n" },
};

TEST(the_message_comes_back_whole_or_not)
{
	for (size_t i = 0; i < COUNT(returned); i++) {
		struct notice_request n = { .kind = NOTICE_FAILURE,
			.size = returned[i].size };
		struct envelope e = { .sender = STR("s@t"),
			.ret = returned[i].ret,
			.flags = returned[i].flags };

		test_row(i);
		arena = arena_new();
		CHECK(has(make(&n, &e), returned[i].want));
		arena_free(arena);
	}
}

TEST_MAIN()
