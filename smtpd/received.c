/* received.c -- the Received: header that records how a message came to us (RFC 5321
 * section 4.4; the words after "with": RFC 3848, RFC 6531 section 4.3). */
#include "session.h"
#include <time.h>

/* "ESMTPSA", "UTF8SMTP" ...: S for TLS, A for who has logged in. */
static void
add_protocol(const struct session *s, struct buf *out)
{
	if (s->t.parameters.smtputf8)
		buf_addz(out, "UTF8SMTP");
	else
		buf_add(out, s->protocol);
	if (!str_is(s->protocol, "ESMTP"))
		return;
	if (s->conn->tls)
		buf_addc(out, 'S');
	if (s->sasl_username.data)
		buf_addc(out, 'A');
}

/* smtpd_tls_received_header: how the connection was protected. */
static void
add_tls(const struct session *s, struct buf *out)
{
	const struct tls_info *tls = conn_tls_info(s->conn);

	buf_printf(out, "\t(using %.*s with cipher %.*s (%u/%u bits)",
		STR_ARG(tls->protocol), STR_ARG(tls->cipher), tls->used_bits,
		tls->alg_bits);
	if (tls->key_exchange.len)
		buf_printf(out, "\n\t key-exchange %.*s", STR_ARG(tls->key_exchange));
	if (tls->signature.len)
		buf_printf(out, " server-signature %.*s", STR_ARG(tls->signature));
	if (tls->signature_bits > 0)
		buf_printf(out, " (%u bits)", tls->signature_bits);
	if (tls->signature_digest.len)
		buf_printf(out, " server-digest %.*s", STR_ARG(tls->signature_digest));
	if (tls->client_signature.len)
		buf_printf(out, "\n\t client-signature %.*s",
			STR_ARG(tls->client_signature));
	if (tls->client_signature_bits > 0)
		buf_printf(out, " (%u bits)", tls->client_signature_bits);
	if (tls->client_signature_digest.len)
		buf_printf(out, " client-digest %.*s",
			STR_ARG(tls->client_signature_digest));
	buf_addz(out, ")\n");
	if (tls->peer_certificate)
		buf_printf(out, "\t(Client CN \"%.*s\", Issuer \"%.*s\" (%s))\n",
			STR_ARG(tls->peer_cn), STR_ARG(tls->issuer_cn),
			tls->trusted ? "verified OK" : "not verified");
	else
		buf_printf(out, "\t(%s)\n",
			s->site->tls_asks ? "Client did not present a certificate"
					  : "No client certificate requested");
}

static void
add_client(const struct session *s, struct buf *out)
{
	buf_addz(out, "from ");
	buf_add(out, s->helo.len ? s->helo : s->name);
	buf_addz(out, " (");
	buf_add(out, s->name);
	buf_addz(out, s->peer.sa.ss_family == AF_INET6 ? " [IPv6:" : " [");
	buf_add(out, s->address);
	buf_addz(out, "])\n");
	if (s->conn->tls && s->p->smtpd_tls_received_header)
		add_tls(s, out);
	if (s->sasl_username.data && s->p->smtpd_sasl_authenticated_header)
		buf_printf(out, "\t(Authenticated sender: %.*s)\n",
			STR_ARG(s->sasl_username));
	buf_addc(out, '\t');
}

struct str
received_header(const struct session *s)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	buf_need(&out, 512);
	buf_addz(&out, "Received: ");
	if (!s->p->smtpd_hide_client_session)
		add_client(s, &out);
	buf_addz(&out, "by ");
	buf_add(&out, s->p->myhostname);
	buf_addz(&out, " (");
	buf_add(&out, s->p->mail_name);
	buf_addz(&out, ") with ");
	add_protocol(s, &out);
	if (s->t.queue_id[0]) {
		buf_addz(&out, " id ");
		buf_addz(&out, s->t.queue_id);
	}
	if (s->t.rcpts.n == 1) { /* more would tell recipients about each other */
		buf_addz(&out, "\n\tfor <");
		buf_add(&out, address_quote(s->t.rcpts.items[0].address, s->mail));
		buf_addc(&out, '>');
	}
	buf_addz(&out, s->t.rcpts.n == 1 ? "; " : ";\n\t");
	buf_addz(&out, time_mail_date((time_t)(s->t.arrival_us / 1000000)));
	buf_addc(&out, '\n');
	return arena_str(s->mail, buf_str(&out));
}
