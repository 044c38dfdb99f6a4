/* runner.c -- see runner.h. */
#include "runner.h"
#include "command.h"
#include "event.h"
#include "launcher.h"
#include "log.h"
#include "serve.h"
#include "service.h"
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER_PATIENCE ((msec_t)60 * 1000)
#define USER_THREADS  16

/* ---- the child ---- */

static void
runner_run_command(struct ipc_request *rq)
{
	struct command_request ask;
	struct command_work w = { .ask = &ask, .rest_fd = rq->fd, .arena = rq->arena };
	struct command_reply say;

	if (command_request_get(rq->payload, &ask, rq->arena) < 0 || ask.argv.n == 0)
		log_panic("malformed command request from our own parent");
	event_offload(command_run, &w);
	say = (struct command_reply){ .verdict = (uint8_t)w.verdict,
		.code = str_c(w.why.code),
		.text = str_c(w.why.text) };
	command_answer(rq, &say);
}

struct user_work {
	const char *name; /* NULL: by uid */
	uid_t uid;
	struct passwd pw, *found;
	char buffer[16 * 1024];
	int error;
};

static void
user_find(void *arg)
{
	struct user_work *w = arg;

	if (w->name)
		w->error = getpwnam_r(
			w->name, &w->pw, w->buffer, sizeof(w->buffer), &w->found);
	else
		w->error = getpwuid_r(
			w->uid, &w->pw, w->buffer, sizeof(w->buffer), &w->found);
}

/* Errors that some systems give for "no such user" are not errors. */
static bool
is_real_error(int error)
{
	return error != 0 && error != ENOENT && error != ESRCH && error != EBADF &&
	       error != EPERM;
}

static void
runner_find_user(struct ipc_request *rq)
{
	struct user_work *w = arena_alloc(rq->arena, sizeof(*w));
	struct user_reply say = { 0 };
	struct user_request ask;

	if (user_request_get(rq->payload, &ask, rq->arena) < 0)
		log_panic("malformed user request from our own parent");
	w->name = ask.name.len ? arena_cstr(rq->arena, ask.name) : NULL;
	w->uid = ask.uid;
	if (w->name || ask.name.len == 0)
		event_offload(user_find, w);
	if (w->found)
		say = (struct user_reply){ .name = str_c(w->pw.pw_name),
			.uid = w->pw.pw_uid,
			.gid = w->pw.pw_gid,
			.home = str_c(w->pw.pw_dir),
			.shell = str_c(w->pw.pw_shell) };
	else if (is_real_error(w->error))
		say.error = (uint32_t)w->error;
	user_answer(rq, &say);
}

/* ---- a program with a connection ---- */

static bool serving, orphaned;

/* Whoever is at the other end of the connection decides how long it lasts: not we, when
 * the mail system ends. */
static void
runner_serve_one(struct ipc_request *rq)
{
	struct serve_request ask;
	struct serve_reply say = { 0 };

	if (serve_request_get(rq->payload, &ask, rq->arena) < 0 || ask.argv.n == 0 ||
		rq->fd < 0)
		log_panic("malformed serve request from our own parent");
	serving = true;
	serve_run(&ask, rq->fd, rq->arena, &say);
	serving = false;
	serve_answer(rq, &say);
	if (orphaned)
		event_stop();
}

static const struct ipc_handler runner_handlers[] = {
	{ .type = command_TYPE, .run = runner_run_command, .stack = CO_STACK_SMALL },
	{ .type = user_TYPE, .run = runner_find_user, .stack = CO_STACK_SMALL },
	{ .type = serve_TYPE, .run = runner_serve_one, .stack = CO_STACK_SMALL },
	{ 0 },
};

/* The agent is gone: half a message must not look like a whole one to the command. */
static void
runner_orphaned(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	orphaned = true;
	command_kill();
	if (!serving)
		event_stop();
}

void
runner_child(int fd, uid_t uid, gid_t gid, const struct conf *c)
{
	struct why why;

	event_init();
	umask(077);
	event_offload_threads = USER_THREADS;
	if (sandbox_enter("runner", SANDBOX_EXEC, uid, gid, c, &why) < 0)
		log_fatal("runner for uid %d: %s", (int)uid, why.text);
	ipc_link_open(fd, runner_handlers, NULL, runner_orphaned, "parent");
	event_run();
	log_flush();
	_exit(0);
}

/* ---- the agent ---- */

/* A child for one call. Whoever is last of the call and the link frees it. */
struct runner {
	bool lost, called;
};

static void
runner_lost(struct ipc_link *link, void *ctx)
{
	struct runner *r = ctx;

	(void)link;
	r->lost = true;
	if (r->called)
		mem_free(r);
}

/* Asks a new child, and lets it go. 0; -1 and errno: EPERM or another of
 * launcher_child() with *started false, or those of ipc_link_call(). */
SWITCHES static int
runner_call(uid_t uid, gid_t gid, unsigned type, struct str ask, int fd,
	struct arena *arena, struct str *reply, msec_t patience, bool *started)
{
	int socket = launcher_child(LAUNCH_RUNNER, uid, gid), result, error;
	struct ipc_link *link;
	struct runner *r;

	*started = socket >= 0;
	if (socket < 0)
		return -1;
	r = mem_alloc(sizeof(*r));
	link = ipc_link_open(socket, NULL, r, runner_lost, "command runner");
	result = ipc_link_call(
		link, type, ask, fd, arena, reply, NULL, deadline_in(patience));
	error = errno;
	r->called = true;
	if (r->lost)
		mem_free(r);
	else
		ipc_link_close(link);
	errno = error;
	return result;
}

static enum verdict
command_answered(struct str reply, struct arena *arena, struct why *why)
{
	struct command_reply said;

	if (command_reply_get(reply, &said, arena) < 0)
		return why_set(why, "4.3.0", "command runner: malformed answer");
	snprintf(why->code, sizeof(why->code), STR_FMT, STR_ARG(said.code));
	snprintf(why->text, sizeof(why->text), STR_FMT, STR_ARG(said.text));
	return said.verdict <= PERMFAIL ? (enum verdict)said.verdict : TEMPFAIL;
}

enum verdict
runner_command(uid_t uid, gid_t gid, const struct command_request *ask, int fd,
	struct arena *arena, struct why *why)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;
	bool started;

	command_request_put(&bytes, ask);
	/* Beyond its own limit, for the runner to say that it ended the command. */
	if (runner_call(uid, gid, command_TYPE, buf_str(&bytes), fd, arena, &reply,
		    (msec_t)ask->time_limit + USER_PATIENCE, &started) == 0)
		return command_answered(reply, arena, why);
	return started ? why_set(why, "4.3.0", "command runner: %s", strerror(errno))
		       : launcher_why(uid, why);
}

int
runner_serve(uid_t uid, gid_t gid, const struct serve_request *ask, int fd,
	struct arena *arena, struct serve_reply *said)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;
	bool started;

	serve_request_put(&bytes, ask);
	if (runner_call(uid, gid, serve_TYPE, buf_str(&bytes), fd, arena, &reply,
		    (msec_t)ask->time_limit + USER_PATIENCE, &started) < 0)
		return -1;
	errno = EPROTO;
	return serve_reply_get(reply, said, arena);
}

struct strs
runner_environment(struct str exported, size_t more, struct arena *arena)
{
	struct strs items = conf_list(exported, arena), out = { 0 };

	out.items = arena_alloc(arena, (items.n + more + 1) * sizeof(*out.items));
	for (size_t i = 0; i < items.n; i++) {
		const char *name = arena_cstr(arena, items.items[i]), *value;

		if (name && strchr(name, '='))
			out.items[out.n++] = items.items[i];
		else if (name && (value = getenv(name)))
			out.items[out.n++] = arena_printf(arena, "%s=%s", name, value);
	}
	out.items[out.n++] = STR("PATH=/usr/bin:/bin");
	return out;
}

/* The child that looks users up; it stays, for there is one look-up after the other. */
static struct ipc_link *asker;

static void
asker_lost(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	if (asker == link)
		asker = NULL;
}

static int
ask_user(uid_t uid, gid_t gid, struct str ask, struct arena *arena, struct str *reply)
{
	struct ipc_link *link = asker;

	if (!link) {
		int socket = launcher_child(LAUNCH_RUNNER, uid, gid);

		if (socket < 0)
			return -1;
		link = asker =
			ipc_link_open(socket, NULL, NULL, asker_lost, "user look-ups");
	}
	if (ipc_link_call(link, user_TYPE, ask, -1, arena, reply, NULL,
		    deadline_in(USER_PATIENCE)) == 0)
		return 0;
	/* Its threads may all hang by now: the next one asks a fresh child. */
	if (asker == link) {
		int error = errno;

		asker = NULL;
		ipc_link_close(link);
		errno = error;
	}
	return -1;
}

enum verdict
runner_user(uid_t uid, gid_t gid, const struct user_request *ask, struct arena *arena,
	struct user_reply *said, struct why *why)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	user_request_put(&bytes, ask);
	if (ask_user(uid, gid, buf_str(&bytes), arena, &reply) < 0)
		return why_set(why, "4.3.0", "user lookup error: %s", strerror(errno));
	if (user_reply_get(reply, said, arena) < 0 || said->error)
		return why_set(why, "4.3.0", "user lookup error: %s",
			strerror(said->error ? (int)said->error : EPROTO));
	if (said->name.len == 0)
		return why_set(why, "5.1.1", "unknown user: \"" STR_FMT "\"",
			STR_ARG(ask->name));
	return ACCEPT;
}

void
runners_close(void)
{
	struct ipc_link *link = asker;

	asker = NULL;
	if (link)
		ipc_link_close(link);
}
