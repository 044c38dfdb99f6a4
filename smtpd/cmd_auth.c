/* cmd_auth.c -- AUTH (RFC 4954): the client logs in. What it sends is handed to the back
 * end unread; what the connection still holds of it is wiped at once, and transcripts get
 * nothing of it. */
#include "login.h"

/* RFC 4954 section 4: a challenge may be longer than a reply's line. */
static void
challenge(struct session *s, struct str text)
{
	conn_printf(s->conn, "334 " STR_FMT "\r\n", STR_ARG(text));
	session_note(s, WE_SAID, STR("334 (challenge)"));
}

static bool
aborted(struct session *s, struct str mechanism)
{
	log_line(SMTPD_SASL_ABORTED, s->client, mechanism);
	return reply(s, 501, "5.7.0 Authentication aborted");
}

/* One response, good until the next is read. False: none that can be used; the client was
 * told. */
static bool
read_response(struct session *s, struct str mechanism, struct str *response)
{
	size_t limit = s->conn->line_limit;
	enum conn_result got;

	s->conn->line_limit = (size_t)s->p->smtpd_sasl_response_limit;
	got = conn_read_line(s->conn, response, session_patience(s));
	s->conn->line_limit = limit;
	if (got == CONN_TOO_LONG) {
		log_warn("%.*s: request longer than %d", STR_ARG(s->client),
			s->p->smtpd_sasl_response_limit);
		return reply(s, 500, "5.5.6 SASL response limit exceeded");
	}
	if (got != CONN_LINE) {
		session_lost(s, got, STR_NONE);
		return false;
	}
	session_note(s, THEY_SAID, STR("(response)"));
	return !str_is(*response, "*") || aborted(s, mechanism);
}

/* The reason is part of log lines that fail2ban reads. */
static bool
not_authenticated(
	struct session *s, struct str mechanism, const struct sasl_answer *answer)
{
	struct str reason = answer->text.len ? answer->text : STR("(reason unavailable)");

	s->fault = FAULT_POLICY;
	log_line(SMTPD_SASL_FAILED, s->client, mechanism, reason,
		answer->username.len ? answer->username : STR("(unavailable)"));
	if (answer->status == SASL_TEMPFAIL)
		return reply(s, 454, "4.7.0 Temporary authentication failure: %.*s",
			STR_ARG(reason));
	return reply(s, 535, "5.7.8 Error: authentication failed: %.*s", STR_ARG(reason));
}

static bool
is_offered(struct session *s, const struct sasl_client *client, struct str mechanism,
	struct sasl_answer *answer)
{
	struct strs names;

	*answer = (struct sasl_answer){ .status = SASL_TEMPFAIL,
		.text = STR("Connection lost to authentication server") };
	if (!sasl_mechanisms(s->site->sasl, client, s->command, &names))
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (str_case_eq(names.items[i], mechanism))
			return true;
	*answer = (struct sasl_answer){ .status = SASL_REFUSED,
		.text = STR("Invalid authentication mechanism") };
	return false;
}

/* Challenges and responses, until somebody has had enough. False: the client was told. */
static bool
converse(struct session *s, struct str mechanism, struct sasl_exchange *x,
	struct sasl_answer *answer)
{
	while (answer->status == SASL_MORE) {
		struct str response;

		challenge(s, answer->text);
		if (!read_response(s, mechanism, &response))
			return false;
		sasl_continue(x, response, answer);
		conn_forget(s->conn);
	}
	if (answer->status != SASL_DONE)
		return not_authenticated(s, mechanism, answer);
	login_begin(s, mechanism, answer->username);
	return reply(s, 235, "2.7.0 Authentication successful");
}

static bool
authenticate(struct session *s, struct str mechanism, struct str initial)
{
	struct sasl_client client = login_client(s);
	struct sasl_answer answer;
	struct sasl_exchange *x;
	bool ok;

	if (!is_offered(s, &client, mechanism, &answer))
		return not_authenticated(s, mechanism, &answer);
	x = sasl_begin(s->site->sasl, &client, mechanism, initial, &answer);
	conn_forget(s->conn);
	ok = converse(s, mechanism, x, &answer);
	sasl_end(x);
	return ok;
}

/* The log has what was asked for; it is no place for what a stranger makes up. */
static struct str
shown(struct session *s, struct str mechanism)
{
	struct str text = arena_str(s->command, str_sub(mechanism, 0, 100));

	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_print(text.data[i]))
			((char *)(uintptr_t)text.data)[i] = '?';
	return text;
}

/* auth-command = "AUTH" SP sasl-mech [SP initial-response] */
bool
cmd_auth(struct session *s, struct str rest)
{
	struct str mechanism, initial;

	if (!limits_auth(s))
		return false;
	if (s->p->smtpd_helo_required && !s->helo.data) {
		s->fault = FAULT_POLICY;
		return reply(s, 503, "5.5.1 Error: send HELO/EHLO first");
	}
	if (!login_is_possible(s))
		return reply(s, 503, "5.5.1 Error: authentication not enabled");
	if (s->t.open)
		return reply(s, 503, "5.5.1 Error: MAIL transaction in progress");
	if (s->sasl_username.data)
		return reply(s, 503, "5.5.1 Error: already authenticated");
	if (!str_token(&rest, " \t", &mechanism))
		return reply(s, 501, "5.5.4 Syntax: AUTH mechanism");
	if (!str_token(&rest, " \t", &initial))
		initial = STR_NONE;
	if (str_trim(rest).len > 0)
		return reply(s, 501, "5.5.4 Syntax: AUTH mechanism");
	return authenticate(s, shown(s, mechanism), initial);
}
