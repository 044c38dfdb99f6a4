/* checks.c -- header_checks(5): header fields, and lines of the body, are looked up in
 * tables, and what is found says what to do. */
#include "message.h"
#include "conf.h"
#include "log.h"

#define SHOWN 200 /* characters of the line in the log */

/* The tables of one parameter. */
struct check_set {
	const char *parameter;
	struct maps *maps;
};
static struct check_set header_set = { "header_checks", NULL };
static struct check_set mime_set = { "mime_header_checks", NULL };
static struct check_set nested_set = { "nested_header_checks", NULL };
static struct check_set body_set = { "body_checks", NULL };

/* One line, and what was found for it. */
struct check {
	struct message *m;
	const struct check_set *set;
	const char *object; /* "header" or "body" */
	struct str line;
	struct str text; /* behind the action's name */
	bool drop;
	struct str before, instead; /* lines, if not STR_NONE */
};

void
checks_open(const struct conf *c)
{
	header_set.maps = maps_open("header_checks", c->p.header_checks, 0, c);
	mime_set.maps = maps_open("mime_header_checks", c->p.mime_header_checks, 0, c);
	nested_set.maps =
		maps_open("nested_header_checks", c->p.nested_header_checks, 0, c);
	body_set.maps = maps_open("body_checks", c->p.body_checks, 0, c);
}

bool
checks_want_parts(const struct message *m)
{
	return m->checked &&
	       (!maps_empty(mime_set.maps) || !maps_empty(nested_set.maps) ||
		       !maps_empty(body_set.maps));
}

bool
checks_want_body(const struct message *m)
{
	return m->checked && !maps_empty(body_set.maps);
}

/* ---- the actions ---- */

static void
tell(const struct check *c, const char *action, struct str text)
{
	const struct message *m = c->m;
	const struct envelope *e = &m->envelope;

	log_line(CLEANUP_ACTION, str_c(m->queue_id), str_c(action),
		arena_printf(m->arena, "%s %.*s", c->object,
			STR_ARG(str_sub(c->line, 0, MIN(c->line.len, SHOWN)))),
		m->ask.origin, e->sender,
		m->rcpts.n > 0 ? m->rcpts.items[m->rcpts.n - 1].address : STR_NONE,
		e->protocol, e->helo, text.len > 0 ? text : STR_NONE);
}

static bool
is_user_at_domain(struct str address)
{
	struct str local, domain;

	address_split(address, &local, &domain);
	return local.len > 0 && domain.len > 0;
}

/* What changes the envelope comes too late when its message is on its way to spool: not
 * unless memory is short, so that a later try will do. */
static bool
is_too_late(struct message *m)
{
	if (m->to_spool)
		message_fail(m, TEMPFAIL, 451, "4.3.1", "Insufficient system resources");
	return m->to_spool != NULL;
}

static void
act_reject(struct check *c)
{
	struct str text = c->text.len > 0 ? c->text : STR("message content rejected");
	char code[12] = "5.7.1";
	bool later;

	(void)why_code_take(&text, code);
	later = code[0] == '4';
	tell(c, "reject", arena_printf(c->m->arena, "%s %.*s", code, STR_ARG(text)));
	message_fail(c->m, later ? TEMPFAIL : PERMFAIL, later ? 451 : 550, code, "%.*s",
		STR_ARG(text));
	c->m->verbatim = true;
}

static void
act_warn(struct check *c)
{
	tell(c, "warning", c->text);
}

static void
act_info(struct check *c)
{
	tell(c, "info", c->text);
}

static void
act_pass(struct check *c)
{
	tell(c, "pass", c->text);
	c->m->checked = false;
}

static void
act_hold(struct check *c)
{
	if (is_too_late(c->m))
		return;
	tell(c, "hold", c->text);
	c->m->envelope.flags |= ENVELOPE_HOLD;
}

static void
act_discard(struct check *c)
{
	tell(c, "discard", c->text);
	c->m->discarded = true;
	c->m->checked = false;
}

static void
act_ignore(struct check *c)
{
	c->drop = true;
}

static void
act_strip(struct check *c)
{
	tell(c, "strip", c->text);
	c->drop = true;
}

/* A line of text of the table's. False: it cannot stand there. */
static bool
is_usable(const struct check *c, const char *action)
{
	struct str name;

	if (c->text.len == 0) {
		log_warn("%s action without text in %s map", action, c->set->parameter);
		return false;
	}
	if (c->set == &body_set || field_start(c->text, &name))
		return true;
	log_warn("bad %s header text \"%.*s\" in %s map -- need \"headername: "
		 "headervalue\"",
		action, STR_ARG(c->text), c->set->parameter);
	return false;
}

static void
act_prepend(struct check *c)
{
	if (!is_usable(c, "PREPEND"))
		return;
	tell(c, "prepend", c->text);
	c->before = c->text;
}

static void
act_replace(struct check *c)
{
	if (!is_usable(c, "REPLACE"))
		return;
	tell(c, "replace", c->text);
	c->instead = c->text;
}

static void
act_redirect(struct check *c)
{
	if (!is_user_at_domain(c->text)) {
		log_warn("bad REDIRECT target \"%.*s\" in %s map -- need user@domain",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(c->m))
		return;
	tell(c, "redirect", c->text);
	c->m->redirect = c->text;
}

static void
act_bcc(struct check *c)
{
	if (!is_user_at_domain(c->text)) {
		log_warn("bad BCC address \"%.*s\" in %s map -- need user@domain",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(c->m) || c->m->redirect.data)
		return;
	tell(c, "bcc", c->text);
	*vec_push(&c->m->late_copies) = c->text;
}

static void
act_filter(struct check *c)
{
	if (c->text.len == 0) {
		log_warn("missing FILTER command argument in %s map", c->set->parameter);
		return;
	}
	if (str_chr(c->text, ':') < 0) {
		log_warn("bad FILTER command %.*s in %s -- need transport:destination",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(c->m))
		return;
	tell(c, "filter", c->text);
	c->m->filter = c->text;
}

static void
act_nothing(struct check *c)
{
	(void)c;
}

static const struct {
	const char *name;
	void (*act)(struct check *c);
} actions[] = {
	{ "BCC", act_bcc },
	{ "DISCARD", act_discard },
	{ "DUNNO", act_nothing },
	{ "FILTER", act_filter },
	{ "HOLD", act_hold },
	{ "IGNORE", act_ignore },
	{ "INFO", act_info },
	{ "OK", act_nothing },
	{ "PASS", act_pass },
	{ "PREPEND", act_prepend },
	{ "REDIRECT", act_redirect },
	{ "REJECT", act_reject },
	{ "REPLACE", act_replace },
	{ "STRIP", act_strip },
	{ "WARN", act_warn },
};

/* ---- a line ---- */

static void
lookup_failed(struct check *c, enum dict_result got, const struct why *why)
{
	if (got == DICT_FOUND)
		log_warn("%s lookup of %.*s returns an empty string result",
			c->set->parameter,
			STR_ARG(str_sub(c->line, 0, MIN(c->line.len, SHOWN))));
	else
		log_warn("%s", why->text);
	log_warn("%s: %s map lookup problem -- message not accepted, try again later",
		c->m->queue_id, c->set->parameter);
	message_fail(c->m, TEMPFAIL, 451, "4.3.0", "queue file write error");
}

/* Looks the line up and does what is found. */
SWITCHES static void
check_line(struct check *c)
{
	struct str value, word;
	struct why why;
	enum dict_result got;

	if (!c->m->checked || c->line.len == 0 || maps_empty(c->set->maps))
		return;
	got = maps_find(c->set->maps, c->line, c->m->arena, &value, &why);
	if (got == DICT_NOTFOUND)
		return;
	if (got != DICT_FOUND || value.len == 0) {
		lookup_failed(c, got, &why);
		return;
	}
	c->text = value;
	(void)str_token(&c->text, " \t", &word);
	c->text = str_trim(c->text);
	for (size_t i = 0; i < COUNT(actions); i++)
		if (str_case_is(word, actions[i].name)) {
			actions[i].act(c);
			return;
		}
	log_warn("unknown command in %s map: %.*s", c->set->parameter, STR_ARG(value));
}

/* ---- header fields ---- */

static bool
is_mime_field(const struct field *f)
{
	static const char *const names[] = { "Content-Description", "Content-Disposition",
		"Content-ID", "Content-Transfer-Encoding", "Content-Type",
		"MIME-Version" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (field_is(f, names[i]))
			return true;
	return false;
}

static const struct check_set *
set_for(enum part_header where, const struct field *f)
{
	if (where == HEADER_PART || is_mime_field(f))
		return &mime_set;
	return where == HEADER_NESTED ? &nested_set : &header_set;
}

static void
replace_field(struct message *m, struct field *f, struct str line)
{
	f->text = arena_printf(m->arena, "%.*s\n", STR_ARG(line));
	(void)field_start(line, &f->name);
	f->body = str_from(f->text, (size_t)str_chr(f->text, ':') + 1);
}

enum field_fate
checks_field(struct message *m, enum part_header where, struct field *f)
{
	struct check c = { .m = m,
		.set = set_for(where, f),
		.object = "header",
		.line = str_sub(f->text, 0, f->text.len - 1) };

	check_line(&c);
	if (c.before.data) {
		content_add(m, c.before);
		content_add(m, STR("\n"));
	}
	if (c.instead.data)
		replace_field(m, f, c.instead);
	return c.drop ? FIELD_DROP : FIELD_KEEP;
}

enum field_fate
header_check(struct message *m, struct field *f)
{
	return checks_field(m, HEADER_PRIMARY, f);
}

/* ---- the body ---- */

/* A line, or a piece of a long one, that is whole. */
SWITCHES static void
body_line(struct message *m)
{
	struct str all = buf_str(&m->body_line);
	bool ends = all.data[all.len - 1] == '\n';
	struct check c = { .m = m,
		.set = &body_set,
		.object = "body",
		.line = str_sub(all, 0, all.len - ends) };

	m->body_seen += all.len;
	check_line(&c);
	if (c.before.data) {
		content_add(m, c.before);
		content_add(m, STR("\n"));
	}
	if (c.instead.data) {
		content_add(m, c.instead);
		content_add(m, ends ? STR("\n") : STR(""));
	} else if (!c.drop) {
		content_add(m, all);
	}
	buf_clear(&m->body_line);
}

/* Only the beginning of each part is looked at (body_checks_size_limit). */
static bool
is_looked_at(const struct message *m)
{
	return checks_want_body(m) && m->verdict == ACCEPT &&
	       m->body_seen < (octets_t)m->conf->p.body_checks_size_limit;
}

void
checks_body(struct message *m, struct str bytes)
{
	size_t limit = (size_t)m->conf->p.line_length_limit;

	while (bytes.len > 0 && (m->body_line.len > 0 || is_looked_at(m))) {
		const char *lf = memchr(bytes.data, '\n', bytes.len);
		size_t len = lf ? (size_t)(lf - bytes.data) + 1 : bytes.len;

		len = MIN(len, limit - m->body_line.len);
		buf_add(&m->body_line, str_sub(bytes, 0, len));
		bytes = str_from(bytes, len);
		if (m->body_line.data[m->body_line.len - 1] == '\n' ||
			m->body_line.len == limit)
			body_line(m);
	}
	content_add(m, bytes);
}

void
checks_body_end(struct message *m)
{
	if (m->body_line.len > 0)
		body_line(m);
	m->body_seen = 0;
}
