/* cmd_bdat.c -- BDAT (RFC 3030 section 2): content in counted chunks. The octets that
 * follow the command are read whatever we think of it, or they would be taken for
 * commands. */
#include "esmtp.h"
#include "message.h"
#include "milters.h"
#include "session.h"

/* Reads the chunk and forgets it. */
static bool
discard_chunk(struct session *s, octets_t count)
{
	while (count > 0) {
		struct str bytes;
		enum conn_result got = conn_peek(s->conn, &bytes, session_patience(s));

		if (got != CONN_OK) {
			session_lost(s, got, log_num(0));
			return false;
		}
		bytes = str_sub(bytes, 0, count < SIZE_MAX ? (size_t)count : SIZE_MAX);
		conn_consume(s->conn, bytes.len);
		count -= bytes.len;
	}
	return true;
}

static bool
too_big(const struct session *s, octets_t count)
{
	octets_t limit = (octets_t)s->p->message_size_limit;

	return limit > 0 && (count > limit || s->t.scan.size > limit - count);
}

/* The reply to a chunk that is not taken; NULL when it is. */
static const char *
objection(struct session *s, octets_t count, int *code)
{
	*code = 503;
	if (!s->t.open)
		return "5.5.1 Error: need RCPT command";
	*code = 554;
	if (s->t.rcpts.n == 0)
		return "5.5.1 Error: no valid recipients";
	*code = 552;
	if (too_big(s, count))
		return "5.3.4 Chunk exceeds message size limit";
	return NULL;
}

static bool
refuse_chunk(struct session *s, octets_t count, bool last, int code, const char *text)
{
	s->t.chunked = s->t.broken = true;
	if (s->t.submission) {
		submission_abort(s->t.submission);
		s->t.submission = NULL;
		milters_take_back(s, NULL);
	}
	if (!discard_chunk(s, count))
		return false;
	reply(s, code, "%s", text);
	if (last)
		session_reset_mail(s);
	return false;
}

/* Takes one chunk in. */
static bool
accept_chunk(struct session *s, octets_t count, bool last)
{
	if (!s->t.chunked) {
		if (!policy_data(s) || !milters_hear_data(s) ||
			(s->t.filter.open && !filter_data(s))) {
			s->t.chunked = s->t.broken = true;
			return discard_chunk(s, count) && reply_text(s, s->refusal);
		}
		message_begin(s, true);
		s->t.chunked = true;
	}
	if (!message_receive(s, true, count))
		return false;
	if (last)
		return message_end(s);
	return reply(s, 250, "2.0.0 Ok: %llu bytes", (unsigned long long)count);
}

bool
cmd_bdat(struct session *s, struct str rest)
{
	octets_t count;
	bool last;
	const char *text;
	int code;

	if (s->site->discard & KEYWORD_CHUNKING) {
		reply(s, 521, "5.5.1 Error: command not implemented");
		return false;
	}
	if (!bdat_parse(rest, &count, &last)) {
		/* Nobody knows how much follows: what comes would be read as commands. */
		reply(s, 521, "5.5.4 Syntax: BDAT count [LAST]");
		return false;
	}
	if (s->t.broken) { /* RFC 3030 section 2: a failed chunk ends the transaction */
		if (!discard_chunk(s, count))
			return false;
		reply(s, 551, "5.0.0 Discarded %llu bytes after earlier error",
			(unsigned long long)count);
		if (last)
			session_reset_mail(s);
		return false;
	}
	text = objection(s, count, &code);
	if (code == 554) /* the client was told why already */
		s->fault = 0;
	else if (text && code == 552)
		s->fault = FAULT_BOUNCE;
	if (text)
		return refuse_chunk(s, count, last, code, text);
	return accept_chunk(s, count, last);
}
