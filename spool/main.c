/* spool -- keeps the mail: the only writer of the log (spool(5)). */
#include "config.h"
#include "daemon.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct spool *the_spool;
static size_t in_hand;
static bool ending;

/* Test builds can be told to break the order that makes mail safe, to see whether tests
 * notice. */
static bool
answers_too_early(void)
{
#ifdef CAPTURED
	const char *broken = getenv("POSTERN_SPOOL_BROKEN");

	return broken && strcmp(broken, "order") == 0;
#else
	return false;
#endif
}

static struct spool_options
options_of(const struct conf *c)
{
	static char log[4096];

	snprintf(log, sizeof(log), STR_FMT "/log", STR_ARG(c->p.queue_directory));
	return (struct spool_options){
		.directory = log,
		.segment_size = (octets_t)c->p.spool_segment_size & ~(octets_t)4095,
		.reserve = (octets_t)c->p.queue_minfree,
		.state_flush = c->p.spool_flush_delay,
		.slack = (octets_t)c->p.spool_slack,
		.broken_order = answers_too_early(),
	};
}

static void
indexed(void *arg)
{
	(void)arg;
	log_info("log opened: %zu messages", spool_count(the_spool));
	watch_indexed();
}

static void
start(void)
{
	struct spool_options o = options_of(service_conf());
	struct why why;

	the_spool = spool_open(&o, &why);
	if (!the_spool)
		log_fatal("%s", why.text);
	spool_on_moved(the_spool, watch_moved, NULL);
	spool_on_indexed(the_spool, indexed, NULL);
}

/* All but the size of segments, which new ones get at the next start. */
static void
reload(const struct conf *fresh)
{
	struct spool_options o = options_of(fresh);

	spool_change(the_spool, &o);
}

/* Whoever waits for an answer gets it; then everything is flushed. */
static void
leave_when_done(void)
{
	if (!ending || in_hand > 0)
		return;
	spool_close(the_spool);
	the_spool = NULL;
	service_leave();
}

static void
drain(void)
{
	ending = true;
	leave_when_done();
}

void
requests_in_hand(int change)
{
	in_hand = (size_t)((ssize_t)in_hand + change);
	leave_when_done();
}

/* An answer that says no. An empty one would read as zeroes, which mean yes. */
void
refuse(struct ipc_request *rq, int error)
{
	if (rq->type == spool_put_TYPE)
		spool_put_answer(
			rq, &(struct spool_put_reply){ .error = (uint32_t)error });
	else if (rq->type == spool_update_TYPE)
		spool_update_answer(
			rq, &(struct spool_update_reply){ .error = (uint32_t)error });
	else if (rq->type == spool_space_TYPE)
		spool_space_answer(
			rq, &(struct spool_space_reply){ .error = (uint32_t)error });
	else {
		if (rq->link)
			ipc_link_close(rq->link); /* this reply cannot say no */
		ipc_reply(rq, STR_NONE, -1);
	}
}

bool
asked_by(struct ipc_request *rq, const char *program)
{
	if (!the_spool) { /* it is being closed: the caller asks the next one */
		refuse(rq, EAGAIN);
		return false;
	}
	if (strcmp(rq->caller->program, program) == 0)
		return true;
	log_warn("refused request %u of %s (process %d): only %s may ask that", rq->type,
		rq->caller->program, (int)rq->caller->pid, program);
	refuse(rq, EPERM);
	return false;
}

static const struct ipc_handler handlers[] = {
	{ .type = spool_put_TYPE, .run = run_put, .direct = true, .in_place = true },
	{ .type = spool_update_TYPE,
		.run = run_update,
		.direct = true,
		.in_place = true,
		.last_words = true },
	{ .type = spool_watch_TYPE, .run = run_watch },
	{ .type = spool_space_TYPE, .run = run_space, .direct = true },
	{ 0 },
};

static const struct service spool = {
	.name = "spool",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_SPOOL_WRITE,
	.start = start,
	.handlers = handlers,
	.link_closed = watch_link_closed,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&spool, argc, argv);
}
