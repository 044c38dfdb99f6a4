/* reply.c -- what the client gets to read. Replies gather in the connection's buffer and
 * leave together when the session next has to wait: one write for a pipelined group
 * (RFC 2920 section 3.2). */
#include "expand.h"
#include "footer.h"
#include "session.h"
#include <stdio.h>

#define REPLY_MOST 510 /* RFC 5321 section 4.5.3.1.5, without CRLF */

/* smtpd_error_sleep_time: a client that keeps making mistakes waits for each answer. */
static void
slow_down(struct session *s)
{
	if (s->errors <= s->p->smtpd_soft_error_limit ||
		s->p->smtpd_error_sleep_time <= 0)
		return;
	if (conn_flush(s->conn, session_patience(s)) != CONN_OK ||
		co_sleep(deadline_in(s->p->smtpd_error_sleep_time)) < 0)
		s->closing = true;
}

/* ---- what the administrator makes of refusals ---- */

static struct str
footer_name(struct str name, void *arg)
{
	return expand_name(arg, name);
}

static bool
is_refusal(struct str text)
{
	return text.len > 3 && (text.data[0] == '4' || text.data[0] == '5') &&
	       ascii_is_digit(text.data[1]) && ascii_is_digit(text.data[2]) &&
	       text.data[3] == ' ';
}

/* smtpd_reject_filter_maps: another reply, which has to be a refusal, too. */
static struct str
filtered(struct session *s, struct str text)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->reject_filter) || !is_refusal(text))
		return text;
	switch (maps_find(s->site->reject_filter, text, s->command, &value, &why)) {
	case DICT_FOUND:
		if (is_refusal(value))
			return value;
		log_warn("smtpd_reject_filter_maps: \"%.*s\" is no reject reply",
			STR_ARG(value));
		break;
	case DICT_ERROR:
		log_warn("smtpd_reject_filter_maps: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return text;
}

/* The footer for a refusal, its names expanded; or none. */
static struct str
footer_for(struct session *s, struct str text)
{
	struct str template = s->p->smtpd_reject_footer, footer;
	struct why why;

	if (!is_refusal(text))
		return STR_NONE;
	if (!maps_empty(s->site->footers)) {
		struct str value;
		enum dict_result found =
			maps_find(s->site->footers, text, s->command, &value, &why);

		if (found == DICT_FOUND)
			template = value;
		else if (found == DICT_ERROR)
			log_warn("smtpd_reject_footer_maps: %s", why.text);
	}
	if (!template.len)
		return STR_NONE;
	if (conf_expand_with(template, footer_name, s, s->command, &footer, &why) < 0) {
		log_warn("smtpd_reject_footer: %s", why.text);
		return STR_NONE;
	}
	return footer;
}

/* ---- sending ---- */

/* One line. What the client sent may be quoted back to it: never as a line of its own. */
static void
send_line(void *arg, struct str text, bool last)
{
	struct session *s = arg;
	char line[REPLY_MOST + 2];
	size_t n = MIN(text.len, (size_t)REPLY_MOST);

	memcpy(line, text.data, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (n > 3)
		line[3] = last ? ' ' : '-';
	if (s->p->soft_bounce && line[0] == '5') {
		line[0] = '4';
		if (n > 5 && line[4] == '5' && line[5] == '.')
			line[4] = '4';
	}
	session_note(s, WE_SAID, str_of(line, n));
	line[n] = '\r';
	line[n + 1] = '\n';
	conn_write(s->conn, str_of(line, n + 2));
}

bool
reply_text(struct session *s, struct str text)
{
	struct str footer;
	ssize_t lf;

	ensure(text.len >= 3);
	slow_down(s);
	/* A milter's may have several lines. */
	while ((lf = str_chr(text, '\n')) >= 0 && text.len - (size_t)lf - 1 >= 4) {
		send_line(s, str_sub(text, 0, (size_t)lf), false);
		text = str_from(text, (size_t)lf + 1);
	}
	text = filtered(s, text);
	footer = footer_for(s, text);
	if (footer.len)
		footer_each_line(text, footer, s->command, send_line, s);
	else
		send_line(s, text, true);
	if (str_starts(text, STR("421")) || str_starts(text, STR("521")))
		s->closing = true;
	return text.data[0] < '4';
}

bool
reply(struct session *s, int code, const char *fmt, ...)
{
	char text[REPLY_MOST + 1];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d ", code);
	va_list ap;
	int more;

	va_start(ap, fmt);
	more = vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	ensure(more >= 0);
	return reply_text(s, str_of(text, MIN(n + (size_t)more, sizeof(text) - 1)));
}

bool
reply_why(struct session *s, int code, const struct why *why)
{
	return reply(s, code, "%s %s", why->code, why->text);
}
