/* reply.c -- what the client gets to read. Replies gather in the connection's buffer and
 * leave together when the session next has to wait: one write for a pipelined group
 * (RFC 2920 section 3.2). */
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

bool
reply_text(struct session *s, struct str text)
{
	char line[REPLY_MOST + 2];
	size_t n = MIN(text.len, (size_t)REPLY_MOST);

	ensure(n >= 3);
	slow_down(s);
	memcpy(line, text.data, n);
	/* What the client sent may be quoted back to it: never as a line of its own. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (s->p->soft_bounce && line[0] == '5') {
		line[0] = '4';
		if (n > 5 && line[4] == '5' && line[5] == '.')
			line[4] = '4';
	}
	session_note(s, WE_SAID, str_of(line, n));
	memcpy(line + n, "\r\n", 2);
	conn_write(s->conn, str_of(line, n + 2));
	if (memcmp(line, "421", 3) == 0 || memcmp(line, "521", 3) == 0)
		s->closing = true;
	return line[0] < '4';
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
