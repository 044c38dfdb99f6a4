/* cmd_data.c -- DATA (RFC 5321 section 4.1.1.4). */
#include "message.h"
#include "milters.h"
#include "session.h"

/* What DATA and BDAT need before content may come. */
static bool
has_recipients(struct session *s)
{
	if (!s->t.open)
		return reply(s, 503, "5.5.1 Error: need RCPT command");
	s->fault = s->t.rcpts.n == 0 ? 0 : s->fault; /* the client was told why already */
	if (s->t.rcpts.n == 0)
		return reply(s, 554, "5.5.1 Error: no valid recipients");
	return true;
}

bool
cmd_data(struct session *s, struct str rest)
{
	if (s->t.chunked)
		return reply(s, 503, "5.5.1 Error: DATA after BDAT");
	if (!has_recipients(s))
		return false;
	if (rest.len)
		return reply(s, 501, "5.5.4 Syntax: DATA");
	if (!policy_data(s) || !milters_hear_data(s) ||
		(s->t.filter.open && !filter_data(s)))
		return reply_text(s, s->refusal);
	message_begin(s, false);
	reply_text(s, STR("354 End data with <CR><LF>.<CR><LF>"));
	if (!message_receive(s, false, 0))
		return false;
	return message_end(s);
}
