/* queue_client.c -- see queue_client.h. */
#include "queue_client.h"
#include "event.h"
#include "log.h"
#include "net.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE ((msec_t)300000)

const char *
queue_client_log(const struct conf *c)
{
	static char path[4096];

	snprintf(path, sizeof(path), STR_FMT "/log", STR_ARG(c->p.queue_directory));
	return path;
}

bool
queue_client_may(const struct conf *c)
{
	struct stat st;

	return geteuid() == 0 ||
	       (stat(queue_client_log(c), &st) == 0 && st.st_uid == geteuid());
}

bool
queue_client_is_id(struct str id)
{
	if (id.len == 0 || id.len > 31)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return true;
}

int
queue_client_become_owner(const struct conf *c)
{
	const char *log = queue_client_log(c);
	struct stat st;

	if (stat(log, &st) < 0)
		return -1;
	if (geteuid() != st.st_uid && (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0))
		log_fatal("cannot become the owner of %s: %s", log, strerror(errno));
	return 0;
}

struct spool *
queue_client_open_engine(const struct conf *c, bool files)
{
	struct spool_options o = {
		.directory = queue_client_log(c),
		.segment_size = (octets_t)c->p.spool_segment_size & ~(octets_t)4095,
		.state_flush = c->p.spool_flush_delay,
		.slack = (octets_t)c->p.spool_slack,
		.files = files,
		.broken_order = spool_is_to_break_order(),
	};
	struct why why = { 0 };
	struct spool *spool;

	if (queue_client_become_owner(c) < 0)
		return NULL; /* no log yet: nothing in it */
	spool = spool_open(&o, &why);
	if (!spool)
		log_fatal("cannot open the log: %s", why.text);
	spool_index(spool);
	return spool;
}

struct spool *
queue_client_open_log(const struct conf *c)
{
	return queue_client_open_engine(c, str_is(c->p.queue_engine, "files"));
}

struct client_job {
	void (*fn)(void *arg);
	void *arg;
};

static void
run_and_stop(void *arg)
{
	struct client_job *job = arg;

	job->fn(job->arg);
	event_stop();
}

void
queue_client_run(void (*fn)(void *arg), void *arg)
{
	struct client_job job = { fn, arg };

	event_init();
	co_spawn(run_and_stop, &job, CO_STACK_LARGE);
	event_run();
}

struct ipc_link *
queue_client_link(const struct conf *c)
{
	struct ipc_caller me = { .program = "command", .pid = getpid(), .uid = getuid() };
	struct why why = { 0 };
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), STR_FMT "/public/" STR_FMT,
		STR_ARG(c->p.queue_directory), STR_ARG(c->p.queue_service_name));
	fd = net_connect_unix(path, &why);
	if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
		return NULL;
	if (fd < 0 || ipc_hello(fd, &me) < 0)
		log_fatal("connect to %s: %s", path, strerror(errno));
	return ipc_link_open(fd, NULL, NULL, NULL, "qmgr");
}

void
queue_client_list(struct ipc_link *link, const struct queue_list_request *ask,
	struct arena *arena, struct queue_list_reply *said)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	queue_list_request_put(&bytes, ask);
	if (ipc_link_call(link, queue_list_TYPE, buf_str(&bytes), -1, arena, &reply, NULL,
		    deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(queue_list_reply_get(reply, said, arena)) < 0)
		log_fatal("the queue manager does not answer: %s", strerror(errno));
}

void
queue_client_change(struct ipc_link *link, const struct queue_change_request *ask,
	struct arena *arena, struct queue_change_reply *said)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	queue_change_request_put(&bytes, ask);
	if (ipc_link_call(link, queue_change_TYPE, buf_str(&bytes), -1, arena, &reply,
		    NULL, deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(queue_change_reply_get(reply, said, arena)) < 0)
		log_fatal("the queue manager does not answer: %s", strerror(errno));
	if (said->error)
		log_fatal("the queue manager refuses: %s", strerror((int)said->error));
}

void
queue_client_destinations(
	struct ipc_link *link, struct arena *arena, struct destinations_reply *said)
{
	struct destinations_request ask = { 0 };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	destinations_request_put(&bytes, &ask);
	if (ipc_link_call(link, destinations_TYPE, buf_str(&bytes), -1, arena, &reply,
		    NULL, deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(destinations_reply_get(reply, said, arena)) < 0)
		log_fatal("the queue manager does not answer: %s", strerror(errno));
	if (said->error)
		log_fatal("the queue manager refuses: %s", strerror((int)said->error));
}

void
queue_client_suspensions_changed(struct ipc_link *link)
{
	struct suspensions_changed_request ask = { 0 };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct suspensions_changed_reply said;
	struct str reply;

	suspensions_changed_request_put(&bytes, &ask);
	if (ipc_link_call(link, suspensions_changed_TYPE, buf_str(&bytes), -1, arena,
		    &reply, NULL, deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(suspensions_changed_reply_get(reply, &said, arena)) < 0)
		log_fatal("the queue manager does not answer: %s", strerror(errno));
	if (said.error)
		log_fatal("the queue manager refuses: %s", strerror((int)said.error));
}

void
queue_client_space(
	struct ipc_link *link, struct arena *arena, struct spool_space_reply *said)
{
	struct spool_space_request ask = { 0 };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	spool_space_request_put(&bytes, &ask);
	if (ipc_link_call(link, spool_space_TYPE, buf_str(&bytes), -1, arena, &reply,
		    NULL, deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(spool_space_reply_get(reply, said, arena)) < 0)
		log_fatal("the queue manager does not answer: %s", strerror(errno));
	if (said->error || said->segments == 0)
		log_fatal("cannot ask the spool: %s",
			said->error ? strerror((int)said->error) : "it is not there");
}
