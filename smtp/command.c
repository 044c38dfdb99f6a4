/* command.c -- MAIL and RCPT with the parameters that the server understands. */
#include "smtp.h"

static void
write_xtext(struct conn *conn, struct str value)
{
	struct buf coded CLEANUP(buf_free) = BUF_INIT;

	xtext_encode(value, &coded);
	conn_write(conn, buf_str(&coded));
}

/* An address as it is sent: quoted where RFC 5321 wants that, unless a server cannot read
 * it (smtp_quote_rfc821_envelope = no). */
static void
write_path(struct conn *conn, struct str address, const struct delivery *d)
{
	conn_write(conn, d->conf->p.smtp_quote_rfc821_envelope
				 ? address_quote(address, d->arena)
				 : address);
}

void
command_mail(struct session *s, const struct attempt *a, struct str sender)
{
	const struct delivery *d = a->d;
	const struct envelope *e = &d->envelope;
	struct conn *conn = s->conn;
	size_t begin = conn->out.len;

	conn_write(conn, STR("MAIL FROM:<"));
	write_path(conn, sender, d);
	conn_write(conn, STR(">"));
	if (s->offers & OFFERS_SIZE)
		conn_printf(conn, " SIZE=%llu", (unsigned long long)d->ask.size);
	if ((s->offers & OFFERS_8BITMIME) && (e->flags & ENVELOPE_8BIT))
		conn_write(conn, STR(" BODY=8BITMIME"));
	if ((s->offers & OFFERS_SMTPUTF8) && (e->flags & ENVELOPE_SMTPUTF8))
		conn_write(conn, STR(" SMTPUTF8"));
	if ((s->offers & OFFERS_REQUIRETLS) && a->requiretls != REQUIRETLS_DISABLE)
		conn_write(conn, STR(" REQUIRETLS"));
	if ((s->offers & OFFERS_DSN) && e->envid.len > 0) {
		conn_write(conn, STR(" ENVID="));
		write_xtext(conn, e->envid);
	}
	if ((s->offers & OFFERS_DSN) && e->ret != RET_NONE)
		conn_printf(conn, " RET=%s", e->ret == RET_FULL ? "FULL" : "HDRS");
	/* RFC 4954 section 5: who its sender is, we do not vouch for. */
	if ((s->offers & OFFERS_AUTH) && d->conf->p.smtp_send_dummy_mail_auth)
		conn_write(conn, STR(" AUTH=<>"));
	conn_write(conn, STR("\r\n"));
	session_said(s, begin);
}

static void
write_notify(struct conn *conn, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < COUNT(words); i++)
		if (notify & words[i].bit) {
			conn_printf(conn, "%s%s", before, words[i].word);
			before = ",";
		}
}

/* RFC 3461 section 4.2: "type;address", the address in xtext. Section 5.2.1: who got none
 * may add one, with the address that it was given. */
static void
write_orcpt(struct conn *conn, const struct rcpt *r, bool utf8)
{
	struct str type, rest = r->orcpt;

	if (rest.len == 0) {
		conn_printf(conn, " ORCPT=%s;", utf8 ? "utf-8" : "rfc822");
		write_xtext(conn, rcpt_original(r));
		return;
	}
	if (!str_split(&rest, ';', &type) || type.len == 0 || rest.len == 0)
		return;
	conn_printf(conn, " ORCPT=%.*s;", STR_ARG(type));
	write_xtext(conn, rest);
}

void
command_rcpt(struct session *s, const struct delivery *d, size_t rcpt, struct str address)
{
	const struct rcpt *r = &d->envelope.rcpts[rcpt];
	struct conn *conn = s->conn;
	size_t begin = conn->out.len;

	conn_write(conn, STR("RCPT TO:<"));
	write_path(conn, address, d);
	conn_write(conn, STR(">"));
	if (s->offers & OFFERS_DSN) {
		write_orcpt(conn, r, (d->envelope.flags & ENVELOPE_SMTPUTF8) != 0);
		write_notify(conn, r->notify);
	}
	conn_write(conn, STR("\r\n"));
	session_said(s, begin);
}

/* ---- XFORWARD ---- */

struct forwarded {
	unsigned offer;
	const char *name;
	struct str value;
};

/* Only what is known. */
static bool
write_xforward(struct session *s, const struct forwarded *list, size_t n)
{
	size_t begin = s->conn->out.len;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!(s->offers & list[i].offer) || list[i].value.len == 0 ||
			str_is(list[i].value, "unknown"))
			continue;
		conn_printf(s->conn, "%s %s=", any ? "" : "XFORWARD", list[i].name);
		write_xtext(s->conn, list[i].value);
		any = true;
	}
	if (!any)
		return false;
	conn_write(s->conn, STR("\r\n"));
	session_said(s, begin);
	return true;
}

bool
command_xforward_client(struct session *s, const struct delivery *d)
{
	const struct envelope *e = &d->envelope;
	const struct forwarded list[] = {
		{ OFFERS_XFORWARD_NAME, "NAME", e->client_name },
		{ OFFERS_XFORWARD_ADDR, "ADDR", e->client_address },
		{ OFFERS_XFORWARD_PORT, "PORT", e->client_port },
	};

	return write_xforward(s, list, COUNT(list));
}

bool
command_xforward_session(struct session *s, const struct delivery *d)
{
	const struct envelope *e = &d->envelope;
	const struct forwarded list[] = {
		{ OFFERS_XFORWARD_PROTO, "PROTO", e->protocol },
		{ OFFERS_XFORWARD_HELO, "HELO", e->helo },
		{ OFFERS_XFORWARD_IDENT, "IDENT", e->queue_id },
		{ OFFERS_XFORWARD_SOURCE, "SOURCE",
			e->flags & (ENVELOPE_REWRITE | ENVELOPE_LOCAL) ? STR("LOCAL")
								       : STR("REMOTE") },
	};

	return write_xforward(s, list, COUNT(list));
}

void
command_send(struct session *s, const char *command)
{
	size_t begin = s->conn->out.len;

	conn_printf(s->conn, "%s\r\n", command);
	session_said(s, begin);
}
