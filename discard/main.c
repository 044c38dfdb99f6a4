/* discard -- accepts every delivery and keeps nothing (discard(8)). */
#include "agent.h"

#define SLOTS 1000

static void
discard_deliver(struct delivery *d)
{
	struct str text = d->ask.nexthop.len > 0 ? d->ask.nexthop : STR("discarded");

	delivery_all(d, ACCEPT, "2.0.0", STR("none"), text);
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
	.drain = agent_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&discard, argc, argv);
}
