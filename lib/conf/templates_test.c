/* templates_test.c -- what was seen with Postfix 3.7 (but for its numbers of lines, which
 * are one too large). */
#include "templates.h"
#include "test.h"

static struct arena *arena;
static struct conf_issues issues;
static struct templates templates;
static struct conf *conf;

static void
begin(void)
{
	arena = arena_new();
	conf_issues_init(&issues);
	conf = conf_open(NULL, STR_NONE, NULL, &issues);
	conf->p.myhostname = STR("mx.xn--bcher-kva.example");
	conf->p.mydomain = STR("xn--bcher-kva.example");
	conf->p.smtputf8_enable = true;
	conf->p.delay_warning_time = (msec_t)90 * 60 * 1000;
	conf->p.maximal_queue_lifetime = (msec_t)108 * 3600 * 1000;
}

static void
end(void)
{
	conf_free(conf);
	conf_issues_free(&issues);
	arena_free(arena);
}

/* Everything that was said, in lines. */
static struct str
said(void)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < issues.list.n; i++)
		buf_printf(&all, "%s%s" STR_FMT, i ? "\n" : "",
			issues.list.items[i].fatal ? "fatal: " : "",
			STR_ARG(issues.list.items[i].text));
	return arena_str(arena, buf_str(&all));
}

TEST(what_is_built_in)
{
	struct str text;

	begin();
	CHECK_INT(templates_read(&templates, "", arena, &issues), 0);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		const struct template *t = &templates.of[i];

		test_row(i);
		CHECK_STR(t->charset, "us-ascii");
		CHECK_STR(t->from, "Mail Delivery System <MAILER-DAEMON>");
		CHECK(t->subject.len > 0);
		CHECK_INT(templates_expand(&templates, (enum template_kind)i, conf, arena,
				  &text, &issues),
			0);
		CHECK(str_find(text, STR("$")) < 0);
		CHECK_INT(t->postmaster_subject.data != NULL,
			i == TEMPLATE_FAILURE || i == TEMPLATE_DELAY);
	}
	CHECK_STR(said(), "");
	end();
}

#define SUBJECT "Undelivered Mail Returned to Sender"
#define IGNORED " -- ignoring this template"

/* In `file`, @ stands for the first line, which begins the failure template. */
static const struct {
	const char *file;
	const char *subject, *text; /* text NULL: the built-in template */
	const char *said;
} rows[] = {
	{ "@Subject: a\nCharset: utf-8\n\nText\n\n  more  \nEOF\n", "a",
		"Text\n\n  more  \n", "" },
	{ "@sUBJECT : a\n\n\n\nText\nFrom: x\nEOF\n", "a", "Text\nFrom: x\n", "" },
	{ "@\n\nSubject: a\n\nText\nEOF\n", "a", "Text\n", "" },
	{ "@Subject: a\n\nFrom: x\nEOF\n", "a", "From: x\n", "" },
	{ "@Subject: a\nNo header\n\nText\nEOF\n", "a", "No header\n\nText\n", "" },
	{ "@Subject: a\n: x\nEOF\n", "a", ": x\n", "" },
	{ "@Subject: a\n b\nEOF\n", "a", " b\n", "" },
	{ "@Text\nEOF \n EOF\nEOF\n", SUBJECT, "Text\nEOF \n EOF\n", "" },
	{ "@Subject: a\n\nText\nEOF\nfailure_template=<<X\nSubject: b\n\nother\nX\n", "b",
		"other\n", "" },
	{ "# c\n \t\n  failure_template = text $x\n", SUBJECT, "text $x\n", "" },
	{ "@Charset: utf-8\n\nb\303\244\nEOF\n", SUBJECT, "b\303\244\n", "" },
	/* What is wrong with one template: */
	{ "@Subject: a\n\nText\nEOF\nfailure_template=\n", SUBJECT, NULL,
		"f: missing message text in failure template" IGNORED },
	{ "@Bogus: x\n\nText\nEOF\n", SUBJECT, NULL,
		"f: unknown \"Bogus\" header label in failure template" IGNORED },
	{ "@Subject: \n\nText\nEOF\n", SUBJECT, NULL,
		"f: empty \"Subject\" header value in failure template" IGNORED },
	{ "@Subject: \303\244\n\nText\nEOF\n", SUBJECT, NULL,
		"f: non-ASCII \"Subject\" header value in failure template" IGNORED },
	{ "success_template = <<EOF\nPostmaster-Subject: x\n\nText\nEOF\n", SUBJECT, NULL,
		"f: inapplicable \"Postmaster-Subject\" header label in success "
		"template" IGNORED },
	{ "@Subject: a\nEOF\n", SUBJECT, NULL,
		"f: missing message text in failure template" IGNORED },
	{ "failure_template =\n", SUBJECT, NULL,
		"f: missing message text in failure template" IGNORED },
	{ "@Subject: a\n\nb\303\244\nEOF\n", SUBJECT, NULL,
		"f: 8-bit message text in failure template\n"
		"please specify a charset value other than us-ascii\n"
		"-- ignoring this template for now" },
	{ "other_template = <<EOF\nText\nEOF\n", SUBJECT, NULL,
		"f, line 3: unknown template name: other_template" IGNORED },
	{ "@Subject: a\n\nText\n", "a", "Text\n",
		"f, line 4: missing \"EOF\" end marker" },
	/* ... with the file: */
	{ "@Subject: a\n\nText\nEOF\nbla bla\n", SUBJECT, NULL,
		"fatal: f, line 6: missing '=' after attribute name: \"bla bla\"" },
	{ "failure_template = a\n  b\n", SUBJECT, NULL,
		"fatal: f, line 2: missing '=' after attribute name: \"  b\"" },
	{ "= x\n", SUBJECT, NULL, "fatal: f, line 1: missing attribute name: \"= x\"" },
	{ "failure_template = <<\n", SUBJECT, NULL,
		"fatal: f, line 1: missing end marker after <<" },
};

TEST(files_as_people_write_them)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf file CLEANUP(buf_free) = BUF_INIT;
		const struct template *t = &templates.of[TEMPLATE_FAILURE];

		test_row(i);
		begin();
		if (rows[i].file[0] == '@')
			buf_addz(&file, "failure_template = <<EOF\n");
		buf_addz(&file, rows[i].file + (rows[i].file[0] == '@'));
		CHECK_INT(templates_parse(
				  &templates, STR("f"), buf_str(&file), arena, &issues),
			strncmp(rows[i].said, "fatal", 5) == 0 ? -1 : 0);
		CHECK_STR(said(), rows[i].said);
		CHECK_STR(t->subject, rows[i].subject);
		if (rows[i].text)
			CHECK_STR(t->text, rows[i].text);
		else
			CHECK(str_starts(t->text, STR("This is the mail system")));
		end();
	}
}

static const struct {
	const char *text, *want; /* NULL: it cannot be used */
	const char *said;
} expansions[] = {
	{ "$myhostname ${mydomain} $(mydomain) $$",
		"mx.b\303\274cher.example b\303\274cher.example b\303\274cher.example $",
		"" },
	{ "x ${nosuch?a}${nosuch:b}", "x b", "" },
	{ "$bounce_size_limit", "50000", "" },
	{ "[$relayhost]", "[]", "" }, /* defined, and empty */
	{ "$delay_warning_time_hours $delay_warning_time_minutes", "1 90", "" },
	{ "$maximal_queue_lifetime_days $maximal_queue_lifetime", "4 5d", "" },
	{ "$maximal_queue_lifetime_weeks", "0",
		"f: zero result in failure template conversion of parameter "
		"\"maximal_queue_lifetime_weeks\"\n"
		"please reduce time unit \"weeks\" of \"maximal_queue_lifetime_weeks\" "
		"in "
		"failure template\n"
		"for instructions see the bounce(5) manual" },
	{ "$delay_warning_time_seconds", "5400",
		"f: excessive result \"5400\" in failure template conversion of "
		"parameter \"delay_warning_time_seconds\"\n"
		"please increase time unit \"seconds\" of \"delay_warning_time_seconds\" "
		"in failure template\n"
		"for instructions see the bounce(5) manual" },
	{ "a $nosuch", NULL,
		"fatal: f: undefined $nosuch in failure template: a $nosuch" },
	{ "a $", NULL, "fatal: f: empty macro name: \"a $\" in failure template: a $" },
	{ "$delay_warning_time_years", NULL,
		"fatal: f: unrecognized suffix \"years\" in parameter "
		"\"delay_warning_time_years\"" },
};

TEST(names_in_texts)
{
	for (size_t i = 0; i < COUNT(expansions); i++) {
		struct str text = STR_NONE, file;

		test_row(i);
		begin();
		file = arena_printf(
			arena, "failure_template = <<EOF\n%s\nEOF\n", expansions[i].text);
		CHECK_INT(templates_parse(&templates, STR("f"), file, arena, &issues), 0);
		CHECK_INT(templates_expand(&templates, TEMPLATE_FAILURE, conf, arena,
				  &text, &issues),
			expansions[i].want ? 0 : -1);
		if (expansions[i].want)
			CHECK_STR(str_trim(text), expansions[i].want);
		CHECK_STR(said(), expansions[i].said);
		end();
	}
}

TEST(a_file_that_cannot_be_read)
{
	begin();
	CHECK_INT(templates_read(&templates, "/nonexistent", arena, &issues), -1);
	CHECK_STR(said(), "fatal: open /nonexistent: No such file or directory");
	CHECK_STR(templates.of[TEMPLATE_FAILURE].subject, SUBJECT);
	end();
}

TEST_MAIN()
