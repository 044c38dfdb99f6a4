/* explain_ask.c -- starts a program as master does, asks it, and is its broker
 * meanwhile. */
#include "postern_explain.h"
#include "event.h"
#include "log.h"
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* DNS questions of one restriction after the other, and their time-outs. */
#define PATIENCE ((msec_t)600000)
/* For a program that was told to end. */
#define END_PATIENCE ((msec_t)3000)
#define END_CHECK    ((msec_t)10)

struct program {
	const struct service_line *line;
	const struct explain *x;
	struct ipc_link *link;  /* NULL: it is gone */
	struct ipc_caller self; /* as whom it asks others */
	int control;            /* master's end, on which it hears nothing */
	pid_t pid;
};
static VEC(struct program *) programs;

/* ---- its broker ---- */

static void
answer_connect(struct ipc_request *rq)
{
	const struct program *p = rq->ctx;
	struct buf reply CLEANUP(buf_free) = BUF_INIT;
	struct connect_reply say = { 0 };
	struct connect_request ask;
	int fd CLEANUP(fd_close) = -1;

	errno = EPROTO;
	if (connect_request_get(rq->payload, &ask, rq->arena) == 0)
		fd = explain_connect(p->x, &p->self, ask.peer);
	say.error = fd < 0 ? (uint32_t)errno : 0;
	connect_reply_put(&reply, &say);
	ipc_reply(rq, buf_str(&reply), fd);
}

/* ---- its start ---- */

struct ends {
	int link[2], broker[2], control[2]; /* ours, the program's */
};

static void
make_ends(struct ends *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->link) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->broker) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->control) < 0)
		log_fatal("socketpair: %m");
}

/* A descriptor that the program inherits; none of the standard ones. */
static int
inherited(int fd)
{
	return fcntl(fd, F_DUPFD, 3);
}

NORETURN static void
become(const char *path, char **argv, const struct ends *e)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct spawn spawn = { .worker = 1,
		.generation = 1,
		.control = inherited(e->control[1]),
		.broker = inherited(e->broker[1]),
		.explain = inherited(e->link[1]),
		.identities = -1,
		.log = -1,
		.suspects = -1,
		.accepted = -1 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	spawn_show(&spawn, &text);
	setenv(SPAWN_ENV, buf_cstr(&text), 1);
	execv(path, argv);
	_exit(127);
}

static void
program_lost(struct ipc_link *link, void *ctx)
{
	(void)link;
	((struct program *)ctx)->link = NULL;
}

static struct program *
program_start(const struct explain *x, const struct service_line *line)
{
	static const struct ipc_handler handlers[] = {
		{ .type = connect_TYPE, .run = answer_connect },
		{ 0 },
	};
	struct program *p = arena_alloc(x->arena, sizeof(*p));
	char **argv = service_line_argv(line, x->arena);
	const char *path = arena_cstr(x->arena,
		arena_printf(x->arena, STR_FMT "/" STR_FMT,
			STR_ARG(x->conf->p.daemon_directory), STR_ARG(line->command)));
	struct ends e;

	if (!path || access(path, X_OK) < 0)
		log_fatal("service " STR_FMT ": no program " STR_FMT, STR_ARG(line->name),
			STR_ARG(line->command));
	make_ends(&e);
	log_flush();
	fflush(stdout);
	p->pid = fork();
	if (p->pid < 0)
		log_fatal("fork: %m");
	if (p->pid == 0)
		become(path, argv, &e);
	close(e.link[1]);
	close(e.broker[1]);
	close(e.control[1]);
	p->line = line;
	p->x = x;
	p->control = e.control[0];
	p->self = (struct ipc_caller){ .pid = p->pid, .uid = getuid() };
	snprintf(p->self.program, sizeof(p->self.program), STR_FMT,
		STR_ARG(line->command));
	snprintf(p->self.service, sizeof(p->self.service), STR_FMT, STR_ARG(line->name));
	ipc_link_open(e.broker[0], handlers, p, NULL, "its broker");
	p->link = ipc_link_open(e.link[0], NULL, p, program_lost, p->self.program);
	*vec_push(&programs) = p;
	return p;
}

static struct program *
program_of(const struct explain *x, const struct service_line *line)
{
	for (size_t i = 0; i < programs.n; i++)
		if (programs.items[i]->line == line)
			return programs.items[i];
	return program_start(x, line);
}

void
explain_ask(const struct explain *x, const struct service_line *line,
	struct explain_request *ask, struct explain_reply *said)
{
	struct program *p = program_of(x, line);
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	ask->may_ask = x->may_ask;
	explain_request_put(&bytes, ask);
	errno = ECONNRESET;
	if (!p->link ||
		ipc_link_call(p->link, explain_TYPE, buf_str(&bytes), -1, x->arena,
			&reply, NULL, deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(explain_reply_get(reply, said, x->arena)) < 0)
		log_fatal("service " STR_FMT ": " STR_FMT " tells nothing: %s",
			STR_ARG(line->name), STR_ARG(line->command), strerror(errno));
}

/* ---- the end ---- */

static void
program_end(struct program *p)
{
	deadline_t patience = deadline_in(END_PATIENCE);

	if (p->link)
		ipc_link_close(p->link);
	fd_close(&p->control);
	while (waitpid(p->pid, NULL, WNOHANG) == 0) {
		if (deadline_passed(patience))
			kill(p->pid, SIGKILL);
		(void)co_sleep(deadline_in(END_CHECK));
	}
}

void
explain_ask_end(void)
{
	for (size_t i = 0; i < programs.n; i++)
		program_end(programs.items[i]);
	vec_free(&programs);
}
