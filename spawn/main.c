/* spawn -- runs a command for each client, as inetd does (spawn(8)). */
#include "command_line.h"
#include "launcher.h"
#include "log.h"
#include "runner.h"
#include "service.h"
#include <errno.h>
#include <sys/wait.h>

static struct command_line command;

/* In Postfix's words. */
static void
report(const struct serve_reply *said)
{
	struct str name = command.argv.items[0];
	int status = (int)said->status;

	if (said->error)
		log_text(LOG_FATAL_LEVEL,
			log_fmt("spawn_command: execvp " STR_FMT ": %s", STR_ARG(name),
				strerror((int)said->error)));
	if (said->late)
		log_warn(STR_FMT ": process id %u: command time limit exceeded",
			STR_ARG(name), said->pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_warn("command " STR_FMT " exit status %d", STR_ARG(name),
			WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		log_warn("command " STR_FMT " killed by signal %d", STR_ARG(name),
			WTERMSIG(status));
}

/* Nothing is read here: the connection goes to the child as it came. Ours stays open
 * until the command has ended, as under Postfix. */
static void
session(struct conn *conn)
{
	const struct conf *c = service_conf();
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct serve_request ask = { .argv = command.argv,
		.environment = runner_environment(c->p.export_environment, 0, arena),
		.time_limit = (uint64_t)conf_transport_time(
			c, str_c(service_name()), "time_limit") };
	int fd CLEANUP(fd_close) = io_detach(&conn->io);
	struct serve_reply said;

	co_name("serving");
	if (runner_serve(command.uid, command.gid, &ask, fd, arena, &said) == 0)
		report(&said);
	else if (errno == EPERM)
		log_warn("this instance cannot run commands as uid %d", (int)command.uid);
	else if (errno != ECANCELED)
		log_warn("command " STR_FMT ": %m", STR_ARG(command.argv.items[0]));
}

static void
before_jail(void)
{
	command_line_read(service_args(), service_conf(), NULL, NULL, &command);
	launcher_start(&(struct launcher_settings){ .commands = true }, service_conf());
}

static const struct service spawn = {
	.name = "spawn",
	.user = USER_MAIL_OWNER,
	.before_jail = before_jail,
	.session = session, /* one coroutine and one child for each client */
};

int
main(int argc, char **argv)
{
	return service_main(&spawn, argc, argv);
}
