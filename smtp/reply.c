/* reply.c -- replies of a server (RFC 5321 section 4.2, RFC 2034), and what they mean. */
#include "smtp.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>

#define REPLY_TEXT_MOST ((size_t)8192)

/* "d.d.d" behind the reply code, of the same class (RFC 2034 section 4). */
static void
enhanced_code(struct str text, int code, char out[12])
{
	struct str word;
	int dots = 0;

	out[0] = '\0';
	if (!str_token(&text, " \t", &word) || word.len < 5 || word.len > 11 ||
		word.data[0] != '0' + code / 100 || word.data[1] != '.')
		return;
	for (size_t i = 1; i < word.len; i++) {
		dots += word.data[i] == '.';
		if (word.data[i] != '.' && !ascii_is_digit(word.data[i]))
			return;
	}
	if (dots != 2 || word.data[word.len - 1] == '.')
		return;
	memcpy(out, word.data, word.len);
	out[word.len] = '\0';
}

/* One line of a reply: "250-text" or "250 text". 1: more follow, 0: the last, -1: none.
 */
static int
reply_line(struct reply *r, struct str line)
{
	int code;

	if (line.len < 3 || !ascii_is_digit(line.data[0]) ||
		!ascii_is_digit(line.data[1]) || !ascii_is_digit(line.data[2]))
		return -1;
	code = (line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 + line.data[2] -
	       '0';
	if (code < 200 || code > 599 ||
		(line.len > 3 && line.data[3] != '-' && line.data[3] != ' '))
		return -1;
	if (r->text.len + line.len < REPLY_TEXT_MOST) {
		if (r->text.len > 0)
			buf_addc(&r->text, ' ');
		buf_add(&r->text, line);
	}
	r->code = code;
	if (r->status[0] == '\0' && line.len > 4)
		enhanced_code(str_from(line, 4), code, r->status);
	return line.len > 3 && line.data[3] == '-';
}

static bool
reply_lost(struct session *s, enum conn_result how)
{
	s->reply.code = 0;
	s->reply.lost = how;
	s->dead = true;
	return false;
}

bool
session_reply(struct session *s, deadline_t patience)
{
	struct reply *r = &s->reply;
	struct str line;

	buf_clear(&r->text);
	r->status[0] = '\0';
	if (s->dead)
		return reply_lost(s, CONN_CLOSED);
	for (int lines = 0; lines < REPLY_LINES_MOST; lines++) {
		enum conn_result got = conn_read_line(s->conn, &line, patience);
		int more;

		if (got != CONN_LINE && got != CONN_TOO_LONG)
			return reply_lost(s, got);
		more = got == CONN_LINE ? reply_line(r, line) : 1;
		if (more < 0) {
			log_warn("%.*s sent a reply that is none: %.*s",
				STR_ARG(s->namaddr), STR_ARG(str_sub(line, 0, 100)));
			return reply_lost(s, CONN_ERROR);
		}
		if (more == 0) {
			s->dead |= r->code == 421; /* it is about to hang up */
			return true;
		}
	}
	return reply_lost(s, CONN_ERROR);
}

enum verdict
session_why(
	const struct session *s, const char *doing, const char *command, struct why *why)
{
	const struct reply *r = &s->reply;
	char code[12];

	if (r->code == 0 && r->lost == CONN_TIMEOUT)
		return why_set(why, "4.4.2", "conversation with %.*s timed out while %s",
			STR_ARG(s->namaddr), doing);
	if (r->code == 0)
		return why_set(why, "4.4.2", "lost connection with %.*s while %s",
			STR_ARG(s->namaddr), doing);
	snprintf(code, sizeof(code), "%s", r->status);
	if (code[0] == '\0' || code[0] != '0' + r->code / 100)
		snprintf(code, sizeof(code), "%d.0.0", r->code / 100 == 5 ? 5 : 4);
	if (!command)
		return why_set(why, code, "host %.*s refused to talk to me: %.*s",
			STR_ARG(s->namaddr), STR_ARG(buf_str(&r->text)));
	return why_set(why, code, "host %.*s said: %.*s (in reply to %s command)",
		STR_ARG(s->namaddr), STR_ARG(buf_str(&r->text)), command);
}
