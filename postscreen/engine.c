/* engine.c -- the tests behind the greeting: a dialogue that looks like smtpd's, takes no
 * mail, and watches how the client behaves. Who passes is told to come again, and gets to
 * smtpd then: in the middle of a dialogue nobody can be handed on. */
#include "log.h"
#include "service.h"
#include "session.h"

#define PHASE       "tests after SMTP handshake"
#define REFUSAL     "550 5.5.1 Protocol error"
#define FAREWELL    "521 5.5.1 Protocol error"
#define LOGGED_MOST 100

static bool
is_watched(const struct session *s, enum test_kind test)
{
	return s->todo & ~s->skipped & TEST_BIT(test);
}

/* ---- one test each; false: the session is over ---- */

/* RFC 5321 section 2.3.8: a line ends in CRLF. */
SWITCHES static bool
test_newline(struct session *s, struct str line)
{
	if (!s->conn->bare_lf || !is_watched(s, TEST_BARE_NEWLINE))
		return true;
	log_line(POSTSCREEN_NEWLINE, s->client, line);
	return session_fails(s, TEST_BARE_NEWLINE, REFUSAL, FAREWELL);
}

/* "Subject:": content where commands belong. */
static bool
looks_like_header(struct str word)
{
	ssize_t colon = str_chr(word, ':');

	for (ssize_t i = 0; i < colon; i++)
		if (word.data[i] <= ' ' || word.data[i] > '~')
			return false;
	return colon > 0;
}

static bool
is_forbidden(const struct session *s, struct str word)
{
	struct why why;

	return s->site->forbidden_commands &&
	       match_string(s->site->forbidden_commands, word, &why) == DICT_FOUND;
}

SWITCHES static bool
test_command(struct session *s, const struct verb *verb, struct str word, struct str rest)
{
	if (verb || !is_watched(s, TEST_NON_SMTP) ||
		(!looks_like_header(word) && !is_forbidden(s, word)))
		return true;
	log_line(POSTSCREEN_NON_SMTP, s->client, str_c(s->where),
		str_sub(word, 0, LOGGED_MOST), str_sub(rest, 0, LOGGED_MOST));
	return session_fails(s, TEST_NON_SMTP, REFUSAL,
		"521 5.7.0 Error: I can break rules, too. Goodbye.");
}

/* We do not announce PIPELINING (RFC 2920): who sends ahead does not listen. */
SWITCHES static bool
test_pipelining(struct session *s, const struct verb *verb, struct str word)
{
	struct str ahead = conn_pending(s->conn);
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if ((verb && verb->flags & VERB_PAYLOAD) || !ahead.len ||
		!is_watched(s, TEST_PIPELINING))
		return true;
	c_escape(str_sub(ahead, 0, LOGGED_MOST), &text);
	log_line(POSTSCREEN_PIPELINING, s->client, word, buf_str(&text));
	return session_fails(s, TEST_PIPELINING, REFUSAL, FAREWELL);
}

/* Who gets as far as RCPT without a mistake has passed; a later one still counts. */
static void
pass_tests(struct session *s)
{
	for (unsigned i = 0; i < TESTS; i++) {
		unsigned bit = TEST_BIT(i);

		if (bit & TESTS_DEEP && s->todo & ~s->passed & ~s->failed & bit)
			session_passes(s, (enum test_kind)i, s->site->ttl[i]);
	}
}

/* ---- one command ---- */

static void
unavailable(struct session *s)
{
	session_drop(s,
		arena_printf(s->command, "421 %.*s Service unavailable - try again later",
			STR_ARG(s->p->myhostname))
			.data);
}

/* postscreen_command_filter: what the client should have said. */
SWITCHES static struct str
filtered(struct session *s, struct str line)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->command_filter))
		return line;
	switch (maps_find(s->site->command_filter, line, s->command, &value, &why)) {
	case DICT_FOUND:
		log_info("%.*s: replacing command \"%.*s\" with \"%.*s\"",
			STR_ARG(s->client), STR_ARG(str_sub(line, 0, LOGGED_MOST)),
			STR_ARG(str_sub(value, 0, LOGGED_MOST)));
		return value;
	case DICT_ERROR:
		log_warn("postscreen_command_filter: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return line;
}

SWITCHES static void
command(struct session *s, struct str line)
{
	const struct verb *verb;
	const char *before = s->where;
	struct str rest, word = STR("");
	bool sent;

	if (!test_newline(s, line))
		return;
	rest = filtered(s, line);
	(void)str_token(&rest, " ", &word);
	rest = str_trim(rest);
	verb = verb_find(word);
	if (!test_command(s, verb, word, rest) || !test_pipelining(s, verb, word))
		return;
	s->where = verb ? verb->name.data : "UNIMPLEMENTED";
	if (verb && verb->flags & VERB_RCPT)
		pass_tests(s);
	if (++s->commands > s->p->postscreen_command_count_limit &&
		!(verb && verb->flags & VERB_QUIT)) {
		log_line(POSTSCREEN_COUNT_LIMIT, s->client, str_c(before));
		unavailable(s);
		return;
	}
	if (!verb)
		sent = session_reply(s, "502 5.5.2 Error: command not recognized");
	else if (s->site->tls_required && !s->conn->tls && !(verb->flags & VERB_PRE_TLS))
		sent = session_reply(s, "530 5.7.0 Must issue a STARTTLS command first");
	else
		sent = verb->run(s, rest);
	if (!sent && !s->over)
		session_hangup(s, PHASE);
}

/* ---- the dialogue ---- */

SWITCHES static void
turn(struct session *s)
{
	struct str line;
	ssize_t nul;

	arena_reset(s->command);
	switch (conn_read_line(
		s->conn, &line, deadline_in(s->p->postscreen_command_time_limit))) {
	case CONN_LINE:
		line = arena_str(s->command, line);
		nul = str_chr(line, 0);
		command(s, nul < 0 ? line : str_sub(line, 0, (size_t)nul));
		return;
	case CONN_TOO_LONG:
		log_line(POSTSCREEN_LENGTH_LIMIT, s->client, str_c(s->where));
		unavailable(s);
		return;
	case CONN_TIMEOUT:
		log_line(POSTSCREEN_TIME_LIMIT, s->client, str_c(s->where));
		session_drop(s,
			arena_printf(s->command, "421 4.4.2 %.*s Error: timeout exceeded",
				STR_ARG(s->p->myhostname))
				.data);
		return;
	case CONN_CANCELED:
		session_drop(s, "421 4.3.2 Service shutting down");
		return;
	default:
		session_hangup(s, PHASE);
	}
}

void
deep_tests(struct session *s)
{
	s->screened = true;
	s->phase_us = time_monotonic_us();
	/* Who has failed one test is looked at more closely, for the log. */
	if (s->failed & (TESTS_EARLY | FAILED_DENIED))
		s->todo |= TESTS_DEEP;
	/* Who could not wait for the greeting does not get one: it would only confuse. */
	if (!(s->failed & TEST_BIT(TEST_PREGREET)) &&
		!session_reply(s, "220 %.*s", STR_ARG(s->p->smtpd_banner)))
		session_hangup(s, PHASE);
	while (!s->over)
		turn(s);
}
