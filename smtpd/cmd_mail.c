/* cmd_mail.c -- MAIL (RFC 5321 section 4.1.1.2): who sends, and how. */
#include "address.h"
#include "message.h"
#include "milters.h"
#include "quotas.h"
#include "session.h"

/* "FROM:" or "TO:" in front of the path. Blanks behind the colon are a common mistake. */
bool
take_keyword(struct session *s, struct str *rest, struct str keyword)
{
	if (!str_case_starts(*rest, keyword))
		return false;
	*rest = str_from(*rest, keyword.len);
	return !s->p->strict_rfc821_envelopes || (rest->len && rest->data[0] == '<');
}

static bool
has_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

bool
address_needs_smtputf8(const struct session *s, const struct address *a)
{
	return has_8bit(a->domain) || (s->p->strict_smtputf8 && has_8bit(a->local));
}

enum verdict
address_read(const struct session *s, struct str path, unsigned how, struct address *out,
	struct why *why)
{
	enum verdict verdict = address_parse(path,
		how | (s->p->strict_rfc821_envelopes ? 0 : ADDRESS_LOOSE) |
			(s->p->smtputf8_enable ? ADDRESS_UTF8 : 0),
		out, why);
	struct net_addr numeric;

	/* A program behind us could take it for an option; an address without brackets is
	 * no domain (RFC 5321 section 4.1.3). */
	if (verdict == ACCEPT &&
		((!s->p->allow_min_user && str_starts(out->local, STR("-"))) ||
			(!s->p->resolve_numeric_domain &&
				net_addr_parse(out->domain, 0, &numeric) == 0 &&
				!str_starts(out->domain, STR("[")))))
		return how & ADDRESS_SENDER
			       ? why_set(why, "5.1.7", "Bad sender address syntax")
			       : why_set(why, "5.1.3", "Bad recipient address syntax");
	return verdict;
}

bool
illegal_address(struct session *s, int code, const struct why *why, struct str path)
{
	log_warn("Illegal address syntax from %.*s in %s command: %.*s",
		STR_ARG(s->client), s->where, STR_ARG(path));
	return reply_why(s, code, why);
}

/* SIZE= beyond message_size_limit (RFC 1870 section 6.1), or nowhere to put it. */
static bool
has_room(struct session *s, octets_t size)
{
	int64_t limit = s->p->message_size_limit;

	if (size == INT64_MAX)
		return refuse(s, 552, "5.3.4",
			       "Message size exceeds file system imposed limit") !=
		       REFUSE;
	if (limit > 0 && size > (octets_t)limit)
		return refuse(s, 552, "5.3.4", "Message size exceeds fixed limit") !=
		       REFUSE;
	if (storage_is_short(smtpd_site))
		refuse(s, 452, "4.3.1", "Insufficient system storage");
	else if (message_too_many(s))
		refuse(s, 451, "4.3.2", "Too much mail at the moment, try again later");
	else
		return true;
	s->fault = FAULT_RESOURCE;
	return false;
}

/* XVERP is for some clients, whatever they introduced themselves with. */
static unsigned
extensions_for(const struct session *s)
{
	struct why why;

	if (match_client(s->site->verp_clients, s->name, &s->peer, &why) != DICT_FOUND)
		return s->extensions;
	return s->extensions | ESMTP_XVERP;
}

/* Each recipient gets a sender of his own, made of two characters and this sender. */
static bool
take_verp(struct session *s, struct mail_parameters *given, const struct address *sender)
{
	struct str filter = s->p->verp_delimiter_filter;

	if (!given->xverp)
		return true;
	if (!given->verp.data)
		given->verp = s->p->default_verp_delimiters;
	if (!verp_delimiters_are_valid(given->verp, filter))
		reply(s, 501, "5.5.4 Error: XVERP needs two characters from " STR_FMT,
			STR_ARG(filter));
	else if (sender->local.len == 0)
		reply(s, 503, "5.5.4 Error: XVERP requires non-null sender");
	else
		return true;
	return false;
}

bool
cmd_mail(struct session *s, struct str rest)
{
	struct mail_parameters parameters = { .size = 0 };
	struct address address;
	struct str path, sender, arguments = rest;
	struct why why;
	int code;

	if (s->p->smtpd_helo_required && !s->helo.data)
		return reply(s, 503, "5.5.1 Error: send HELO/EHLO first");
	if (s->t.open)
		return reply(s, 503, "5.5.1 Error: nested MAIL command");
	if (s->t.chunked)
		return reply(s, 503, "5.5.1 Error: MAIL after BDAT");
	if (!take_keyword(s, &rest, STR("FROM:")))
		return reply(s, 501, "5.5.4 Syntax: MAIL FROM:<address>");
	path = address_path_token(&rest);
	if (path.len == 0)
		return reply(s, 501, "5.5.4 Syntax: MAIL FROM:<address>");
	if (!limits_mail(s))
		return false;
	if (address_read(s, path, ADDRESS_SENDER, &address, &why) != ACCEPT)
		return illegal_address(s, 501, &why, path);
	session_begin_mail(s);
	if (mail_parameters_parse(
		    rest, extensions_for(s), s->mail, &parameters, &code, &why) != ACCEPT)
		return reply_why(s, code, &why);
	if (!take_verp(s, &parameters, &address))
		return false;
	if (!parameters.smtputf8 && address_needs_smtputf8(s, &address))
		return reply(
			s, 553, "5.6.7 Must declare SMTPUTF8 to send unicode address");
	sender = arena_str(s->mail, address_internal(&address, s->command));
	s->asked_sender = sender;
	s->asked_size = parameters.size;
	if (!quotas_mail(s)) {
		session_reset_mail(s);
		return false;
	}
	s->t.parameters = parameters;
	if (filter_is_used(s))
		s->t.mail_arguments = arena_str(s->mail, arguments);
	if (!has_room(s, parameters.size) || !policy_mail(s, sender) ||
		!milters_hear_mail(s, path, rest)) {
		session_reset_mail(s);
		return reply_text(s, s->refusal);
	}
	s->t.open = true;
	s->t.sender = sender;
	s->t.arrival_us = time_wall_us();
	return reply_text(s, STR("250 2.1.0 Ok"));
}
