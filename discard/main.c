/* discard -- accepts every delivery and keeps nothing (discard(8)). */
#include "agent.h"

#define SLOTS 1000

static void
discard_deliver(struct delivery *d)
{
	struct str text = d->ask.nexthop;
	char code[12];

	/* A success has its own code, whatever the site wrote. */
	(void)why_code_take(&text, code);
	if (text.len == 0)
		text = STR("discarded");
	delivery_all(d, ACCEPT, "2.0.0", STR("none"), text);
}

static void
discard_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	agent_explain(discard_deliver, ask, say, arena);
}

static void
discard_start(void)
{
	agent_run(discard_deliver, SLOTS);
}

static const struct service discard = {
	.name = "discard",
	.user = USER_MAIL_OWNER,
	.peers = (const char *const[]){ "qmgr", NULL },
	.start = discard_start,
	.explain = discard_explain,
	.drain = agent_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&discard, argc, argv);
}
