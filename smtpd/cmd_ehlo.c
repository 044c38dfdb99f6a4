/* cmd_ehlo.c -- HELO and EHLO (RFC 5321 sections 4.1.1.1 and 4.1.4): the client's name,
 * and what we can do for it. */
#include "session.h"

/* What both do: asks smtpd_helo_restrictions, ends a transaction (section 4.1.4). */
static bool
introduce(struct session *s, struct str rest, const char *syntax)
{
	struct str name = str_sub(str_trim(rest), 0, HELO_MOST);

	if (name.len == 0)
		return reply(s, 501, "%s", syntax);
	if (!policy_helo(s, name))
		return reply_text(s, s->refusal);
	session_reset_mail(s);
	session_set_helo(s, name);
	s->extensions = ESMTP_ALL;
	return true;
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
offers_xclient(struct session *s)
{
	struct why why;

	return match_client(s->site->xclient_hosts, s->name, &s->peer, &why) ==
	       DICT_FOUND;
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
	{ KEYWORD_XCLIENT, 0,
		"XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR "
		"DESTPORT" },
	{ KEYWORD_ENHANCEDSTATUSCODES, 0, "ENHANCEDSTATUSCODES" },
	{ KEYWORD_8BITMIME, ESMTP_8BITMIME, "8BITMIME" },
	{ KEYWORD_DSN, ESMTP_DSN, "DSN" },
	{ KEYWORD_SMTPUTF8, ESMTP_SMTPUTF8, "SMTPUTF8" },
	{ KEYWORD_CHUNKING, 0, "CHUNKING" },
};

/* Whoever discards keywords wants to see that it worked, unless "silent-discard" is one.
 */
static void
log_discarded(unsigned discard)
{
	struct buf names CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(keywords); i++)
		if (discard & keywords[i].keyword) {
			struct str text = str_c(keywords[i].text), word;

			(void)str_token(&text, " ", &word);
			buf_addc(&names, ' ');
			buf_add(&names, word);
		}
	log_info("discarding EHLO keywords:%.*s", STR_ARG(buf_str(&names)));
}

/* What this client is not offered for reasons of its own. */
static unsigned
withheld(struct session *s)
{
	unsigned without = discarded(s);

	if (without & ~(unsigned)KEYWORD_SILENT && !(without & KEYWORD_SILENT))
		log_discarded(without);
	if (s->p->disable_vrfy_command)
		without |= KEYWORD_VRFY;
	if (!s->site->tls || s->conn->tls)
		without |= KEYWORD_STARTTLS;
	if (!offers_xclient(s))
		without |= KEYWORD_XCLIENT;
	if (!s->p->smtputf8_enable)
		without |= KEYWORD_SMTPUTF8;
	return without;
}

/* Most clients are offered the same: the answer is made again only when it differs. */
static void
ehlo_text(struct session *s, unsigned without, struct buf *text)
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
		buf_addz(text, "\r\n");
	}
	text->data[last + 3] = ' ';
}

bool
cmd_ehlo(struct session *s, struct str rest)
{
	struct ehlo_answer *answer = s->site->ehlo;
	unsigned without;

	if (!introduce(s, rest, "Syntax: EHLO hostname"))
		return false;
	s->protocol = STR("ESMTP");
	without = withheld(s);
	for (size_t i = 0; i < COUNT(keywords); i++)
		if (without & keywords[i].keyword)
			s->extensions &= ~keywords[i].extension;
	if (!answer->text.len || answer->withheld != without)
		ehlo_text(s, without, &answer->text);
	answer->withheld = without;
	conn_write(s->conn, buf_str(&answer->text));
	for (struct str rest_of = buf_str(&answer->text), line;
		str_split(&rest_of, '\n', &line);)
		session_note(s, WE_SAID, str_trim(line));
	return true;
}
