/* reply.c -- replies of a server (RFC 5321 section 4.2, RFC 2034), and what they mean. */
#include "smtp.h"
#include "log.h"
#include <stdio.h>

/* The enhanced code behind the reply code, of the same class (RFC 2034 section 4). */
static void
enhanced_code(struct str text, int code, char out[12])
{
	struct str word;

	out[0] = '\0';
	if (str_token(&text, " \t", &word) && why_code_is_valid(word) &&
		word.data[0] == '0' + code / 100)
		snprintf(out, 12, STR_FMT, STR_ARG(word));
}

/* The three digits, 0: there are none that could be a reply's. */
static int
reply_code(struct str line)
{
	int code = 0;

	if (line.len < 3 || (line.len > 3 && line.data[3] != '-' && line.data[3] != ' '))
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (!ascii_is_digit(line.data[i]))
			return 0;
		code = code * 10 + line.data[i] - '0';
	}
	return code >= 200 && code <= 599 ? code : 0;
}

void
reply_clear(struct reply *r)
{
	buf_clear(&r->text);
	r->status[0] = '\0';
	r->code = 0;
	r->n_lines = 0;
}

int
reply_add(struct reply *r, struct str line)
{
	int code = reply_code(line);

	if (code == 0)
		return -1;
	r->code = code;
	if (r->n_lines < REPLY_LINES_MOST && r->text.len + line.len < REPLY_TEXT_MOST) {
		if (r->text.len > 0)
			buf_addc(&r->text, ' ');
		r->starts[r->n_lines++] = r->text.len;
		buf_add(&r->text, line);
	}
	/* The first line's, unless the last line turns out to be of another class. */
	if (r->status[0] != '0' + code / 100)
		enhanced_code(str_from(line, MIN((size_t)4, line.len)), code, r->status);
	return line.len > 3 && line.data[3] == '-';
}

struct str
reply_line(const struct reply *r, size_t i)
{
	struct str text = buf_str(&r->text);
	size_t end = i + 1 < r->n_lines ? r->starts[i + 1] - 1 : text.len;

	return str_from(str_sub(text, r->starts[i], end - r->starts[i]), 4);
}

static bool
reply_lost(struct session *s, enum conn_result how)
{
	reply_clear(&s->reply);
	s->reply.lost = how;
	s->dead = true;
	return false;
}

void
session_note(struct session *s, enum transcript_side side, struct str line)
{
	if (smtp_faults_wanted)
		transcript_add(&s->transcript, side, line);
	if (session_watch)
		session_watch->line(side, line);
}

void
session_said(struct session *s, size_t begin)
{
	session_note(s, WE_SAID, str_trim(str_from(buf_str(&s->conn->out), begin)));
}

bool
session_reply(struct session *s, deadline_t patience)
{
	struct arena *scratch CLEANUP(arena_free_at) =
		quirks_filter_replies() ? arena_new() : NULL;
	struct str line;

	if (s->dead)
		return reply_lost(s, CONN_CLOSED);
	reply_clear(&s->reply);
	for (int lines = 0; lines < REPLY_LINES_MOST; lines++) {
		enum conn_result got = conn_read_line(s->conn, &line, patience);
		int more = -1;

		if (got != CONN_LINE && got != CONN_TOO_LONG)
			return reply_lost(s, got);
		if (got == CONN_LINE) {
			session_note(s, THEY_SAID, line);
			if (scratch)
				line = quirks_reply(s, line, scratch);
			more = reply_add(&s->reply, line);
		} else
			line = STR("(too long)");
		if (more < 0) {
			log_warn("non-SMTP response from %.*s: %.*s",
				STR_ARG(s->namaddrport), STR_ARG(str_sub(line, 0, 100)));
			return reply_lost(s, CONN_ERROR);
		}
		if (more == 0) {
			s->dead |= s->reply.code == 421; /* it is about to hang up */
			return true;
		}
	}
	log_warn("endless response from %.*s", STR_ARG(s->namaddrport));
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
	/* A 2xx or 3xx where none belongs is an error in the protocol: temporary. */
	if (code[0] != '4' && code[0] != '5')
		snprintf(code, sizeof(code), "%d.0.0", r->code / 100 == 5 ? 5 : 4);
	if (!command)
		return why_set(why, code, "host %.*s refused to talk to me: %.*s",
			STR_ARG(s->namaddr), STR_ARG(buf_str(&r->text)));
	return why_set(why, code, "host %.*s said: %.*s (in reply to %s command)",
		STR_ARG(s->namaddr), STR_ARG(buf_str(&r->text)), command);
}

/* What a server says of commands that it does not understand, or where another reply
 * belongs, speaks against us rather than the mail (RFC 5321 section 4.2.1: x0z, 555). Of
 * mail to the postmaster himself he hears nothing: it would go round. */
void
session_judge(struct session *s, const struct delivery *d)
{
	int code = s->reply.code;
	struct str local, domain, sender = d->envelope.sender;

	if (code == 0 || (code >= 400 && code != 555 && (code < 500 || code >= 510)))
		return;
	address_split(sender, &local, &domain);
	if (sender.len > 0 && !str_case_eq(local, d->conf->p.double_bounce_sender))
		s->transcript.faults |= FAULT_PROTOCOL;
}

void
session_refusal(const struct session *s, const struct why *why, struct arena *arena,
	struct refusal *out)
{
	*out = (struct refusal){
		.text = arena_str(arena, str_c(why->text)),
		.relay = arena_str(arena, s->namaddrport),
		.mta = arena_str(arena, s->host),
		.tls = s->tls,
		.unfit = s->unfit,
	};
	snprintf(out->code, sizeof(out->code), "%s", why->code);
	if (s->reply.code != 0)
		out->reply = arena_str(arena, buf_str(&s->reply.text));
}
