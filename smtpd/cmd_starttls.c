/* cmd_starttls.c -- STARTTLS (RFC 3207), and TLS from the first byte (RFC 8314). */
#include "session.h"
#include "tickets.h"

/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519
 * server-signature RSA-PSS (2048 bits) server-digest SHA256" */
static struct str
parameters_text(const struct tls_info *tls, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&text, "%.*s with cipher %.*s (%u/%u bits)", STR_ARG(tls->protocol),
		STR_ARG(tls->cipher), tls->used_bits, tls->alg_bits);
	if (tls->key_exchange.len)
		buf_printf(&text, " key-exchange %.*s", STR_ARG(tls->key_exchange));
	if (tls->signature.len)
		buf_printf(&text, " server-signature %.*s (%u bits)",
			STR_ARG(tls->signature), tls->signature_bits);
	if (tls->signature_digest.len)
		buf_printf(&text, " server-digest %.*s", STR_ARG(tls->signature_digest));
	return arena_str(arena, buf_str(&text));
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
		s->client, parameters_text(tls, s->command),
		tls->server_name.len ? tls->server_name : STR_NONE);
}

bool
starttls_handshake(struct session *s)
{
	enum conn_result got;

	if (s->site->tls_loglevel >= 2)
		log_line(SMTPD_TLS_SETUP, s->client);
	tickets_refresh(smtpd_site);
	got = conn_accept_tls(
		s->conn, s->site->tls, deadline_in(s->p->smtpd_starttls_timeout));
	if (got == CONN_OK) {
		log_handshake(s);
		return conn_tls_info(s->conn)->reused || limits_new_tls(s);
	}
	if (s->conn->tls_error.len)
		log_line(SMTPD_SSL_ACCEPT, s->client, s->conn->tls_error);
	session_lost(s, got == CONN_TIMEOUT ? got : CONN_CLOSED, STR_NONE);
	return false;
}

bool
cmd_starttls(struct session *s, struct str rest)
{
	if (rest.len)
		return reply(s, 501, "5.5.4 Syntax: STARTTLS");
	if (s->conn->tls)
		return reply(s, 554, "5.5.1 Error: TLS already active");
	if (!s->site->tls)
		return s->site->tls_required
			       ? reply(s, 454,
					 "4.7.0 TLS not available due to local problem")
			       : reply(s, 502, "5.5.1 Error: command not implemented");
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
	if (!starttls_handshake(s))
		return false;
	/* Section 4.2: what was learned in clear is forgotten. */
	session_restart(s);
	return true;
}
