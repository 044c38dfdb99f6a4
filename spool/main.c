/* spool -- keeps the mail: the only writer of the log, and of the files beside it
 * (spool(5)). */
#include "daemon.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>

struct spool *the_spool;
static size_t in_hand;
static bool ending;

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
		.files = str_is(c->p.queue_engine, "files"),
		.broken_order = spool_is_to_break_order(),
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
static bool
reload(const struct conf *fresh)
{
	struct spool_options o = options_of(fresh);

	spool_change(the_spool, &o);
	return true;
}

static void
leave(void *arg)
{
	(void)arg;
	if (!the_spool || in_hand > 0)
		return;
	spool_close(the_spool);
	the_spool = NULL;
	service_leave();
}

/* Whoever waits for an answer gets it; then everything is flushed. Not at once: it is the
 * spool that tells us of the last one, in the middle of its work. */
static void
leave_when_done(void)
{
	static struct event_later later = { .fn = leave };

	if (ending && in_hand == 0)
		event_at_turn_end(&later);
}

static void
no_more_requests(void)
{
	ending = true;
	leave_when_done();
}

/* What has been sent to us already would be cut off, and its mail answered 451. */
static void
drain(void)
{
	if (service_stopping())
		no_more_requests();
	else
		service_dismiss(no_more_requests);
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
	{ .type = spool_pace_TYPE, .run = run_pace, .direct = true },
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
