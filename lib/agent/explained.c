/* explained.c -- postern explain: an agent tells by a probe for one recipient. */
#include "agent.h"

void
agent_explain(void (*fn)(struct delivery *d), const struct explain_request *ask,
	struct explain_reply *say, struct arena *arena)
{
	struct outcome outcome = { 0 };
	struct delivery d = { .ask = { .probe = true, .nexthop = ask->nexthop },
		.outcomes = &outcome,
		.rest_fd = -1,
		.arena = arena,
		.conf = service_conf() };

	say->verdict = TEMPFAIL;
	if (envelope_get(ask->envelope, &d.envelope, arena) < 0 ||
		ask->rcpt >= d.envelope.n_rcpts)
		return;
	d.envelope.rcpts += ask->rcpt;
	d.envelope.n_rcpts = 1;
	fn(&d);
	say->verdict = outcome.verdict;
	say->code = outcome.code;
	say->text = outcome.text;
}
