/* cmd_etrn.c -- ETRN: a site that was away asks for its mail (RFC 1985). */
#include "address.h"
#include "messages.h"
#include "service.h"
#include "session.h"

#define PATIENCE ((msec_t)60000)

static bool
flush_site(struct session *s, struct str site)
{
	struct flush_request ask = { .site = site };
	struct flush_reply said;

	if (flush_call(service_peer("flush"), &ask, &said, s->command,
		    deadline_in(PATIENCE)) < 0)
		said.status = FLUSH_FAILED;
	s->fault = 0;
	switch ((enum flush_status)said.status) {
	case FLUSH_OK:
		return reply(s, 250, "Queuing started");
	case FLUSH_DENIED:
		return reply(s, 459, "<%.*s>: service unavailable", STR_ARG(site));
	case FLUSH_BAD:
		return reply(s, 501, "Error: invalid parameter syntax");
	case FLUSH_FAILED:
		break;
	}
	return reply(s, 458, "Unable to queue messages");
}

/* RFC 1985 section 5.1: ETRN, an optional "@" (with its subdomains) or "#", the site.
 * Like Postfix we take the mail of the site itself, whatever the mark says. */
bool
cmd_etrn(struct session *s, struct str rest)
{
	struct str site, more;

	if (s->p->smtpd_helo_required && !s->helo.data)
		return reply(s, 503, "Error: send HELO/EHLO first");
	if (s->t.open)
		return reply(s, 503, "Error: MAIL transaction in progress");
	if (!str_token(&rest, " \t", &site) || str_token(&rest, " \t", &more))
		return reply(s, 500, "Syntax: ETRN domain");
	if (site.data[0] == '@' || site.data[0] == '#')
		site = str_from(site, 1);
	if (!address_domain_is_valid(site, ADDRESS_LOOSE) &&
		!address_literal_is_valid(site))
		return reply(s, 501, "Error: invalid parameter syntax");
	if (!policy_etrn(s, site))
		return reply_text(s, s->refusal);
	return flush_site(s, site);
}
