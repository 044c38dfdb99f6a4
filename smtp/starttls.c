/* starttls.c -- TLS with a host (RFC 3207), as smtp_tls_security_level says. */
#include "smtp.h"
#include "log.h"
#include "tls_keys.h"

struct tls_context *smtp_tls;

/* ---- preparation ---- */

/* As servers have them. */
static struct str
client_groups(const struct conf *c)
{
	if (c->p.tls_eecdh_auto_curves.len == 0)
		return STR_NONE;
	return arena_printf(c->arena, "%.*s %.*s", STR_ARG(c->p.tls_eecdh_auto_curves),
		STR_ARG(c->p.tls_ffdhe_auto_groups));
}

void
starttls_prepare(const struct conf *c)
{
	enum tls_level level = tls_policy_level(c);
	bool may = level == TLS_MAY;
	struct str ciphers =
		may ? c->p.smtp_tls_ciphers : c->p.smtp_tls_mandatory_ciphers;
	struct why why;
	struct tls_config tls = {
		.cert_file = c->p.smtp_tls_cert_file,
		.key_file = c->p.smtp_tls_key_file,
		.eccert_file = c->p.smtp_tls_eccert_file,
		.eckey_file = c->p.smtp_tls_eckey_file,
		.chain_files = conf_list(c->p.smtp_tls_chain_files, c->arena),
		.ca_file = c->p.smtp_tls_CAfile,
		.ca_path = c->p.smtp_tls_CApath,
		.verify_depth = c->p.smtp_tls_scert_verifydepth,
		.protocols =
			may ? c->p.smtp_tls_protocols : c->p.smtp_tls_mandatory_protocols,
		.ciphers = ciphers,
		.cipherlist = tls_policy_grade(c, ciphers),
		.exclude_ciphers = c->p.smtp_tls_exclude_ciphers,
		.fingerprint_digest = c->p.smtp_tls_fingerprint_digest,
		.default_authorities = c->p.tls_append_default_CA,
		.groups = client_groups(c),
		.ssl_options = c->p.tls_ssl_options,
		.disabled_workarounds = c->p.tls_disable_workarounds,
		.keep_sessions = tls_cache_is_on(c),
		.dane_digests = c->p.tls_dane_digests,
	};

	tls_policy_prepare(c);
	tls_per_site_prepare(c);
	if (level == TLS_NONE && !tls_policy_has_table() && !tls_per_site_is_used() &&
		!c->p.smtp_tls_mta_sts)
		return;
	if (tls_library_open(c->p.tls_config_file, c->p.tls_config_name, &why) < 0) {
		log_warn("TLS is off: %s", why.text);
		return;
	}
	if (!may && c->p.smtp_tls_mandatory_exclude_ciphers.len > 0)
		tls.exclude_ciphers = arena_printf(c->arena, "%.*s %.*s",
			STR_ARG(c->p.smtp_tls_exclude_ciphers),
			STR_ARG(c->p.smtp_tls_mandatory_exclude_ciphers));
	if (tls.ca_path.len > 0)
		service_allow_read_links(arena_cstr(c->arena, tls.ca_path));
	tls_policy_read_anchors(c);
	smtp_tls = tls_client_context(&tls, &why);
	if (!smtp_tls)
		log_warn("TLS is off: %s", why.text);
	if (level == TLS_DANE || level == TLS_DANE_ONLY)
		dane_warn(STR("smtp_tls_security_level"), c);
}

/* ---- one session ---- */

/* "may": as wanted; "may:none": what it came to; "!encrypt": not as wanted; "may?": we
 * did not get so far. Only where the parameter is set: Debian's pflogsumm counts no line
 * that has it. */
void
starttls_note(struct session *s, const struct conf *c, enum tls_reached reached)
{
	static const char *const texts[][3] = {
		[TLS_NONE] = { "none", "none", "none" },
		[TLS_MAY] = { "may?", "may:none", "may" },
		[TLS_ENCRYPT] = { "encrypt?", "!encrypt", "encrypt" },
		[TLS_DANE] = { "dane?", "!dane", "dane" },
		[TLS_HALF_DANE] = { "halfdane?", "!halfdane", "halfdane" },
		[TLS_FINGERPRINT] = { "fingerprint?", "!fingerprint", "fingerprint" },
		[TLS_VERIFY] = { "verify?", "!verify", "verify" },
		[TLS_SECURE] = { "secure?", "!secure", "secure" },
	};
	struct str name = smtp_lmtp ? STR("lmtp_log_tls_feature_status")
				    : STR("smtp_log_tls_feature_status");
	enum tls_level level = s->nexthop->path.len > 0 ? TLS_NONE : s->policy->level;

	ensure((size_t)level < COUNT(texts));
	if (c->p.smtp_log_tls_feature_status && conf_setting(c, name))
		s->tls = str_c(texts[level][reached]);
}

/* Whose key it is and whom we asked are two questions: half of an answer is not
 * "Verified". */
static struct str
trust(const struct session *s, const struct tls_info *t)
{
	bool half = s->policy->level == TLS_HALF_DANE;

	if (s->verified && !half)
		return STR("Verified");
	if (t->trusted && (s->policy->level <= TLS_ENCRYPT || half))
		return STR("Trusted");
	return t->peer_certificate ? STR("Untrusted") : STR("Anonymous");
}

static void
tls_log(const struct session *s, const struct conf *c)
{
	const struct tls_info *t = conn_tls_info(s->conn);
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!t || tls_loglevel(c->p.smtp_tls_loglevel) < 1)
		return;
	conn_tls_text(s->conn, &text);
	log_line(SMTP_TLS, trust(s, t), t->reused ? STR("reused") : STR("established"),
		s->namaddrport, buf_str(&text));
}

/* The name in the SNI: none by default, as with Postfix. */
static struct str
server_name(const struct session *s)
{
	struct str name = s->policy->servername;

	if (str_case_is(name, "hostname"))
		return s->host;
	if (str_case_is(name, "nexthop"))
		return s->nexthop->host;
	return name;
}

/* In the words and numbers of OpenSSL, which Postfix has it say. */
static struct str
mismatch(const struct tls_policy *p, const struct tls_info *t)
{
	if (p->level != TLS_FINGERPRINT)
		return t->trusted ? STR("num=62:hostname mismatch") : t->distrust;
	for (size_t i = 0; i < p->match.n; i++)
		if (p->match.items[i].len == t->fingerprint.len)
			return STR("num=65:no matching DANE TLSA records");
	return STR("num=1:unspecified certificate verification error");
}

/* Who is not whom we asked for is told otherwise than who cannot be told. */
static void
log_distrust(const struct session *s, struct str reason)
{
	if (str_starts(reason, STR("num=")))
		log_line(SMTP_CERTIFICATE_OTHER, s->namaddrport, reason);
	else
		log_line(SMTP_CERTIFICATE, s->namaddrport, reason);
}

/* What the policy asks of the certificate, after the handshake: the server has seen
 * nothing of the mail so far. */
static enum verdict
judge(struct session *s, struct why *why)
{
	const struct tls_info *t = conn_tls_info(s->conn);

	if (s->policy->level <= TLS_ENCRYPT)
		return ACCEPT;
	s->verified = tls_policy_matches(s->policy, s, &s->matched);
	if (s->verified)
		return ACCEPT;
	s->unfit = true;
	if (t->peer_certificate)
		log_distrust(s, mismatch(s->policy, t));
	if (session_watch)
		return ACCEPT; /* to be looked at */
	return why_set(why, "4.7.5", "Server certificate not verified");
}

static enum verdict
handshake(struct session *s, const struct conf *c, struct why *why)
{
	struct str name = server_name(s);

	if (tls_loglevel(c->p.smtp_tls_loglevel) >= TLS_TRACE_STEPS)
		log_line(SMTP_TLS_SETUP, s->namaddrport);
	conn_tls_trace(s->conn, tls_loglevel(c->p.smtp_tls_loglevel), s->namaddrport);
	s->tls_key = tls_cache_key(s, name, c);
	if (conn_connect_tls_by(s->conn, smtp_tls, &s->policy->terms, name,
		    tls_cache_find(s, c),
		    deadline_in(c->p.smtp_starttls_timeout)) == CONN_OK) {
		enum verdict v = judge(s, why);

		if (session_watch)
			session_watch->secured(s);
		tls_log(s, c);
		starttls_note(s, c, v == ACCEPT ? TLS_ESTABLISHED : TLS_IN_CLEAR);
		if (v != ACCEPT) {
			tls_cache_forget(s, c);
			reply_clear(&s->reply);
		}
		return v;
	}
	starttls_note(s, c, TLS_IN_CLEAR);
	tls_cache_forget(s, c); /* perhaps it was that */
	log_line(SMTP_SSL_CONNECT, s->namaddrport,
		s->conn->tls_error.len > 0 ? s->conn->tls_error : STR("lost connection"));
	s->tls_failed = s->dead = true;
	reply_clear(&s->reply);
	return why_set(why, "4.7.5", "Cannot start TLS: handshake failure");
}

enum verdict
starttls_wrapped(struct session *s, const struct conf *c, struct why *why)
{
	if (!smtp_tls)
		return why_set(why, "4.7.5",
			"TLS is required, but our TLS engine is unavailable");
	return handshake(s, c, why);
}

enum verdict
starttls(struct session *s, const struct conf *c, struct why *why)
{
	bool must = s->policy->level >= TLS_ENCRYPT;
	const char *doing = "sending STARTTLS";

	s->unfit = must && (!(s->offers & OFFERS_STARTTLS) || !smtp_tls);
	if (!(s->offers & OFFERS_STARTTLS))
		return must ? why_set(why, "4.7.4",
				      "TLS is required, but was not offered by host %.*s",
				      STR_ARG(s->namaddr))
			    : ACCEPT;
	if (!smtp_tls)
		return must ? starttls_wrapped(s, c, why) : ACCEPT;
	command_send(s, "STARTTLS");
	if (!session_reply(s, deadline_in(c->p.smtp_starttls_timeout)))
		return session_why(s, doing, "STARTTLS", why);
	if (s->reply.code / 100 != 2 && !must && !s->dead)
		return ACCEPT;
	if (s->reply.code / 100 != 2) {
		why_set(why, s->reply.status[0] == '4' ? s->reply.status : "4.7.4",
			"TLS is required, but host %.*s refused to start TLS: %.*s",
			STR_ARG(s->namaddr), STR_ARG(buf_str(&s->reply.text)));
		return TEMPFAIL;
	}
	if (handshake(s, c, why) != ACCEPT)
		return TEMPFAIL;
	/* What was said in clear does not count any more (RFC 3207 section 4.2). */
	if (session_ehlo(s, c, &doing))
		return ACCEPT;
	return session_why(s, doing, NULL, why);
}
