/* cmd_ehlo.c -- HELO and EHLO (RFC 5321 sections 4.1.1.1 and 4.1.4): the client's name,
 * and what we can do for it. */
#include "login.h"
#include "milters.h"

/* What both do: asks smtpd_helo_restrictions, ends a transaction (section 4.1.4). */
static bool
introduce(struct session *s, struct str rest, const char *syntax)
{
	struct str name = str_sub(str_trim(rest), 0, HELO_MOST);
	bool said_before, served;

	if (name.len == 0)
		return reply(s, 501, "%s", syntax);
	if (!policy_helo(s, name))
		return reply_text(s, s->refusal);
	said_before = s->helo.data != NULL;
	session_set_helo(s, name);
	served = milters_hear_helo(s, name);
	if (said_before)
		milters_forget_helo(s);
	session_reset_mail(s);
	s->extensions = ESMTP_ALL;
	return served || reply_text(s, s->refusal);
}

bool
cmd_helo(struct session *s, struct str rest)
{
	if (!introduce(s, rest, "Syntax: HELO hostname"))
		return false;
	s->protocol = STR("SMTP");
	return reply(s, 250, "%.*s", STR_ARG(s->p->myhostname));
}

/* smtpd_discard_ehlo_keyword_address_maps comes before smtpd_discard_ehlo_keywords. */
static unsigned
discarded(struct session *s)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->discard_maps))
		return s->site->discard;
	switch (maps_find(s->site->discard_maps, s->address, s->command, &value, &why)) {
	case DICT_FOUND:
		return keywords_parse(value, "smtpd_discard_ehlo_keyword_address_maps");
	case DICT_ERROR:
		log_warn("smtpd_discard_ehlo_keyword_address_maps: %s", why.text);
		/* fall through */
	case DICT_NOTFOUND:
		break;
	}
	return s->site->discard;
}

static bool
is_one_of(struct match_list *hosts, struct session *s)
{
	struct why why;

	return match_client(hosts, s->name, &s->peer, &why) == DICT_FOUND;
}

/* One row for each keyword that may be announced, in Postfix's order. */
static const struct {
	unsigned keyword;
	unsigned extension; /* MAIL and RCPT parameters that come with it */
	const char *text;
} keywords[] = {
	{ KEYWORD_PIPELINING, 0, "PIPELINING" },
	{ KEYWORD_SIZE, ESMTP_SIZE, "SIZE" },
	{ KEYWORD_VRFY, 0, "VRFY" },
	{ KEYWORD_ETRN, 0, "ETRN" },
	{ KEYWORD_STARTTLS, 0, "STARTTLS" },
	{ KEYWORD_AUTH, 0, "AUTH" },
	{ KEYWORD_XVERP, 0, "XVERP" },
	{ KEYWORD_XCLIENT, 0,
		"XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR "
		"DESTPORT" },
	{ KEYWORD_XFORWARD, 0, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT" },
	{ KEYWORD_ENHANCEDSTATUSCODES, 0, "ENHANCEDSTATUSCODES" },
	{ KEYWORD_8BITMIME, ESMTP_8BITMIME, "8BITMIME" },
	{ KEYWORD_DSN, ESMTP_DSN, "DSN" },
	{ KEYWORD_SMTPUTF8, ESMTP_SMTPUTF8, "SMTPUTF8" },
	{ KEYWORD_CHUNKING, 0, "CHUNKING" },
	{ KEYWORD_REQUIRETLS, ESMTP_REQUIRETLS, "REQUIRETLS" },
	{ KEYWORD_LIMITS, 0, "LIMITS" },
};

/* What this client is not offered for reasons of its own. */
static unsigned
withheld(struct session *s, struct str *auth)
{
	unsigned without = discarded(s);

	if (without & ~(unsigned)KEYWORD_SILENT && !(without & KEYWORD_SILENT))
		keywords_log(without); /* unless "silent-discard" is one of them */
	if (s->p->disable_vrfy_command)
		without |= KEYWORD_VRFY;
	if (!certificates_are_offered(&s->site->tls) || s->conn->tls)
		without |= KEYWORD_STARTTLS;
	if (!is_one_of(s->site->xclient_hosts, s))
		without |= KEYWORD_XCLIENT;
	if (!is_one_of(s->site->verp_clients, s))
		without |= KEYWORD_XVERP;
	if (!is_one_of(s->site->xforward_hosts, s))
		without |= KEYWORD_XFORWARD;
	if (!s->p->smtputf8_enable)
		without |= KEYWORD_SMTPUTF8;
	/* RFC 8689 section 2: only under TLS. */
	if (!s->p->requiretls_enable || !s->conn->tls)
		without |= KEYWORD_REQUIRETLS;
	if (!s->p->smtpd_limits_enable)
		without |= KEYWORD_LIMITS;
	s->auth_discarded = without & KEYWORD_AUTH;
	*auth = login_announced(s);
	if (!auth->data)
		without |= KEYWORD_AUTH;
	return without;
}

/* Most clients are offered the same: the answer is made again only when it differs. */
static void
ehlo_text(struct session *s, unsigned without, struct str auth, struct buf *text)
{
	size_t last = 0; /* where the last line begins */

	buf_clear(text);
	buf_printf(text, "250-%.*s\r\n", STR_ARG(s->p->myhostname));
	for (size_t i = 0; i < COUNT(keywords); i++) {
		if (without & keywords[i].keyword)
			continue;
		last = text->len;
		buf_addz(text, "250-");
		buf_addz(text, keywords[i].text);
		if (keywords[i].keyword == KEYWORD_SIZE && s->p->message_size_limit > 0)
			buf_printf(text, " %lld", (long long)s->p->message_size_limit);
		/* RFC 9422 section 4.2; there is none on the messages of a session. */
		if (keywords[i].keyword == KEYWORD_LIMITS)
			buf_printf(text, " RCPTMAX=%d", s->p->smtpd_recipient_limit);
		if (keywords[i].keyword == KEYWORD_AUTH) {
			buf_printf(text, " " STR_FMT, STR_ARG(auth));
			/* As a draft of RFC 2554 had it, and old clients. */
			if (s->p->broken_sasl_auth_clients) {
				last = text->len + 2;
				buf_printf(text, "\r\n250-AUTH=" STR_FMT, STR_ARG(auth));
			}
		}
		buf_addz(text, "\r\n");
	}
	text->data[last + 3] = ' ';
}

/* The answer of before, if it fits. */
static struct str
ehlo_answer(struct session *s, unsigned without, struct str auth)
{
	struct ehlo_answer *answer = s->site->ehlo;

	if (!answer->text.len || answer->withheld != without ||
		!str_eq(buf_str(&answer->auth), auth)) {
		ehlo_text(s, without, auth, &answer->text);
		answer->withheld = without;
		buf_clear(&answer->auth);
		buf_add(&answer->auth, auth);
	}
	return buf_str(&answer->text);
}

bool
cmd_ehlo(struct session *s, struct str rest)
{
	struct str auth, text, line;
	unsigned without;

	if (!introduce(s, rest, "Syntax: EHLO hostname"))
		return false;
	s->protocol = STR("ESMTP");
	without = withheld(s, &auth);
	s->extensions |= ESMTP_REQUIRETLS;
	for (size_t i = 0; i < COUNT(keywords); i++)
		if (without & keywords[i].keyword)
			s->extensions &= ~keywords[i].extension;
	/* Who is refused is not made offers. */
	if (s->milters_repel)
		without = ~(unsigned)KEYWORD_ENHANCEDSTATUSCODES;
	text = ehlo_answer(s, without, auth);
	conn_write(s->conn, text);
	while (str_split(&text, '\n', &line))
		session_note(s, WE_SAID, str_trim(line));
	return true;
}
