/* cmd_starttls.c -- STARTTLS (RFC 3207), and TLS from the first byte (RFC 8314). */
#include "session.h"
#include "log.h"
#include "service.h"

static struct str
parameters_text(const struct session *s)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	conn_tls_text(s->conn, &text);
	return arena_str(s->command, buf_str(&text));
}

static void
log_handshake(struct session *s)
{
	const struct tls_info *tls = conn_tls_info(s->conn);
	const char *trust = !tls->peer_certificate ? "Anonymous"
			    : tls->trusted         ? "Trusted"
						   : "Untrusted";

	if (s->site->tls_loglevel < 1)
		return;
	log_line(SMTPD_TLS, str_c(trust), str_c(tls->reused ? "reused" : "established"),
		s->client, parameters_text(s),
		tls->server_name.len ? tls->server_name : STR_NONE);
}

/* With the library's own words in lines of their own, as Postfix. */
static void
log_failure(const struct session *s)
{
	struct strs problems = conn_tls_problems(s->conn);

	if (s->conn->tls_error.len)
		log_line(SMTPD_SSL_ACCEPT, s->client,
			problems.n > 0 ? STR("-1") : s->conn->tls_error);
	for (size_t i = 0; i < problems.n; i++)
		log_line(TLS_LIBRARY, problems.items[i]);
}

/* smtpd_tls_req_ccert: who has no certificate that we trust is told so, and leaves. */
static bool
is_trusted(struct session *s)
{
	const struct tls_info *tls = conn_tls_info(s->conn);
	const char *reason = tls->peer_certificate ? "Client certificate not trusted"
						   : "No client certificate presented";

	if (!s->site->tls_insists || tls->trusted)
		return true;
	log_line(SMTPD_TLS_ABORT, s->client, str_c(reason));
	reply(s, 421, "4.7.1 %.*s Error: %s", STR_ARG(s->p->myhostname), reason);
	s->closing = true;
	return false;
}

static bool
handshake(struct session *s)
{
	enum conn_result got;

	if (s->site->tls_loglevel >= TLS_TRACE_STEPS)
		log_line(SMTPD_TLS_SETUP, s->client);
	conn_tls_trace(s->conn, s->site->tls_loglevel, s->client);
	got = conn_accept_tls(
		s->conn, s->site->tls.context, deadline_in(s->p->smtpd_starttls_timeout));
	if (got == CONN_OK) {
		log_handshake(s);
		return conn_tls_info(s->conn)->reused || limits_new_tls(s);
	}
	log_failure(s);
	session_lost(s, got == CONN_TIMEOUT ? got : CONN_CLOSED, STR_NONE);
	return false;
}

bool
starttls_wrapped(struct session *s)
{
	certificates_refresh(&smtpd_site->tls);
	if (s->site->tls.context)
		return handshake(s) && is_trusted(s);
	log_warn("Wrapper-mode request dropped from %.*s for service %s. TLS context "
		 "initialization failed.",
		STR_ARG(s->client), service_name());
	return false;
}

bool
cmd_starttls(struct session *s, struct str rest)
{
	if (rest.len)
		return reply(s, 501, "5.5.4 Syntax: STARTTLS");
	if (s->conn->tls)
		return reply(s, 554, "5.5.1 Error: TLS already active");
	if (!certificates_are_offered(&s->site->tls) && !s->site->tls_required)
		return reply(s, 502, "5.5.1 Error: command not implemented");
	certificates_refresh(&smtpd_site->tls);
	if (!s->site->tls.context)
		return reply(s, 454, "4.7.0 TLS not available due to local problem");
	if (s->t.open)
		return reply(s, 503, "5.5.1 Error: MAIL transaction in progress");
	if (!limits_may_start_tls(s, "STARTTLS"))
		return reply(s, 454, "4.7.0 Error: too many new TLS sessions from %.*s",
			STR_ARG(s->client));
	reply(s, 220, "2.0.0 Ready to start TLS");
	if (conn_flush(s->conn, session_patience(s)) != CONN_OK) {
		session_lost(s, CONN_CLOSED, STR_NONE);
		return false;
	}
	if (!handshake(s))
		return false;
	/* Section 4.2: what was learned in clear is forgotten. */
	session_restart(s);
	(void)is_trusted(s);
	return true;
}
