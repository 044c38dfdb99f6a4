/* serve.c -- see serve.h. */
#include "serve.h"
#include "command.h"
#include "event.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Only its errno tells that there is no such program: nothing of ours may get into the
 * connection. */
NORETURN static void
give_up(int tell)
{
	int error = errno;

	_exit(write(tell, &error, sizeof(error)) < 0 ? 2 : 1);
}

/* A session of its own, as under Postfix: its process group is what is killed. Programs
 * expect a descriptor that waits. */
NORETURN static void
run_program(char **argv, char **environment, int connection, int tell)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	int flags = fcntl(connection, F_GETFL);

	event_after_fork();
	setsid();
	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &usual, NULL);
	if (flags < 0 || fcntl(connection, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
		dup2(connection, 0) < 0 || dup2(connection, 1) < 0 ||
		dup2(connection, 2) < 0 || dup2(tell, 3) < 0 || fd_cloexec(3, true) < 0)
		give_up(tell);
	close_range(4, ~0U, 0);
	environ = environment;
	execvp(argv[0], argv);
	give_up(3);
}

/* Blocks only until the program begins. 0: it did. */
static uint32_t
told(int from)
{
	int error;
	ssize_t got;

	while ((got = read(from, &error, sizeof(error))) < 0 && errno == EINTR)
		;
	return got == (ssize_t)sizeof(error) ? (uint32_t)error : 0;
}

void
serve_run(const struct serve_request *ask, int fd, struct arena *arena,
	struct serve_reply *say)
{
	char **argv = command_strings(ask->argv, arena),
	     **environment = command_strings(ask->environment, arena);
	deadline_t patience = deadline_in((msec_t)ask->time_limit);
	int tell[2], status = 0;
	pid_t pid;

	*say = (struct serve_reply){ .error = EINVAL };
	if (!argv || !environment)
		return;
	say->error = pipe2(tell, O_CLOEXEC) < 0 ? (uint32_t)errno : 0;
	if (say->error)
		return;
	pid = fork();
	if (pid == 0)
		run_program(argv, environment, fd, tell[1]);
	close(tell[1]);
	say->error = pid < 0 ? (uint32_t)errno : told(tell[0]);
	close(tell[0]);
	if (pid < 0)
		return;
	say->pid = (uint32_t)pid;
	if (co_wait_child(pid, &status, patience) < 0) {
		say->late = errno == ETIMEDOUT;
		kill(-pid, SIGKILL);
		(void)co_wait_child(pid, &status, DEADLINE_NEVER);
	}
	say->status = (uint32_t)status;
}
