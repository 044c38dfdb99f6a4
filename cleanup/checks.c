/* checks.c -- header_checks(5): header fields, and lines of the body, are looked up in
 * tables, and what is found says what to do. */
#include "message.h"
#include "conf.h"
#include "log.h"

#define SHOWN 200 /* characters of the line in the log */

static struct check_tables sets = {
	.header = { "header_checks", NULL },
	.mime = { "mime_header_checks", NULL },
	.nested = { "nested_header_checks", NULL },
	.body = { "body_checks", NULL },
};

/* What milters added. */
static struct check_tables milter_sets = {
	.header = { "milter_header_checks", NULL },
	.mime = { "milter_header_checks", NULL },
};

void
cleanup_open_checks(const struct conf *c)
{
	milter_sets.header.maps = maps_open(
		"milter_header_checks", c->p.milter_header_checks, DICT_BYTES, c);
	milter_sets.mime.maps = milter_sets.header.maps;

	sets.header.maps = maps_open("header_checks", c->p.header_checks, DICT_BYTES, c);
	sets.mime.maps =
		maps_open("mime_header_checks", c->p.mime_header_checks, DICT_BYTES, c);
	sets.nested.maps = maps_open(
		"nested_header_checks", c->p.nested_header_checks, DICT_BYTES, c);
	sets.body.maps = maps_open("body_checks", c->p.body_checks, DICT_BYTES, c);
}

bool
message_checks_header(void)
{
	return !maps_empty(sets.header.maps) || !maps_empty(sets.mime.maps) ||
	       !maps_empty(sets.nested.maps);
}

bool
message_checks_parts(const struct message *m)
{
	return !m->checks.off && check_tables_want_parts(&sets);
}

bool
message_checks_body(const struct message *m)
{
	return !m->checks.off && check_tables_want_body(&sets);
}

/* ---- the actions ---- */

static void
tell(void *arg, const struct check *c, const char *action, struct str text)
{
	const struct message *m = arg;

	if (c->set == &milter_sets.header || c->set == &milter_sets.mime)
		action = arena_printf(m->arena, "milter-header-%s", action).data;
	message_tell(m, action,
		arena_printf(m->arena, "%s %.*s", c->object,
			STR_ARG(str_sub(c->line, 0, MIN(c->line.len, SHOWN)))),
		text);
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
act_reject(void *arg, struct check *c)
{
	struct message *m = arg;
	struct str text = c->text.len > 0 ? c->text : STR("message content rejected");
	char code[12] = "5.7.1";
	bool later;

	(void)why_code_take(&text, code);
	later = code[0] == '4';
	tell(m, c, "reject", arena_printf(m->arena, "%s %.*s", code, STR_ARG(text)));
	message_fail(m, later ? TEMPFAIL : PERMFAIL, later ? 451 : 550, code, "%.*s",
		STR_ARG(text));
	m->verbatim = true;
}

static void
act_pass(void *arg, struct check *c)
{
	struct message *m = arg;
	tell(m, c, "pass", c->text);
	m->checks.off = true;
}

static void
act_hold(void *arg, struct check *c)
{
	struct message *m = arg;
	if (is_too_late(m))
		return;
	tell(m, c, "hold", c->text);
	m->envelope.flags |= ENVELOPE_HOLD;
}

static void
act_discard(void *arg, struct check *c)
{
	struct message *m = arg;
	tell(m, c, "discard", c->text);
	m->discarded = true;
	m->checks.off = true;
}

static void
act_redirect(void *arg, struct check *c)
{
	struct message *m = arg;
	if (!is_user_at_domain(c->text)) {
		log_warn("bad REDIRECT target \"%.*s\" in %s map -- need user@domain",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(m))
		return;
	tell(m, c, "redirect", c->text);
	m->redirect = c->text;
}

static void
act_bcc(void *arg, struct check *c)
{
	struct message *m = arg;
	if (!is_user_at_domain(c->text)) {
		log_warn("bad BCC address \"%.*s\" in %s map -- need user@domain",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(m) || m->redirect.data)
		return;
	tell(m, c, "bcc", c->text);
	*vec_push(&m->late_copies) =
		(struct rcpt){ .address = c->text, .notify = NOTIFY_NEVER };
}

static void
act_filter(void *arg, struct check *c)
{
	struct message *m = arg;
	if (c->text.len == 0) {
		log_warn("missing FILTER command argument in %s map", c->set->parameter);
		return;
	}
	if (str_chr(c->text, ':') < 0) {
		log_warn("bad FILTER command %.*s in %s -- need transport:destination",
			STR_ARG(c->text), c->set->parameter);
		return;
	}
	if (is_too_late(m))
		return;
	tell(m, c, "filter", c->text);
	m->filter = c->text;
}

static const struct check_action own_actions[] = {
	{ "BCC", act_bcc },
	{ "DISCARD", act_discard },
	{ "FILTER", act_filter },
	{ "HOLD", act_hold },
	{ "PASS", act_pass },
	{ "REDIRECT", act_redirect },
	{ "REJECT", act_reject },
	{ NULL, NULL },
};

static void
lookup_failed(void *arg, const struct check *c)
{
	struct message *m = arg;

	log_warn("%s: %s map lookup problem -- message not accepted, try again later",
		m->queue_id, c->set->parameter);
	message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
}

static void
pass_on(void *arg, struct str bytes)
{
	content_add(arg, bytes);
}

static const struct check_calls calls = { tell, lookup_failed, pass_on, own_actions };

void
message_checks_begin(struct message *m)
{
	/* Our own notices are looked at where internal_mail_filter_classes says so. */
	const uint32_t unchecked =
		ENVELOPE_NO_CHECKS | ENVELOPE_FORWARDED |
		(m->envelope.flags & ENVELOPE_MILTERS ? 0 : ENVELOPE_BOUNCE);
	const struct params *p = &m->conf->p;

	m->checks = (struct checks){ .tables = &sets,
		.calls = &calls,
		.arg = m,
		.arena = m->arena,
		.body_limit = (octets_t)p->body_checks_size_limit,
		.line_limit = (size_t)p->line_length_limit,
		.off = (m->envelope.flags & unchecked) != 0 };
}

/* ---- fields of milters ---- */

static void
act_no_prepend(void *arg, struct check *c)
{
	tell(arg, c, "prepend", c->text);
	log_warn("the milter_header/body_checks prepend action is not implemented");
}

static const struct check_action milter_actions[] = {
	{ "BCC", act_bcc },
	{ "DISCARD", act_discard },
	{ "FILTER", act_filter },
	{ "HOLD", act_hold },
	{ "PREPEND", act_no_prepend },
	{ "REDIRECT", act_redirect },
	{ "REJECT", act_reject },
	{ NULL, NULL },
};
static const struct check_calls milter_calls = { tell, lookup_failed, pass_on,
	milter_actions };

bool
message_check_milter_field(struct message *m, struct field *f)
{
	struct checks checks = { .tables = &milter_sets,
		.calls = &milter_calls,
		.arg = m,
		.arena = m->arena };

	return checks_field(&checks, HEADER_PRIMARY, f);
}

enum field_fate
header_check(struct message *m, struct field *f)
{
	return checks_field(&m->checks, HEADER_PRIMARY, f) ? FIELD_KEEP : FIELD_DROP;
}
