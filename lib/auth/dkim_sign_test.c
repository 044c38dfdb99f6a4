/* dkim_sign_test.c -- what a signature says and what it is made over. That others verify
 * it is tests/auth/dkim_sign_test.py's matter. */
#include "dkim_sign.h"
#include "test.h"
#include "tls_sign.h"

static const char message[] = "Received: from a by b;\r\n\tsome day\r\n"
			      "From: A <a@example.org>\r\n"
			      "Subject : first\r\n"
			      "To: b@example.net\r\n"
			      "Subject: second\r\n"
			      "\r\n"
			      "Text \r\n\r\n";

static const struct str usual[] = { STR_INIT("Subject"), STR_INIT("to"), STR_INIT("Cc"),
	STR_INIT("SUBJECT") };
static const struct str over[] = { STR_INIT("To"), STR_INIT("Date"), STR_INIT("from") };

static struct dkim_plan
plan_of(void)
{
	return (struct dkim_plan){ .domain = STR("example.org"),
		.selector = STR("2026a"),
		.header = DKIM_RELAXED,
		.body = DKIM_RELAXED,
		.fields = { (struct str *)(uintptr_t)usual, COUNT(usual) },
		.oversigned = { (struct str *)(uintptr_t)over, COUNT(over) },
		.at = 1000000000,
		.valid_for = 86400 };
}

static struct dkim_content *
content_of(struct str text, size_t step)
{
	struct dkim_content *c = dkim_content_new(true, true);

	CHECK(c != NULL);
	for (size_t at = 0; at < text.len; at += step)
		dkim_content_add(c, str_sub(text, at, step));
	CHECK_INT(dkim_content_end(c), 0);
	return c;
}

TEST(a_field_says_what_was_planned)
{
	static const char want[] =
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\n"
		"\ts=2026a; t=1000000000; x=1000086400;\n"
		"\th=from:from:subject:subject:to:to:date;\n"
		"\tbh=gg/FhUFa+9XzLrJSR/oNATmgr5VjzvtvKz2dM6K9U/k=;\n"
		"\tb=";
	/* The last of several fields comes first (section 5.4.2). */
	static const char hashed[] =
		"from:A <a@example.org>\r\nsubject:second\r\nsubject:first\r\n"
		"to:b@example.net\r\n"
		"dkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; "
		"s=2026a; t=1000000000; x=1000086400; "
		"h=from:from:subject:subject:to:to:date; "
		"bh=gg/FhUFa+9XzLrJSR/oNATmgr5VjzvtvKz2dM6K9U/k=; b=";
	struct dkim_plan plan = plan_of();
	unsigned char hash[DKIM_HASH], wanted[DKIM_HASH];
	struct why why;

	CHECK_INT(digest_of(DIGEST_SHA256, str_c(hashed), wanted), 0);
	for (size_t step = 1; step <= sizeof(message); step++) {
		struct buf field CLEANUP(buf_free) = BUF_INIT;
		struct dkim_content *c = content_of(str_c(message), step);

		CHECK_INT(dkim_sign_begin(&plan, c, &field, hash, &why), 0);
		CHECK_STR(buf_str(&field), want);
		CHECK(memcmp(hash, wanted, sizeof(hash)) == 0);
		dkim_content_free(c);
	}
}

TEST(simple_fields_stay_as_they_are)
{
	struct dkim_plan plan = plan_of();
	struct dkim_content *c = content_of(str_c(message), 7);
	struct buf field CLEANUP(buf_free) = BUF_INIT,
			 hashed CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DKIM_HASH], wanted[DKIM_HASH];
	struct why why;

	plan.header = DKIM_SIMPLE;
	plan.algorithm = DKIM_ED25519_SHA256;
	plan.valid_for = 0;
	CHECK_INT(dkim_sign_begin(&plan, c, &field, hash, &why), 0);
	CHECK(str_find(buf_str(&field), STR("a=ed25519-sha256; c=simple/relaxed;")) > 0);
	CHECK(str_find(buf_str(&field), STR(" x=")) < 0);
	buf_addz(&hashed, "From: A <a@example.org>\r\nSubject: second\r\n"
			  "Subject : first\r\nTo: b@example.net\r\n");
	dkim_canon_field(DKIM_SIMPLE, buf_str(&field), &hashed);
	CHECK_INT(digest_of(DIGEST_SHA256, str_sub(buf_str(&hashed), 0, hashed.len - 2),
			  wanted),
		0);
	CHECK(memcmp(hash, wanted, sizeof(hash)) == 0);
	dkim_content_free(c);
}

static void
check_refused(const struct dkim_plan *plan, const char *text)
{
	struct dkim_content *c = content_of(str_c(text), 1000);
	struct buf field CLEANUP(buf_free) = BUF_INIT;
	unsigned char hash[DKIM_HASH];
	struct why why = { "", "" };

	CHECK_INT(dkim_sign_begin(plan, c, &field, hash, &why), -1);
	CHECK(why.text[0]);
	CHECK_INT(field.len, 0);
	dkim_content_free(c);
}

TEST(what_cannot_be_signed_is_refused)
{
	static const struct str bad = STR_INIT("To;l=0");
	struct dkim_plan plan = plan_of();

	check_refused(&plan, "Subject: no author\n\nFrom: a@example.org\n");
	check_refused(&plan, "");
	plan.domain = STR("example.org; l=0");
	check_refused(&plan, message);
	plan = plan_of();
	plan.selector = STR("");
	check_refused(&plan, message);
	plan = plan_of();
	plan.fields = (struct strs){ (struct str *)(uintptr_t)&bad, 1 };
	check_refused(&plan, message);
}

TEST(names_are_judged)
{
	CHECK(dkim_name_is_domain(STR("a_b.example-1.org")));
	CHECK(!dkim_name_is_domain(STR("a..b")));
	CHECK(!dkim_name_is_domain(STR(".a")));
	CHECK(!dkim_name_is_domain(STR("a.")));
	CHECK(!dkim_name_is_domain(STR("a b")));
	CHECK(dkim_name_is_field(STR("X-Any_thing")));
	CHECK(!dkim_name_is_field(STR("")));
	CHECK(!dkim_name_is_field(STR("dkim-signature")));
	CHECK(!dkim_name_is_field(STR("a:b")));
}

/* Folded, and still one number when the blanks are gone. */
TEST(lines_are_short)
{
	struct dkim_plan plan = plan_of();
	struct buf many CLEANUP(buf_free) = BUF_INIT, field CLEANUP(buf_free) = BUF_INIT;
	struct buf signature CLEANUP(buf_free) = BUF_INIT,
			     back CLEANUP(buf_free) = BUF_INIT;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct dkim_content *c;
	unsigned char hash[DKIM_HASH];
	struct str rest, line;
	struct why why;
	ssize_t at;

	buf_addz(&many, "From: a\n");
	for (size_t i = 0; i < 100; i++)
		buf_addz(&many, "Subject: x\n");
	c = content_of(buf_str(&many), 1000);
	CHECK_INT(dkim_sign_begin(&plan, c, &field, hash, &why), 0);
	for (size_t i = 0; i < 256; i++)
		buf_addc(&signature, (char)i);
	dkim_sign_end(buf_str(&signature), &field);
	dkim_content_free(c);
	rest = buf_str(&field);
	CHECK(str_ends(rest, STR("\n")));
	while (str_split(&rest, '\n', &line))
		CHECK(line.len <= 76 - 7); /* the tab is one byte and eight columns */
	at = str_find(buf_str(&field), STR("\tb="));
	CHECK(at > 0);
	rest = str_from(buf_str(&field), (size_t)at + 3);
	while (str_token(&rest, "\n\t", &line))
		buf_add(&text, line);
	CHECK_INT(base64_decode(buf_str(&text), &back), 0);
	CHECK(str_eq(buf_str(&back), buf_str(&signature)));
}

TEST(a_table_says_who_signs)
{
	static const struct {
		const char *value;
		int n;                               /* -1: it is no such value */
		const char *domain, *selector, *key; /* of the last one */
	} rows[] = {
		{ "a:b", 1, "d.test", "a", "b" },
		{ "a:b, c:d.pem domain=e.test", 2, "e.test", "c", "d.pem" },
		{ "domain=e.test a:b:c", 1, "e.test", "a", "b:c" },
		{ "", -1, "", "", "" },
		{ "a", -1, "", "", "" },
		{ "a:", -1, "", "", "" },
		{ ":b", -1, "", "", "" },
		{ "a;:b", -1, "", "", "" },
		{ "domain=e.test", -1, "", "", "" },
		{ "a:b domain=", -1, "", "", "" },
		{ "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8", 8, "d.test", "a", "8" },
		{ "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9", -1, "", "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dkim_signer out[DKIM_SIGNERS_MOST];
		size_t n;
		bool good =
			dkim_signers_read(str_c(rows[i].value), STR("d.test"), out, &n);

		test_row(i);
		CHECK_INT(good ? (int)n : -1, rows[i].n);
		if (!good || (int)n != rows[i].n)
			continue;
		CHECK_STR(out[n - 1].domain, rows[i].domain);
		CHECK_STR(out[n - 1].selector, rows[i].selector);
		CHECK_STR(out[n - 1].key, rows[i].key);
	}
}

TEST_MAIN()
