/* cmd_misc.c -- the commands that change little: RSET, NOOP, VRFY, QUIT, HELP
 * (RFC 5321 sections 4.1.1.5 to 4.1.1.10). */
#include "config.h"
#include "address.h"
#include "session.h"
#include <stdlib.h>

bool
cmd_rset(struct session *s, struct str rest)
{
	if (rest.len)
		return reply(s, 501, "5.5.4 Syntax: RSET");
	session_reset_mail(s);
	return reply_text(s, STR("250 2.0.0 Ok"));
}

bool
cmd_noop(struct session *s, struct str rest)
{
	(void)rest;
#ifdef CAPTURED /* test builds: a mistake of ours that a client found */
	if (str_is(rest, "crash"))
		abort();
#endif
	return reply_text(s, STR("250 2.0.0 Ok"));
}

/* Says whether mail for the address would be taken, not whether it exists: section 7.3.
 */
bool
cmd_vrfy(struct session *s, struct str rest)
{
	struct address address;
	struct str internal;
	struct why why;
	unsigned how = s->p->strict_rfc821_envelopes ? 0 : ADDRESS_LOOSE;

	if (s->p->disable_vrfy_command)
		return reply(s, 502, "5.5.1 VRFY command is disabled");
	if (rest.len == 0)
		return reply(s, 501, "5.5.4 Syntax: VRFY address%s",
			s->p->smtputf8_enable ? " [SMTPUTF8]" : "");
	if (s->p->smtputf8_enable && str_case_ends(rest, STR(" SMTPUTF8"))) {
		rest.len -= 9; /* RFC 6531 section 3.7.4.2 */
		how |= ADDRESS_UTF8;
	}
	rest = str_trim(rest);
	if (address_parse(rest, how | ADDRESS_LOOSE, &address, &why) != ACCEPT ||
		address.local.len + address.domain.len == 0)
		return reply(s, 501, "5.1.3 Bad recipient address syntax");
	internal = address_internal(&address, s->command);
	if (!policy_rcpt(s, internal))
		return reply_text(s, s->refusal);
	return reply(s, 252, "2.0.0 %.*s", STR_ARG(rest));
}

bool
cmd_quit(struct session *s, struct str rest)
{
	(void)rest;
	reply_text(s, STR("221 2.0.0 Bye"));
	s->closing = true;
	return true;
}

bool
cmd_help(struct session *s, struct str rest)
{
	struct buf names CLEANUP(buf_free) = BUF_INIT;

	(void)rest;
	for (size_t i = 0; i < VERBS; i++)
		if (verbs[i].run) {
			buf_addc(&names, ' ');
			buf_add(&names, verbs[i].name);
		}
	return reply(s, 214, "2.0.0 Commands:%.*s", STR_ARG(buf_str(&names)));
}
