/* qmgr -- the queue manager: decides what is delivered when, by whom and how many at a
 * time, and tells spool what became of it (design section 7). */
#include "active.h"
#include "control.h"
#include "destinations.h"
#include "errand.h"
#include "event.h"
#include "events.h"
#include "explained.h"
#include "loader.h"
#include "log.h"
#include "notice.h"
#include "outside.h"
#include "requeue.h"
#include "resolver.h"
#include "service.h"
#include "shaping.h"
#include "store.h"
#include "suspend.h"
#include "ticker.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* How long deliveries under way may hold up our end. */
#define DRAIN_PATIENCE ((msec_t)5000)

struct outside outside;

/* ---- the log on disk: one reader for all threads ---- */

static struct spool_reader *reader;

static void
open_reader(void)
{
	struct why why = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), STR_FMT "/log",
		STR_ARG(outside.conf->p.queue_directory));
	reader = spool_reader_open(path, &why);
	if (!reader)
		log_fatal("cannot read the queue: %s", why.text);
}

static int
read_content(uint64_t mid, struct spool_where at, bool envelope_only, struct arena *arena,
	struct spool_content *out)
{
	return spool_read(reader, mid, at, envelope_only, arena, out);
}

static int
read_states(uint64_t mid, struct spool_where at, struct arena *arena,
	struct spool_state **states, size_t *n)
{
	return spool_read_states(reader, mid, at, arena, states, n);
}

/* ---- workers: master starts one on the first connection to its socket ---- */

SWITCHES static void
knock(void *arg)
{
	struct transport *t = arg;
	char name[256];
	int fd CLEANUP(fd_close) = -1;

	co_name("knock");
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(t->name));
	fd = service_connect_peer(name, deadline_in(outside.conf->p.qmgr_ipc_timeout));
	transport_started(t, fd < 0 ? errno : 0);
}

static void
start_worker(struct transport *t)
{
	co_spawn(knock, t, CO_STACK_SMALL);
}

/* What may register: agents that broker says run these programs. Anybody else who could
 * reach our socket would get mail to read. */
static bool
is_delivery_agent(const struct ipc_caller *caller, struct str transport)
{
	static const char *const programs[] = { "smtp", "lmtp", "local", "virtual",
		"pipe", "error", "discard" };

	for (size_t i = 0; i < COUNT(programs); i++)
		if (strcmp(caller->program, programs[i]) == 0)
			return str_is(transport, caller->service);
	return false;
}

static void
agent_ready(struct ipc_request *rq)
{
	struct agent_ready_note note;

	if (agent_ready_note_get(rq->payload, &note, rq->arena) < 0 ||
		!is_delivery_agent(rq->caller, note.transport)) {
		log_warn("%s of service %s may not deliver for " STR_FMT,
			rq->caller->program, rq->caller->service,
			STR_ARG(note.transport));
		ipc_link_close(rq->link);
	} else {
		worker_ready(rq->link, rq->caller->program, note.transport, note.slots);
	}
	ipc_done(rq);
}

static const struct ipc_handler handlers[] = {
	{ .type = agent_ready_TYPE, .run = agent_ready, .direct = true },
	{ .type = queue_change_TYPE, .run = control_change, .stack = CO_STACK_SMALL },
	{ .type = queue_list_TYPE, .run = control_list, .stack = CO_STACK_SMALL },
	{ .type = destinations_TYPE, .run = destinations_list, .direct = true },
	{ .type = suspensions_changed_TYPE, .run = suspend_changed, .direct = true },
	{ .type = spool_space_TYPE, .run = control_space, .direct = true },
	{ 0 },
};

/* ---- the life of the process ---- */

static void
before_jail(void)
{
	outside = (struct outside){
		.conf = service_conf(),
		.now_us = time_wall_us,
		.read_content = read_content,
		.read_states = read_states,
		.start_worker = start_worker,
		.send_notice = notice_send,
		.requeue = requeue_send,
		.where_tables_work = resolver_run,
		.wake_loader = loader_wake,
	};
	outside.route = route_open(outside.conf, ROUTE_TRANSPORT);
	shaping_open();
}

static void
start(void)
{
	open_reader();
	index_init(&queue_index);
	schedule_init();
	suspend_start();
	loader_start();
	store_start();
	events_start();
}

static bool
reload(const struct conf *fresh)
{
	struct route *old = outside.route;

	outside.conf = fresh;
	outside.route = route_renew(old, fresh);
	resolver_retire(old);
	shaping_reload();
	schedule_reload();
	events_reload();
	return false;
}

static void
finish_flights(void *arg)
{
	deadline_t patience = deadline_in(DRAIN_PATIENCE);

	(void)arg;
	co_name("drain");
	schedule_pause(true);
	while ((schedule_flights() > 0 || errands_under_way() > 0 ||
		       store_pending() > 0) &&
		!deadline_passed(patience))
		if (co_sleep(deadline_in(20)) < 0)
			break;
	service_leave();
}

static void
drain(void)
{
	co_spawn(finish_flights, NULL, CO_STACK_SMALL);
}

static const struct service qmgr = {
	.name = "qmgr",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_SPOOL_READ | SANDBOX_TABLES | SANDBOX_PCRE,
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.link_closed = worker_gone,
	.plain = control_plain,
	.reload = reload,
	.explain = qmgr_explain,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&qmgr, argc, argv);
}
