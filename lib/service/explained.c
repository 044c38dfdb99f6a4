/* explained.c -- a worker that was started for `postern explain`: it tells what it would
 * do, and ends with the link over which it was asked. What it logs on the way is a step
 * like others. */
#include "config.h"
#include "explain.h"
#include "log.h"
#include "service_impl.h"

static void
keep_line(enum log_level level, struct str line, void *arg)
{
	(void)arg;
	explain_step("log", STR_NONE, STR_NONE,
		level == LOG_INFO_LEVEL ? "says" : "complains", line);
}

static void
answer(struct ipc_request *rq)
{
	struct explain_reply say = { 0 };
	struct explain_request ask;

	if (explain_request_get(rq->payload, &ask, rq->arena) < 0) {
		ipc_link_close(rq->link);
		ipc_done(rq);
		return;
	}
	explain_begin(&ask, rq->arena);
	worker.service->explain(&ask, &say, rq->arena);
	explain_end(&say);
	explain_answer(rq, &say);
}

static void
asked_enough(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	service_leave();
}

void
explained_start(void)
{
	static const struct ipc_handler handlers[] = {
		{ .type = explain_TYPE, .run = answer, .stack = CO_STACK_LARGE },
		{ 0 },
	};

	if (!worker.service->explain)
		log_fatal("%s has nothing to explain", worker.service->name);
	log_capture(keep_line, NULL);
	ipc_link_open(worker.spawn.explain, handlers, NULL, asked_enough, "postern");
}
