/* verbs.c -- the table of commands, and what has to be right before one of them runs. */
#include "milters.h"
#include "verbs.h"
#include "address.h"
#include "session.h"

enum { VERB_UNKNOWN = VERBS - 1 };

/* In the order of the disconnect line. */
const struct verb verbs[VERBS] = {
	{ STR_INIT("HELO"), cmd_helo, VERB_PRE_TLS | VERB_LAST | VERB_JUNK },
	{ STR_INIT("EHLO"), cmd_ehlo, VERB_PRE_TLS | VERB_LAST | VERB_JUNK },
	{ STR_INIT("XCLIENT"), cmd_xclient, VERB_PRE_TLS },
	{ STR_INIT("XFORWARD"), cmd_xforward, VERB_PRE_TLS },
	{ STR_INIT("STARTTLS"), cmd_starttls, VERB_PRE_TLS | VERB_LAST },
	{ STR_INIT("AUTH"), cmd_auth, 0 },
	{ STR_INIT("MAIL"), cmd_mail, 0 },
	{ STR_INIT("RCPT"), cmd_rcpt, 0 },
	{ STR_INIT("DATA"), cmd_data, VERB_LAST },
	{ STR_INIT("BDAT"), cmd_bdat, 0 },
	{ STR_INIT("RSET"), cmd_rset, VERB_JUNK },
	{ STR_INIT("NOOP"), cmd_noop, VERB_PRE_TLS | VERB_LAST | VERB_JUNK },
	{ STR_INIT("VRFY"), cmd_vrfy, VERB_LAST | VERB_JUNK },
	{ STR_INIT("ETRN"), cmd_etrn, 0 },
	{ STR_INIT("QUIT"), cmd_quit, VERB_PRE_TLS },
	{ STR_INIT("HELP"), cmd_help, VERB_PRE_TLS | VERB_LAST | VERB_JUNK },
	{ STR_INIT("UNKNOWN"), NULL, 0 },
};

static size_t
verb_find(struct str word)
{
	for (size_t i = 0; i < VERB_UNKNOWN; i++)
		if (str_case_eq(word, verbs[i].name))
			return i;
	return VERB_UNKNOWN;
}

/* "Subject: hello": content where commands belong, sent by something that lost its step
 * or was tricked into speaking to us. */
static bool
looks_like_header(struct str line)
{
	ssize_t colon = str_chr(line, ':');

	if (colon <= 0)
		return false;
	for (ssize_t i = 0; i < colon; i++)
		if (!ascii_is_alnum(line.data[i]) && line.data[i] != '-')
			return false;
	return true;
}

static bool
list_has(struct match_list *list, struct str word)
{
	struct why why;

	return list && match_string(list, word, &why) == DICT_FOUND;
}

static bool
unknown_command(struct session *s, struct str word, struct str line)
{
	if (!looks_like_header(line) && !list_has(s->site->forbidden_commands, word)) {
		if (!milters_hear_unknown(s, word))
			return reply_text(s, s->refusal);
		return reply(s, 500, "5.5.2 Error: command not recognized");
	}
	s->fault = 0;
	log_line(SMTPD_NON_SMTP, s->client, str_sub(line, 0, 100));
	reply(s, 221, "2.7.0 Error: I can break rules, too. Goodbye.");
	s->closing = true;
	return false;
}

/* Whatever forbids the command before it is looked at more closely. */
static bool
is_served(struct session *s, const struct verb *verb)
{
	s->fault = 0;
	if (s->denied.data && verb->run != cmd_quit)
		return reply(s, 503, "5.7.0 Error: access denied for %.*s",
			STR_ARG(s->client));
	if (s->site->tls_required && !s->conn->tls && !(verb->flags & VERB_PRE_TLS))
		return reply(s, 530, "5.7.0 Must issue a STARTTLS command first");
	s->fault = FAULT_PROTOCOL;
	return true;
}

/* RFC 2920 section 3.1: after these commands a client has to wait for the reply. */
static bool
spoke_out_of_turn(struct session *s, const struct verb *verb)
{
	struct str early;

	/* Who said HELO knows nothing of PIPELINING. */
	if ((!(verb->flags & VERB_LAST) && str_is(s->protocol, "ESMTP")) ||
		s->ill_pipelining)
		return false;
	early = session_early_bytes(s);
	if (early.len == 0)
		return false;
	session_early_talker(s, early);
	return s->closing;
}

static bool
run(struct session *s, const struct verb *verb, struct str rest)
{
	if (!is_served(s, verb) || spoke_out_of_turn(s, verb))
		return false;
	if (verb->flags & VERB_JUNK && s->junk++ > s->p->smtpd_junk_command_limit)
		s->errors++;
	return verb->run(s, rest);
}

/* smtpd_command_filter: what the client should have said. */
static struct str
filtered(struct session *s, struct str line)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->command_filter))
		return line;
	switch (maps_find(s->site->command_filter, line, s->command, &value, &why)) {
	case DICT_FOUND:
		log_info("%.*s: replacing command \"%.*s\" with \"%.*s\"",
			STR_ARG(s->client), STR_ARG(str_sub(line, 0, 100)),
			STR_ARG(str_sub(value, 0, 100)));
		return value;
	case DICT_ERROR:
		log_warn("smtpd_command_filter: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return line;
}

void
verbs_run(struct session *s, struct str line)
{
	struct str rest, word;
	size_t n;
	bool ok;

	line = filtered(s, line);
	rest = line;
	s->fault = FAULT_PROTOCOL;
	if (s->p->smtputf8_enable && !address_utf8_is_valid(line)) {
		s->errors++;
		s->transcript.faults |= FAULT_PROTOCOL;
		reply(s, 500, "5.5.2 Error: bad UTF-8 syntax");
		return;
	}
	if (str_chr(line, 0) >= 0 || s->conn->bare_cr ||
		!str_token(&rest, " \t", &word)) {
		s->errors++;
		s->transcript.faults |= FAULT_PROTOCOL;
		reply(s, 500, "5.5.2 Error: bad syntax");
		return;
	}
	while (rest.len && ascii_is_blank(rest.data[0]))
		rest = str_from(rest, 1);
	if (list_has(s->site->noop_commands, word)) {
		s->errors += s->junk++ > s->p->smtpd_junk_command_limit;
		reply(s, 250, "2.0.0 Ok");
		return;
	}
	n = verb_find(word);
	s->where = verbs[n].name.data;
	s->tried[n]++;
	ok = n == VERB_UNKNOWN ? unknown_command(s, word, line) : run(s, &verbs[n], rest);
	s->ok[n] += ok;
	s->errors += !ok;
	if (!ok)
		s->transcript.faults |= s->fault;
}

static void
add_number(struct buf *text, unsigned n)
{
	if (n > 9)
		add_number(text, n / 10);
	buf_addc(text, (char)('0' + n % 10));
}

/* "mail=2 ", or "mail=1/2 " when some failed. */
static void
add_count(struct buf *text, struct str name, unsigned ok, unsigned all)
{
	for (size_t i = 0; i < name.len; i++)
		buf_addc(text, ascii_lower(name.data[i]));
	buf_addc(text, '=');
	add_number(text, ok);
	if (ok != all || all == 0) {
		buf_addc(text, '/');
		add_number(text, all);
	}
	buf_addc(text, ' ');
}

struct str
verbs_counts(const struct session *s, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned ok = 0, all = 0;

	for (size_t i = 0; i < VERBS; i++) {
		if (!s->tried[i])
			continue;
		add_count(&text, verbs[i].name, s->ok[i], s->tried[i]);
		ok += s->ok[i];
		all += s->tried[i];
	}
	add_count(&text, STR("commands"), ok, all);
	text.len--; /* the blank */
	return arena_str(arena, buf_str(&text));
}
