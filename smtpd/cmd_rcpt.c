/* cmd_rcpt.c -- RCPT (RFC 5321 section 4.1.1.3): one recipient; where nearly all mail
 * that is not wanted is refused. */
#include "address.h"
#include "message.h"
#include "milters.h"
#include "quotas.h"
#include "service.h"
#include "session.h"
#include "spf_session.h"

/* smtpd_recipient_limit; a few more are answered without counting them as errors, since
 * section 4.5.3.1.10 lets a client try. */
static bool
too_many(struct session *s)
{
	s->fault = 0;
	reply(s, 452, "4.5.3 Error: too many recipients");
	return s->t.overshoot++ < (size_t)s->p->smtpd_recipient_overshoot_limit;
}

/* The message gets its name, unless a filter in front of the queue takes it, and the log
 * the line that says whose it is. False: the filter does not want it. */
SWITCHES static bool
open_message(struct session *s)
{
	const struct forwarded *f = &s->forwarded;
	struct str origin = STR_NONE;

	if (s->t.logged)
		return true;
	if (!filter_is_used(s))
		service_queue_id(s->t.queue_id);
	else if (!filter_open(s))
		return false;
	s->t.logged = true;
	if (f->given)
		origin = arena_printf(
			s->mail, "%.*s[%.*s]", STR_ARG(f->name), STR_ARG(f->address));
	log_line(SMTPD_CLIENT, session_queue_id(s), s->client, s->sasl_method,
		s->sasl_username, s->t.parameters.auth,
		f->ident.len > 0 ? f->ident : STR_NONE, origin);
	spf_record_verdict(s);
	return true;
}

static void
add_recipient(struct session *s, struct str address, const struct rcpt_parameters *given)
{
	struct rcpt *rcpt = vec_push(&s->t.rcpts);

	rcpt->address = address;
	rcpt->original = STR_NONE;
	rcpt->orcpt = given->orcpt;
	rcpt->notify = given->notify;
}

bool
cmd_rcpt(struct session *s, struct str rest)
{
	struct rcpt_parameters parameters = { .notify = 0 };
	struct address address;
	struct str path, recipient, arguments = rest;
	struct why why;
	int code;

	if (!s->t.open)
		return reply(s, 503, "5.5.1 Error: need MAIL command");
	if (s->t.chunked)
		return reply(s, 503, "5.5.1 Error: RCPT after BDAT");
	if (s->t.rcpts.n >= (size_t)s->p->smtpd_recipient_limit)
		return too_many(s);
	if (!take_keyword(s, &rest, STR("TO:")))
		return reply(s, 501, "5.5.4 Syntax: RCPT TO:<address>");
	path = address_path_token(&rest);
	if (path.len == 0)
		return reply(s, 501, "5.5.4 Syntax: RCPT TO:<address>");
	if (!limits_rcpt(s) || !quotas_rcpt(s))
		return false;
	if (address_read(s, path, 0, &address, &why) != ACCEPT)
		return illegal_address(s, 501, &why, path);
	if (address.local.len + address.domain.len == 0) {
		why_set(&why, "5.1.3", "Bad recipient address syntax");
		return illegal_address(s, 501, &why, path);
	}
	if (rcpt_parameters_parse(
		    rest, s->extensions, s->mail, &parameters, &code, &why) != ACCEPT)
		return reply_why(s, code, &why);
	if (!s->t.parameters.smtputf8 && address_needs_smtputf8(s, &address))
		return reply(
			s, 553, "5.6.7 Must declare SMTPUTF8 to send unicode address");
	recipient = arena_str(s->mail, address_internal(&address, s->command));
	if (!policy_rcpt(s, recipient)) {
		milters_hear_refused(s, recipient, path, rest);
		return reply_text(s, s->refusal);
	}
	if (!milters_hear_rcpt(s, recipient, path, rest))
		return reply_text(s, s->refusal);
	if (!open_message(s) || (s->t.filter.open && !filter_rcpt(s, arguments)))
		return reply_text(s, s->refusal);
	add_recipient(s, recipient, &parameters);
	return reply_text(s, STR("250 2.1.5 Ok"));
}
