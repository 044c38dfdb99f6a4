/* templates.c -- see templates.h. The built-in words pass through the same parser as
 * everybody's: there is one syntax and one place for it. */
#include "templates.h"
#include "expand.h"
#include "idna.h"

#define FILE_MOST ((size_t)1024 * 1024)

const char *const template_names[TEMPLATES] = {
	[TEMPLATE_FAILURE] = "failure",
	[TEMPLATE_DELAY] = "delay",
	[TEMPLATE_SUCCESS] = "success",
	[TEMPLATE_VERIFY] = "verify",
};

static const char built_in[] =
	"failure_template = <<EOF\n"
	"Charset: us-ascii\n"
	"From: Mail Delivery System <MAILER-DAEMON>\n"
	"Subject: Undelivered Mail Returned to Sender\n"
	"Postmaster-Subject: Postmaster Copy: Undelivered Mail\n"
	"\n"
	"This is the mail system at $myhostname.\n"
	"\n"
	"Your message could not be delivered to the recipients below. It will not be\n"
	"tried again. The reasons follow each address; your message, or its header,\n"
	"is attached.\n"
	"\n"
	"For help, write to the postmaster and include this notice.\n"
	"EOF\n"
	"delay_template = <<EOF\n"
	"Charset: us-ascii\n"
	"From: Mail Delivery System <MAILER-DAEMON>\n"
	"Subject: Delayed Mail (still being retried)\n"
	"Postmaster-Subject: Postmaster Warning: Delayed Mail\n"
	"\n"
	"This is the mail system at $myhostname.\n"
	"\n"
	"Your message has not reached the recipients below yet. You need not send it\n"
	"again; delivery goes on being tried, and you will hear of it should it fail.\n"
	"\n"
	"For help, write to the postmaster and include this notice.\n"
	"EOF\n"
	"success_template = <<EOF\n"
	"Charset: us-ascii\n"
	"From: Mail Delivery System <MAILER-DAEMON>\n"
	"Subject: Successful Mail Delivery Report\n"
	"\n"
	"This is the mail system at $myhostname.\n"
	"\n"
	"Your message was delivered to the recipients below, as you asked to be told.\n"
	"EOF\n"
	"verify_template = <<EOF\n"
	"Charset: us-ascii\n"
	"From: Mail Delivery System <MAILER-DAEMON>\n"
	"Subject: Mail Delivery Status Report\n"
	"\n"
	"This is the mail system at $myhostname.\n"
	"\n"
	"Here is the report on the recipients below that you asked for.\n"
	"EOF\n";

struct parser {
	struct templates *out;
	struct template preset[TEMPLATES]; /* built in */
	struct conf_issues *issues;
	struct str rest; /* lines that follow */
	int line;        /* that was taken last */
};

#define tell(p, is_fatal, ...) \
	conf_issue((p)->issues, (is_fatal), (p)->out->file, (p)->line, \
		STR("bounce_template_file"), "see bounce(5)", __VA_ARGS__)
#define mistake(p, ...) (tell((p), true, __VA_ARGS__), -1)

static bool
is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

/* ---- one template ---- */

/* "name:", perhaps with blanks before the colon. Takes it off *line. */
static bool
take_label(struct str *line, struct str *name)
{
	size_t n = 0;
	struct str rest;

	while (n < line->len && line->data[n] > ' ' && line->data[n] < 0x7f &&
		line->data[n] != ':')
		n++;
	rest = str_trim(str_from(*line, n));
	if (n == 0 || rest.len == 0 || rest.data[0] != ':')
		return false;
	*name = str_sub(*line, 0, n);
	*line = str_trim(str_from(rest, 1));
	return true;
}

/* The place of a header's value; NULL, and what is wrong with it. */
static struct str *
header_place(struct template *t, struct str name, const char **wrong)
{
	*wrong = "unknown";
	if (str_case_is(name, "charset"))
		return &t->charset;
	if (str_case_is(name, "from"))
		return &t->from;
	if (str_case_is(name, "subject"))
		return &t->subject;
	if (!str_case_is(name, "postmaster-subject"))
		return NULL;
	*wrong = "inapplicable";
	return t->postmaster_subject.data ? &t->postmaster_subject : NULL;
}

static int
ignore_header(struct parser *p, const char *kind, struct str name, const char *wrong,
	const char *part)
{
	tell(p, false,
		STR_FMT ": %s \"" STR_FMT "\" header %s in %s template -- ignoring this "
			"template",
		STR_ARG(p->out->file), wrong, STR_ARG(name), part, kind);
	return -1;
}

static int
read_header(struct parser *p, const char *kind, struct template *t, struct str name,
	struct str value)
{
	const char *wrong;
	struct str *place = header_place(t, name, &wrong);

	if (!place)
		return ignore_header(p, kind, name, wrong, "label");
	if (value.len == 0)
		return ignore_header(p, kind, name, "empty", "value");
	if (!is_ascii(value))
		return ignore_header(p, kind, name, "non-ASCII", "value");
	*place = value;
	return 0;
}

static void
skip_empty_lines(struct str *s)
{
	while (s->len > 0 && s->data[0] == '\n')
		*s = str_from(*s, 1);
}

/* Header lines, as long as there are some; the rest is text. -1: it is to be ignored. */
static int
read_template(struct parser *p, const char *kind, struct template *t, struct str body)
{
	struct str line, name, at = body;

	skip_empty_lines(&at);
	for (body = at; str_split(&at, '\n', &line) && take_label(&line, &name);
		body = at)
		if (read_header(p, kind, t, name, line) < 0)
			return -1;
	skip_empty_lines(&body);
	if (body.len == 0) {
		tell(p, false,
			STR_FMT ": missing message text in %s template -- ignoring this "
				"template",
			STR_ARG(p->out->file), kind);
		return -1;
	}
	t->text = body;
	if (is_ascii(body) || !str_case_is(t->charset, "us-ascii"))
		return 0;
	tell(p, false, STR_FMT ": 8-bit message text in %s template",
		STR_ARG(p->out->file), kind);
	tell(p, false, "please specify a charset value other than us-ascii");
	tell(p, false, "-- ignoring this template for now");
	return -1;
}

/* ---- the file ---- */

static bool
take_line(struct parser *p, struct str *line)
{
	if (!str_split(&p->rest, '\n', line))
		return false;
	p->line++;
	return true;
}

/* Everything up to a line that is the word and nothing else. The lines are one behind
 * the other already, with their ends. */
static struct str
take_until(struct parser *p, struct str word)
{
	struct str body = p->rest, line;

	while (take_line(p, &line))
		if (str_eq(line, word))
			return str_sub(body, 0, (size_t)(line.data - body.data));
	tell(p, false, STR_FMT ", line %d: missing \"" STR_FMT "\" end marker",
		STR_ARG(p->out->file), p->line, STR_ARG(word));
	return body;
}

/* What is behind the =: the text itself, or <<word and text until that word. */
static int
take_body(struct parser *p, struct str value, struct str *body)
{
	*body = value;
	if (!str_starts(value, STR("<<")))
		return 0;
	value = str_trim(str_from(value, 2));
	if (value.len == 0)
		return mistake(p, STR_FMT ", line %d: missing end marker after <<",
			STR_ARG(p->out->file), p->line);
	*body = take_until(p, value);
	return 0;
}

/* The last one of a name counts, whatever was said before. */
static void
keep(struct parser *p, struct str name, struct str body, struct arena *a)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct template t;

	for (size_t i = 0; i < TEMPLATES; i++) {
		if (!str_starts(name, str_c(template_names[i])) ||
			!str_is(str_from(name, strlen(template_names[i])), "_template"))
			continue;
		buf_add(&text, body);
		if (text.len > 0 && text.data[text.len - 1] != '\n')
			buf_addc(&text, '\n');
		t = p->preset[i];
		if (read_template(
			    p, template_names[i], &t, arena_str(a, buf_str(&text))) < 0)
			t = p->preset[i];
		p->out->of[i] = t;
		return;
	}
	tell(p, false,
		STR_FMT ", line %d: unknown template name: " STR_FMT
			" -- ignoring this template",
		STR_ARG(p->out->file), p->line, STR_ARG(name));
}

/* "name = value" in one line; comments and empty lines between them. */
static int
parse(struct parser *p, struct arena *a)
{
	struct str line, name, body;

	while (take_line(p, &line)) {
		ssize_t equals = str_chr(line, '=');

		name = str_trim(str_sub(line, 0, equals < 0 ? 0 : (size_t)equals));
		if (str_trim(line).len == 0 || line.data[0] == '#')
			continue;
		if (equals < 0)
			return mistake(p,
				STR_FMT ", line %d: missing '=' after attribute name: "
					"\"" STR_FMT "\"",
				STR_ARG(p->out->file), p->line, STR_ARG(line));
		if (name.len == 0)
			return mistake(p,
				STR_FMT ", line %d: missing attribute name: \"" STR_FMT
					"\"",
				STR_ARG(p->out->file), p->line, STR_ARG(line));
		if (take_body(p, str_trim(str_from(line, (size_t)equals + 1)), &body) < 0)
			return -1;
		keep(p, name, body, a);
	}
	return 0;
}

/* Only failures and delays are told to the postmaster, too. */
static void
set_built_in(struct templates *t, struct arena *a, struct conf_issues *issues)
{
	struct parser p = { .out = t, .issues = issues, .rest = str_c(built_in) };

	memset(t, 0, sizeof(*t));
	p.preset[TEMPLATE_FAILURE].postmaster_subject = STR("");
	p.preset[TEMPLATE_DELAY].postmaster_subject = STR("");
	ensure(parse(&p, a) == 0);
}

int
templates_parse(struct templates *t, struct str file, struct str text, struct arena *a,
	struct conf_issues *issues)
{
	struct parser p = { .out = t, .issues = issues, .rest = arena_str(a, text) };

	set_built_in(t, a, issues);
	memcpy(p.preset, t->of, sizeof(p.preset));
	t->file = arena_str(a, file);
	if (parse(&p, a) == 0)
		return 0;
	set_built_in(t, a, issues);
	return -1;
}

int
templates_read(struct templates *t, const char *path, struct arena *a,
	struct conf_issues *issues)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!path || !*path)
		return templates_parse(t, STR("[built-in]"), STR(""), a, issues);
	if (read_file(path, FILE_MOST, &text) == 0)
		return templates_parse(t, str_c(path), buf_str(&text), a, issues);
	conf_issue(issues, true, str_c(path), 0, STR("bounce_template_file"),
		"see bounce(5)", "open %s: %s", path, strerror(errno));
	set_built_in(t, a, issues);
	return -1;
}

/* ---- $names ---- */

struct expansion {
	const struct templates *templates;
	const char *kind;
	const struct conf *conf;
	struct arena *arena;
	struct conf_issues *issues;
	bool told; /* `issues` has what is wrong with a name */
};

static const struct {
	const char *name;
	msec_t length;
} units[] = {
	{ "seconds", 1000 },
	{ "minutes", (msec_t)60 * 1000 },
	{ "hours", (msec_t)3600 * 1000 },
	{ "days", (msec_t)86400 * 1000 },
	{ "weeks", (msec_t)7 * 86400 * 1000 },
};

static void tell_name(struct expansion *x, const char *fmt, ...) PRINTF(2, 3);

static void
tell_name(struct expansion *x, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	conf_issue(x->issues, false, x->templates->file, 0, STR("bounce_template_file"),
		"see bounce(5)", STR_FMT, STR_ARG(buf_str(&text)));
}

/* People should not read "0 days", nor count seconds. */
static void
judge_number(struct expansion *x, struct str name, const char *unit, msec_t n, msec_t of)
{
	const char *what = of > 0 && n == 0 ? "zero" : n > 999 ? "excessive" : NULL;

	if (!what)
		return;
	tell_name(x,
		STR_FMT ": %s result%s in %s template conversion of parameter \"" STR_FMT
			"\"",
		STR_ARG(x->templates->file), what,
		n ? arena_printf(x->arena, " \"%lld\"", (long long)n).data : "", x->kind,
		STR_ARG(name));
	tell_name(x, "please %s time unit \"%s\" of \"" STR_FMT "\" in %s template",
		n ? "increase" : "reduce", unit, STR_ARG(name), x->kind);
	tell_name(x, "for instructions see the bounce(5) manual");
}

/* A time in the unit that the name ends in. */
static int
get_time(struct expansion *x, struct str name, size_t prefix, msec_t time,
	struct str *value)
{
	struct str unit = str_from(name, prefix);

	for (size_t i = 0; i < COUNT(units); i++) {
		msec_t n = time / units[i].length;

		if (!str_is(unit, units[i].name))
			continue;
		judge_number(x, name, units[i].name, n, time);
		*value = arena_printf(x->arena, "%lld", (long long)n);
		return 0;
	}
	conf_issue(x->issues, true, x->templates->file, 0, STR("bounce_template_file"),
		"see bounce(5)",
		STR_FMT ": unrecognized suffix \"" STR_FMT "\" in parameter \"" STR_FMT
			"\"",
		STR_ARG(x->templates->file), STR_ARG(unit), STR_ARG(name));
	x->told = true;
	return -1;
}

/* A domain as people read it. */
static struct str
readable(struct expansion *x, struct str domain)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!x->conf->p.smtputf8_enable)
		return domain;
	idna_to_utf8(domain, &text);
	return arena_str(x->arena, buf_str(&text));
}

static int
get_value(struct expander *e, struct str name, struct str *value)
{
	static const struct str delay = STR_INIT("delay_warning_time_"),
				lifetime = STR_INIT("maximal_queue_lifetime_");
	struct expansion *x = e->arg;
	const struct params *p = &x->conf->p;

	if (str_starts(name, delay))
		return get_time(x, name, delay.len, p->delay_warning_time, value);
	if (str_starts(name, lifetime))
		return get_time(x, name, lifetime.len, p->maximal_queue_lifetime, value);
	if (str_is(name, "myhostname"))
		*value = readable(x, p->myhostname);
	else if (str_is(name, "mydomain"))
		*value = readable(x, p->mydomain);
	else
		*value = conf_value(x->conf, arena_str(x->arena, name).data);
	return 0;
}

/* Line by line: what is wrong is told with the line that it is in. */
int
templates_expand(const struct templates *t, enum template_kind kind, const struct conf *c,
	struct arena *a, struct str *out, struct conf_issues *issues)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct expansion x = { t, template_names[kind], c, a, issues, false };
	struct why why;
	struct expander e = { .get = get_value, .arg = &x, .why = &why, .strict = true };
	struct str rest = t->of[kind].text, line;

	while (str_split(&rest, '\n', &line)) {
		if (expand_text(&e, line, &text) < 0) {
			if (!x.told)
				conf_issue(issues, true, t->file, 0,
					STR("bounce_template_file"), "see bounce(5)",
					STR_FMT ": %s in %s template: " STR_FMT,
					STR_ARG(t->file), why.text, x.kind,
					STR_ARG(line));
			return -1;
		}
		buf_addc(&text, '\n');
	}
	*out = arena_str(a, buf_str(&text));
	return 0;
}
