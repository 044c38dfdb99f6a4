/* received.c -- the Received: header that records how a message came to us (RFC 5321
 * section 4.4; the words after "with": RFC 3848, RFC 6531 section 4.3). */
#include "session.h"
#include <time.h>

/* "ESMTPS", "UTF8SMTP" ... */
static struct str
protocol(const struct session *s)
{
	bool secure = s->conn->tls && str_is(s->protocol, "ESMTP");

	if (s->t.parameters.smtputf8)
		return secure ? STR("UTF8SMTPS") : STR("UTF8SMTP");
	return secure ? STR("ESMTPS") : s->protocol;
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
		buf_printf(out, " server-signature %.*s (%u bits)",
			STR_ARG(tls->signature), tls->signature_bits);
	if (tls->signature_digest.len)
		buf_printf(out, " server-digest %.*s", STR_ARG(tls->signature_digest));
	buf_addz(out, ")\n");
	if (tls->peer_certificate)
		buf_printf(out, "\t(Client CN \"%.*s\", Issuer \"%.*s\" (%s))\n",
			STR_ARG(tls->peer_cn), STR_ARG(tls->issuer_cn),
			tls->trusted ? "verified OK" : "not verified");
	else
		buf_printf(out, "\t(%s)\n",
			s->p->smtpd_tls_ask_ccert || s->p->smtpd_tls_req_ccert
				? "Client did not present a certificate"
				: "No client certificate requested");
}

/* RFC 5322 section 3.3, the zone's name behind it; made once a second. */
static const char *
date_text(time_t now)
{
	static char text[64];
	static time_t made;
	struct tm tm;

	if (now != made || !text[0]) {
		localtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %e %b %Y %H:%M:%S %z (%Z)", &tm);
		made = now;
	}
	return text;
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
	buf_add(&out, protocol(s));
	buf_addz(&out, " id ");
	buf_addz(&out, s->t.queue_id);
	if (s->t.rcpts.n == 1) { /* more would tell recipients about each other */
		buf_addz(&out, "\n\tfor <");
		buf_add(&out, address_quote(s->t.rcpts.items[0].address, s->mail));
		buf_addc(&out, '>');
	}
	buf_addz(&out, s->t.rcpts.n == 1 ? "; " : ";\n\t");
	buf_addz(&out, date_text((time_t)(s->t.arrival_us / 1000000)));
	buf_addc(&out, '\n');
	return arena_str(s->mail, buf_str(&out));
}
