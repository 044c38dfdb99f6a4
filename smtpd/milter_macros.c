/* milter_macros.c -- what macros of milters are worth in an SMTP session (MILTER_README).
 */
#include "milters.h"
#include "session.h"

static struct str
number(struct session *s, uint64_t n)
{
	return arena_printf(s->command, "%llu", (unsigned long long)n);
}

/* ---- the client ---- */

static struct str
client(struct session *s)
{
	return arena_printf(s->command, "%.*s [%.*s]%s", STR_ARG(s->reverse_name),
		STR_ARG(s->address),
		str_case_eq(s->name, s->reverse_name) ? "" : " (may be forged)");
}

static struct str
client_address(struct session *s)
{
	return str_chr(s->address, ':') < 0
		       ? s->address
		       : arena_printf(s->command, "IPv6:%.*s", STR_ARG(s->address));
}

static struct str
client_port(struct session *s)
{
	return str_is(s->port, "unknown") ? STR("0") : s->port;
}

static struct str
client_resolve(struct session *s)
{
	if (s->name_status == PEER_KNOWN)
		return STR("OK");
	if (s->name_status == PEER_UNSURE)
		return STR("TEMP");
	return s->reverse_status == PEER_KNOWN ? STR("FORGED") : STR("FAIL");
}

/* ---- TLS ---- */

static struct str
tls_text(struct session *s, size_t at)
{
	const struct tls_info *tls = conn_tls_info(s->conn);
	struct str text = STR_NONE;

	if (s->conn->tls && tls)
		memcpy(&text, (const char *)tls + at, sizeof(text));
	return text.len > 0 ? text : STR_NONE;
}

static struct str
tls_version(struct session *s)
{
	return tls_text(s, offsetof(struct tls_info, protocol));
}

static struct str
cipher(struct session *s)
{
	return tls_text(s, offsetof(struct tls_info, cipher));
}

static struct str
cipher_bits(struct session *s)
{
	return s->conn->tls ? number(s, conn_tls_info(s->conn)->used_bits) : STR_NONE;
}

static struct str
tls_sni(struct session *s)
{
	return tls_text(s, offsetof(struct tls_info, server_name));
}

static bool
is_trusted(struct session *s)
{
	const struct tls_info *tls = conn_tls_info(s->conn);

	return s->conn->tls && tls->peer_certificate && tls->trusted;
}

static struct str
cert_subject(struct session *s)
{
	return is_trusted(s) ? tls_text(s, offsetof(struct tls_info, peer_cn)) : STR_NONE;
}

static struct str
cert_issuer(struct session *s)
{
	return is_trusted(s) ? tls_text(s, offsetof(struct tls_info, issuer_cn))
			     : STR_NONE;
}

/* ---- addresses ---- */

/* Where mail to this address would go. */
SWITCHES static struct route_result
route_of(struct session *s, struct str address)
{
	struct route_result to = { .transport = STR_NONE };
	struct why why;

	if (address.len == 0)
		address = arena_printf(s->command, "%.*s@%.*s",
			STR_ARG(s->p->empty_address_recipient),
			STR_ARG(s->p->myhostname));
	(void)route_resolve(
		s->site->route, ROUTE_FOR_MAIL, STR(""), address, s->command, &to, &why);
	return to;
}

SWITCHES static struct str
mail_addr(struct session *s)
{
	if (!s->asked_sender.data || s->asked_sender.len == 0)
		return s->asked_sender;
	return address_quote(
		route_rewrite(s->site->route, REWRITE_LOCAL, s->asked_sender, s->command),
		s->command);
}

SWITCHES static struct str
mail_host(struct session *s)
{
	return s->asked_sender.data ? route_of(s, s->asked_sender).nexthop : STR_NONE;
}

SWITCHES static struct str
mail_mailer(struct session *s)
{
	return s->asked_sender.data ? route_of(s, s->asked_sender).transport : STR_NONE;
}

/* Of a recipient that was refused they are told "error", its status and the text, without
 * the address. */
static struct str
refusal_part(struct session *s, bool status)
{
	struct str text = str_from(s->milters_refused, 4);
	char code[12] = "";
	ssize_t at;

	(void)why_code_take(&text, code);
	if (status)
		return arena_str(s->command, str_c(code));
	at = str_find(text, STR(">: "));
	return str_starts(text, STR("<")) && at > 0 ? str_from(text, (size_t)at + 3)
						    : text;
}

SWITCHES static struct str
rcpt_addr(struct session *s)
{
	if (!s->asked_recipient.data)
		return STR_NONE;
	if (s->milters_refused.data)
		return refusal_part(s, false);
	return address_quote(route_rewrite(s->site->route, REWRITE_LOCAL,
				     s->asked_recipient, s->command),
		s->command);
}

SWITCHES static struct str
rcpt_host(struct session *s)
{
	if (!s->asked_recipient.data)
		return STR_NONE;
	return s->milters_refused.data ? refusal_part(s, true)
				       : route_of(s, s->asked_recipient).nexthop;
}

SWITCHES static struct str
rcpt_mailer(struct session *s)
{
	if (!s->asked_recipient.data)
		return STR_NONE;
	return s->milters_refused.data ? STR("error")
				       : route_of(s, s->asked_recipient).transport;
}

/* ---- all of them ---- */

static struct str
queue_id(struct session *s)
{
	return str_c(s->t.queue_id[0] ? s->t.queue_id : NULL);
}

static struct str
connections(struct session *s)
{
	return number(s, s->connections);
}

/* ---- who has logged in ---- */

static struct str
auth_type(struct session *s)
{
	return s->sasl_username.len > 0 ? s->sasl_method : STR_NONE;
}

static struct str
auth_authen(struct session *s)
{
	return s->sasl_username.len > 0 ? s->sasl_username : STR_NONE;
}

static struct str
auth_author(struct session *s)
{
	struct str said = s->t.parameters.auth;

	return s->sasl_username.len > 0 && said.len > 0 ? said : STR_NONE;
}

static const struct {
	const char *name;
	SWITCHES struct str (*value)(struct session *s);
	size_t at; /* in struct session, where there is no function */
} macros[] = {
	{ "_", client, 0 },
	{ "auth_authen", auth_authen, 0 },
	{ "auth_author", auth_author, 0 },
	{ "auth_type", auth_type, 0 },
	{ "cert_issuer", cert_issuer, 0 },
	{ "cert_subject", cert_subject, 0 },
	{ "cipher", cipher, 0 },
	{ "cipher_bits", cipher_bits, 0 },
	{ "client_addr", client_address, 0 },
	{ "client_connections", connections, 0 },
	{ "client_name", NULL, offsetof(struct session, name) },
	{ "client_port", client_port, 0 },
	{ "client_ptr", NULL, offsetof(struct session, reverse_name) },
	{ "client_resolve", client_resolve, 0 },
	{ "daemon_addr", NULL, offsetof(struct session, server_address) },
	{ "daemon_port", NULL, offsetof(struct session, server_port) },
	{ "i", queue_id, 0 },
	{ "mail_addr", mail_addr, 0 },
	{ "mail_host", mail_host, 0 },
	{ "mail_mailer", mail_mailer, 0 },
	{ "rcpt_addr", rcpt_addr, 0 },
	{ "rcpt_host", rcpt_host, 0 },
	{ "rcpt_mailer", rcpt_mailer, 0 },
	{ "spf_result", spf_result_known, 0 },
	{ "tls_sni", tls_sni, 0 },
	{ "tls_version", tls_version, 0 },
};

struct str
milter_macro(void *arg, struct str name)
{
	struct session *s = arg;

	if (str_is(name, "j"))
		return s->p->myhostname;
	if (str_is(name, "v"))
		return s->p->milter_macro_v;
	if (str_is(name, "daemon_name"))
		return s->p->milter_macro_daemon_name;
	for (size_t i = 0; i < COUNT(macros); i++)
		if (str_is(name, macros[i].name))
			return macros[i].value ? macros[i].value(s)
					       : *(const struct str *)((const char *)s +
								       macros[i].at);
	return STR_NONE;
}
