/* Rows for esmtp.c. */
#include "esmtp.h"
#include "messages.h"
#include "test.h"

#define ALL ESMTP_ALL

static const struct {
	const char *text;
	unsigned extensions;
	enum verdict want;
	int code; /* when refused */
	octets_t size;
	uint8_t ret;
	const char *envid; /* NULL: none */
	bool eight_bit, smtputf8;
} mail_rows[] = {
	{ "", ALL, ACCEPT, 0, 0, 0, NULL, false, false },
	{ " SIZE=1000 BODY=8BITMIME", ALL, ACCEPT, 0, 1000, 0, NULL, true, false },
	{ " size=0 body=7bit smtputf8", ALL, ACCEPT, 0, 0, 0, NULL, false, true },
	{ "  RET=HDRS\tENVID=a+2Bb ", ALL, ACCEPT, 0, 0, RET_HDRS, "a+b", false, false },
	{ " RET=full", ALL, ACCEPT, 0, 0, RET_FULL, NULL, false, false },
	{ " SIZE=", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " SIZE", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " SIZE=-1", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " SIZE=12x", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " SIZE=99999999999999999999", ALL, ACCEPT, 0, INT64_MAX, 0, NULL, false,
		false },
	{ " SIZE=000000000000000000001", ALL, ACCEPT, 0, 1, 0, NULL, false, false },
	{ " BODY=BINARYMIME", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " RET=SOME", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " RET=FULL RET=HDRS", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " ENVID=", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " ENVID=a+0Ab", ALL, PERMFAIL, 501, 0, 0, NULL, false, false }, /* a newline */
	{ " ENVID=a+2", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " ENVID=a ENVID=b", ALL, PERMFAIL, 501, 0, 0, NULL, false, false },
	{ " FOO=BAR", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " BODY", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " SMTPUTF8=1", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " SIZE=1", 0, PERMFAIL, 555, 0, 0, NULL, false, false }, /* discarded */
	{ " XVERP", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " XVERP SIZE=1", ALL | ESMTP_XVERP, ACCEPT, 0, 1, 0, NULL, false, false },
	{ " xverp=+= SIZE=1", ALL | ESMTP_XVERP, ACCEPT, 0, 1, 0, NULL, false, false },
	{ " XVERPX", ALL | ESMTP_XVERP, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " REQUIRETLS", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
	{ " REQUIRETLS=1", ALL | ESMTP_REQUIRETLS, PERMFAIL, 555, 0, 0, NULL, false,
		false },
	{ " requiretls SIZE=1", ALL | ESMTP_REQUIRETLS, ACCEPT, 0, 1, 0, NULL, false,
		false },
	{ " =1", ALL, PERMFAIL, 555, 0, 0, NULL, false, false },
};

TEST(mail_parameters)
{
	for (size_t i = 0; i < COUNT(mail_rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct mail_parameters got = { .size = 0 };
		struct why why;
		int code;

		test_row(i);
		CHECK_INT(mail_parameters_parse(str_c(mail_rows[i].text),
				  mail_rows[i].extensions, arena, &got, &code, &why),
			mail_rows[i].want);
		if (mail_rows[i].want != ACCEPT) {
			CHECK_INT(code, mail_rows[i].code);
			CHECK_STR(str_c(why.code), "5.5.4");
			continue;
		}
		CHECK_INT((long long)got.size, (long long)mail_rows[i].size);
		CHECK_INT(got.ret, mail_rows[i].ret);
		CHECK(got.eight_bit == mail_rows[i].eight_bit);
		CHECK(got.smtputf8 == mail_rows[i].smtputf8);
		CHECK(got.requiretls ==
			((mail_rows[i].extensions & ESMTP_REQUIRETLS) != 0));
		if (mail_rows[i].envid)
			CHECK_STR(got.envid, mail_rows[i].envid);
		else
			CHECK(!got.envid.data);
	}
}

static const struct {
	const char *text;
	enum verdict want;
	uint8_t notify;
	const char *orcpt;
} rcpt_rows[] = {
	{ "", ACCEPT, 0, NULL },
	{ " NOTIFY=NEVER", ACCEPT, NOTIFY_NEVER, NULL },
	{ " NOTIFY=success,Failure,DELAY", ACCEPT,
		NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, NULL },
	{ " ORCPT=rfc822;bob+40x@example", ACCEPT, 0, "rfc822;bob@x@example" },
	{ " ORCPT=utf-8;b\303\266b@example", ACCEPT, 0, "utf-8;b\303\266b@example" },
	{ " NOTIFY=NEVER,SUCCESS", PERMFAIL, 0, NULL },
	{ " NOTIFY=", PERMFAIL, 0, NULL },
	{ " NOTIFY", PERMFAIL, 0, NULL },
	{ " NOTIFY=SUCCESS,", PERMFAIL, 0, NULL },
	{ " NOTIFY=,SUCCESS", PERMFAIL, 0, NULL },
	{ " NOTIFY=SUCCESS NOTIFY=DELAY", PERMFAIL, 0, NULL },
	{ " ORCPT=utf-8;b\001b@example", PERMFAIL, 0, NULL },
	{ " ORCPT=utf-8;b\177b@example", PERMFAIL, 0, NULL },
	{ " ORCPT=bob@example", PERMFAIL, 0, NULL },
	{ " ORCPT=;bob@example", PERMFAIL, 0, NULL },
	{ " ORCPT=rfc822;", PERMFAIL, 0, NULL },
	{ " ORCPT=rfc822;a+00b", PERMFAIL, 0, NULL },
	{ " ORCPT=rfc 822;a", PERMFAIL, 0, NULL },
	{ " SIZE=3", PERMFAIL, 0, NULL },
};

TEST(rcpt_parameters)
{
	for (size_t i = 0; i < COUNT(rcpt_rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct rcpt_parameters got = { .notify = 0 };
		struct why why;
		int code;

		test_row(i);
		CHECK_INT(rcpt_parameters_parse(str_c(rcpt_rows[i].text), ALL, arena,
				  &got, &code, &why),
			rcpt_rows[i].want);
		if (rcpt_rows[i].want != ACCEPT)
			continue;
		CHECK_INT(got.notify, rcpt_rows[i].notify);
		if (rcpt_rows[i].orcpt)
			CHECK_STR(got.orcpt, rcpt_rows[i].orcpt);
		else
			CHECK(!got.orcpt.data);
	}
}

TEST(long_values_are_refused)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct mail_parameters mail = { .size = 0 };
	struct why why;
	int code;

	buf_addz(&text, " ENVID=");
	for (int i = 0; i < 100; i++)
		buf_addc(&text, 'x');
	CHECK_INT(mail_parameters_parse(buf_str(&text), ALL, arena, &mail, &code, &why),
		ACCEPT);
	buf_addc(&text, 'x');
	mail.envid = STR_NONE;
	CHECK_INT(mail_parameters_parse(buf_str(&text), ALL, arena, &mail, &code, &why),
		PERMFAIL);
}

static const struct {
	const char *text;
	bool want;
	octets_t count;
	bool last;
} chunk_rows[] = {
	{ "0 LAST", true, 0, true },
	{ "86400", true, 86400, false },
	{ "9223372036854775807 last", true, INT64_MAX, true },
	{ "9223372036854775808", false, 0, false },
	{ "", false, 0, false },
	{ "x", false, 0, false },
	{ "-1", false, 0, false },
	{ "1 LAST LAST", false, 0, false },
	{ "1 FIRST", false, 0, false },
};

TEST(bdat)
{
	for (size_t i = 0; i < COUNT(chunk_rows); i++) {
		octets_t count = 0;
		bool last = false;

		test_row(i);
		CHECK_INT(bdat_parse(str_c(chunk_rows[i].text), &count, &last),
			chunk_rows[i].want);
		if (chunk_rows[i].want) {
			CHECK(count == chunk_rows[i].count);
			CHECK_INT(last, chunk_rows[i].last);
		}
	}
}

TEST_MAIN()
