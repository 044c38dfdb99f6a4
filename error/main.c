/* error -- refuses every delivery (error(8)); as the service `retry` it defers them. */
#include "agent.h"
#include <stdio.h>

#define SLOTS 1000

static void
error_deliver(struct delivery *d)
{
	bool retry = strcmp(service_name(), "retry") == 0;
	struct str text = d->ask.nexthop, rest = text, word;
	char code[12] = "5.0.0";

	/* "5.1.1 text", or text alone. */
	if (str_token(&rest, " \t", &word) && why_code_is_valid(word) &&
		word.data[0] != '2') {
		snprintf(code, sizeof(code), STR_FMT, STR_ARG(word));
		text = str_trim(rest);
	}
	code[0] = retry ? '4' : '5';
	delivery_all(d, retry ? TEMPFAIL : PERMFAIL, code, STR("none"), text);
}

static void
error_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	agent_explain(error_deliver, ask, say, arena);
}

static void
error_start(void)
{
	agent_run(error_deliver, SLOTS);
}

static const struct service error_service = {
	.name = "error",
	.user = USER_MAIL_OWNER,
	.peers = (const char *const[]){ "qmgr", NULL },
	.start = error_start,
	.explain = error_explain,
	.drain = agent_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&error_service, argc, argv);
}
