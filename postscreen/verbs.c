/* verbs.c -- what the dialogue of postscreen answers to each command: the words of smtpd,
 * but no recipient is ever accepted. */
#include "address.h"
#include "log.h"
#include "service.h"
#include "session.h"

#define NOT_IMPLEMENTED "502 5.5.1 Error: command not implemented"
#define LINGER          ((msec_t)10000)

/* ---- HELO, EHLO ---- */

static void
reset_mail(struct session *s)
{
	if (s->mail)
		arena_free(s->mail);
	s->mail = NULL;
	s->sender = STR_NONE;
}

static struct str
first_word(struct str rest)
{
	struct str word = STR("");

	(void)str_token(&rest, " ", &word);
	return word;
}

static void
introduce(struct session *s, struct str rest, struct str protocol)
{
	s->helo = arena_str(s->arena, first_word(rest));
	s->protocol = protocol;
}

SWITCHES static bool
cmd_helo(struct session *s, struct str rest)
{
	if (!rest.len)
		return session_reply(s, "501 Syntax: HELO hostname");
	introduce(s, rest, STR("SMTP"));
	return session_reply(s, "250 %.*s", STR_ARG(s->p->myhostname));
}

SWITCHES static unsigned
discarded(struct session *s)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->discard_maps))
		return s->site->discard;
	switch (maps_find(
		s->site->discard_maps, str_c(s->address), s->command, &value, &why)) {
	case DICT_FOUND:
		return keywords_parse(
			value, "postscreen_discard_ehlo_keyword_address_maps");
	case DICT_ERROR:
		log_warn("postscreen_discard_ehlo_keyword_address_maps: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return s->site->discard;
}

/* Those of smtpd, in its order, but for what lets a client send ahead or log in. */
static const struct {
	unsigned keyword;
	const char *text;
} keywords[] = {
	{ KEYWORD_SIZE, "SIZE" },
	{ KEYWORD_VRFY, "VRFY" },
	{ KEYWORD_ETRN, "ETRN" },
	{ KEYWORD_STARTTLS, "STARTTLS" },
	{ KEYWORD_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES" },
	{ KEYWORD_8BITMIME, "8BITMIME" },
	{ KEYWORD_DSN, "DSN" },
	{ KEYWORD_SMTPUTF8, "SMTPUTF8" },
	{ KEYWORD_CHUNKING, "CHUNKING" },
};

static unsigned
withheld(struct session *s)
{
	unsigned without = discarded(s);

	if (without & ~(unsigned)KEYWORD_SILENT && !(without & KEYWORD_SILENT))
		keywords_log(without);
	if (s->p->disable_vrfy_command)
		without |= KEYWORD_VRFY;
	if (!certificates_are_offered(&s->site->tls) || s->conn->tls)
		without |= KEYWORD_STARTTLS;
	if (!s->p->smtputf8_enable)
		without |= KEYWORD_SMTPUTF8;
	return without;
}

SWITCHES static bool
cmd_ehlo(struct session *s, struct str rest)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned without;
	size_t last = 0; /* where the last line begins */

	if (!rest.len)
		return session_reply(s, "501 Syntax: EHLO hostname");
	introduce(s, rest, STR("ESMTP"));
	without = withheld(s);
	buf_printf(&text, "250-%.*s\r\n", STR_ARG(s->p->myhostname));
	for (size_t i = 0; i < COUNT(keywords); i++) {
		if (without & keywords[i].keyword)
			continue;
		last = text.len;
		buf_printf(&text, "250-%s", keywords[i].text);
		if (keywords[i].keyword == KEYWORD_SIZE && s->p->message_size_limit > 0)
			buf_printf(&text, " %lld", (long long)s->p->message_size_limit);
		buf_addz(&text, "\r\n");
	}
	text.data[last + 3] = ' ';
	conn_write(s->conn, buf_str(&text));
	return conn_flush(s->conn, deadline_in(LINGER)) == CONN_OK;
}

/* ---- MAIL, RCPT ---- */

/* "FROM:<a@b>": the address as it is kept, or what stands there when it is none. */
static bool
take_path(struct session *s, struct str rest, struct str word, struct str *out)
{
	struct address address;
	struct str path;
	struct why why;

	if (!str_case_starts(rest, word))
		return false;
	rest = str_trim(str_from(rest, word.len));
	path = address_path_token(&rest);
	if (address_parse(path, ADDRESS_LOOSE | ADDRESS_UTF8, &address, &why) == ACCEPT) {
		*out = address_internal(&address, s->command);
		return true;
	}
	if (path.len && path.data[0] == '<')
		path = str_from(path, 1);
	if (path.len && path.data[path.len - 1] == '>')
		path.len--;
	*out = path.data ? path : STR("");
	return true;
}

SWITCHES static bool
cmd_mail(struct session *s, struct str rest)
{
	struct str sender;

	if (s->p->postscreen_helo_required && !s->helo.data)
		return session_reply(s, "503 5.5.1 Error: send HELO/EHLO first");
	if (s->sender.data)
		return session_reply(s, "503 5.5.1 Error: nested MAIL command");
	if (!take_path(s, rest, STR("FROM:"), &sender))
		return session_reply(s, "501 5.5.4 Syntax: MAIL FROM:<address>");
	s->mail = arena_new();
	s->sender = arena_str(s->mail, sender);
	return session_reply(s, "250 2.1.0 Ok");
}

SWITCHES static bool
cmd_rcpt(struct session *s, struct str rest)
{
	struct str rcpt;

	if (!s->sender.data)
		return session_reply(s, "503 5.5.1 Error: need MAIL command");
	if (!take_path(s, rest, STR("TO:"), &rcpt))
		return session_reply(s, "501 5.5.4 Syntax: RCPT TO:<address>");
	log_line(POSTSCREEN_REJECT, s->client, s->refusal, s->sender, rcpt, s->protocol,
		s->helo.data ? s->helo : STR(""));
	return session_reply_text(s, s->refusal);
}

/* ---- content: there is no recipient that it could be for ---- */

SWITCHES static bool
refuse_content(struct session *s, const char *verb, const char *reply)
{
	log_line(POSTSCREEN_NO_RCPT, str_c(verb), s->client);
	session_drop(s, reply);
	return true;
}

static const char *
content_refusal(const struct session *s)
{
	return s->sender.data ? "554 5.5.1 Error: no valid recipients"
			      : "503 5.5.1 Error: need RCPT command";
}

SWITCHES static bool
cmd_data(struct session *s, struct str rest)
{
	return refuse_content(
		s, "DATA", rest.len ? "501 5.5.4 Syntax: DATA" : content_refusal(s));
}

/* "BDAT 1000", "BDAT 0 LAST" (RFC 3030 section 2). */
static bool
is_bdat(struct str rest)
{
	struct str size = first_word(rest), last;
	uint64_t n;

	if (str_to_u64(size, &n) < 0)
		return false;
	last = str_trim(str_from(str_trim(rest), size.len));
	return !last.len || str_case_is(last, "LAST");
}

SWITCHES static bool
cmd_bdat(struct session *s, struct str rest)
{
	if (discarded(s) & KEYWORD_CHUNKING)
		return refuse_content(s, "BDAT", NOT_IMPLEMENTED);
	return refuse_content(s, "BDAT",
		is_bdat(rest) ? content_refusal(s)
			      : "501 5.5.4 Syntax: BDAT count [LAST]");
}

/* ---- the others ---- */

SWITCHES static bool
cmd_rset(struct session *s, struct str rest)
{
	(void)rest;
	reset_mail(s);
	return session_reply(s, "250 2.0.0 Ok");
}

SWITCHES static bool
cmd_noop(struct session *s, struct str rest)
{
	(void)rest;
	return session_reply(s, "250 2.0.0 Ok");
}

SWITCHES static bool
cmd_vrfy(struct session *s, struct str rest)
{
	if (s->p->postscreen_disable_vrfy_command)
		return session_reply(s, "502 5.5.1 VRFY command is disabled");
	if (!rest.len)
		return session_reply(s, "501 5.5.4 Syntax: VRFY address");
	return session_reply_text(s, s->refusal);
}

SWITCHES static bool
cmd_etrn(struct session *s, struct str rest)
{
	if (s->p->postscreen_helo_required && !s->helo.data)
		return session_reply(s, "503 5.5.1 Error: send HELO/EHLO first");
	if (discarded(s) & KEYWORD_ETRN)
		return session_reply(s, NOT_IMPLEMENTED);
	if (!rest.len)
		return session_reply(s, "500 Syntax: ETRN domain");
	return session_reply(s, "458 Unable to queue messages");
}

SWITCHES static bool
cmd_quit(struct session *s, struct str rest)
{
	(void)rest;
	session_drop(s, "221 2.0.0 Bye");
	return true;
}

/* ---- STARTTLS (RFC 3207) ---- */

static void
log_handshake(struct session *s)
{
	const struct tls_info *tls = conn_tls_info(s->conn);
	struct buf parameters CLEANUP(buf_free) = BUF_INIT;
	const char *trust = !tls->peer_certificate ? "Anonymous"
			    : tls->trusted         ? "Trusted"
						   : "Untrusted";

	if (s->site->tls_loglevel < 1)
		return;
	conn_tls_text(s->conn, &parameters);
	log_line(SMTPD_TLS, str_c(trust), str_c(tls->reused ? "reused" : "established"),
		s->client, buf_str(&parameters),
		tls->server_name.len ? tls->server_name : STR_NONE);
}

SWITCHES static bool
cmd_starttls(struct session *s, struct str rest)
{
	if (rest.len)
		return session_reply(s, "501 5.5.4 Syntax: STARTTLS");
	if (s->conn->tls)
		return session_reply(s, "554 5.5.1 Error: TLS already active");
	if (!certificates_are_offered(&s->site->tls))
		return session_reply(s, NOT_IMPLEMENTED);
	certificates_refresh(&postscreen_site->tls);
	if (!s->site->tls.context)
		return session_reply(
			s, "454 4.7.0 TLS not available due to local problem");
	if (!session_reply(s, "220 2.0.0 Ready to start TLS"))
		return false;
	conn_tls_trace(s->conn, s->site->tls_loglevel, s->client);
	if (conn_accept_tls(s->conn, s->site->tls.context,
		    deadline_in(s->p->postscreen_starttls_timeout)) != CONN_OK) {
		if (s->conn->tls_error.len)
			log_line(SMTPD_SSL_ACCEPT, s->client, s->conn->tls_error);
		return false;
	}
	log_handshake(s);
	/* Section 4.2: what was learned in clear is forgotten. */
	reset_mail(s);
	s->helo = STR_NONE;
	s->protocol = STR("SMTP");
	return true;
}

static const struct verb verbs[] = {
	{ STR_INIT("HELO"), cmd_helo, VERB_PRE_TLS },
	{ STR_INIT("EHLO"), cmd_ehlo, VERB_PRE_TLS },
	{ STR_INIT("STARTTLS"), cmd_starttls, VERB_PRE_TLS },
	{ STR_INIT("MAIL"), cmd_mail, 0 },
	{ STR_INIT("RCPT"), cmd_rcpt, VERB_RCPT },
	{ STR_INIT("DATA"), cmd_data, 0 },
	{ STR_INIT("BDAT"), cmd_bdat, VERB_PAYLOAD },
	{ STR_INIT("RSET"), cmd_rset, 0 },
	{ STR_INIT("NOOP"), cmd_noop, VERB_PRE_TLS },
	{ STR_INIT("VRFY"), cmd_vrfy, 0 },
	{ STR_INIT("ETRN"), cmd_etrn, 0 },
	{ STR_INIT("QUIT"), cmd_quit, VERB_PRE_TLS | VERB_QUIT },
};

const struct verb *
verb_find(struct str word)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (str_case_eq(word, verbs[i].name))
			return &verbs[i];
	return NULL;
}
