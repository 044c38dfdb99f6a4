/* postern_run.c -- start, stop and signals to master. */
#include "postern.h"
#include "log.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_STEPS 5 /* of one second, then with force */

/* ---- which master ---- */

pid_t
postern_master(void)
{
	pid_t pid = instance_master(postern.conf);

	if (pid < 0)
		log_fatal("pid/master.pid: %m");
	return pid;
}

pid_t
postern_must_run(void)
{
	pid_t pid = postern_master();

	if (pid == 0)
		log_fatal("the Postfix mail system is not running");
	return pid;
}

static void
must_not_run(void)
{
	if (postern_master() != 0)
		log_fatal("the Postfix mail system is already running");
}

const char *
postern_program(struct str directory, const char *name)
{
	struct arena *arena = postern.conf->arena;

	return arena_cstr(
		arena, arena_printf(arena, STR_FMT "/%s", STR_ARG(directory), name));
}

/* ---- start ---- */

static void
prepare(void)
{
	struct why why;

	must_not_run();
	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	check_before_start();
	log_line(SCRIPT_STARTING);
}

int
postern_start(void)
{
	const char *path = postern_program(postern.conf->p.daemon_directory, "master");
	int status;
	pid_t pid;

	prepare();
	log_flush();
	pid = fork();
	if (pid == 0) {
		execl(path, "master", "-c", postern.directory, "-w", (char *)NULL);
		log_fatal("%s: %m", path);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		log_fatal("fork: %m");
	if (status != 0)
		log_fatal("mail system startup failed");
	return 0;
}

int
postern_start_fg(void)
{
	const char *path = postern_program(postern.conf->p.daemon_directory, "master");
	const char *how = getpid() == 1 ? "-i" : "-s";

	prepare();
	log_flush();
	execl(path, "master", "-c", postern.directory, how, (char *)NULL);
	log_fatal("%s: %m", path);
}

/* ---- stop ---- */

/* A process descriptor becomes readable when its process has ended. */
static bool
has_ended(int watch, int patience_ms)
{
	struct pollfd p = { .fd = watch, .events = POLLIN };

	return watch < 0 || poll(&p, 1, patience_ms) == 1;
}

/* Master leads a process group of its own, unless it was started in the foreground of a
 * terminal. */
static void
kill_hard(pid_t pid)
{
	kill(getpgid(pid) == pid ? -pid : pid, SIGKILL);
}

void
postern_signal(pid_t pid, int signo)
{
	if (kill(pid, signo) < 0)
		log_fatal("signal to master, process %d: %m", (int)pid);
}

int
postern_stop(void)
{
	pid_t pid = postern_must_run();
	int watch = (int)syscall(SYS_pidfd_open, pid, 0);

	log_line(SCRIPT_STOPPING);
	postern_signal(pid, SIGTERM);
	for (int step = 0; step < STOP_STEPS; step++) {
		if (has_ended(watch, 1000))
			return 0;
		log_info("waiting for the Postfix mail system to terminate");
	}
	log_warn("stopping the Postfix mail system with force");
	kill_hard(pid);
	has_ended(watch, 1000);
	return 0;
}

int
postern_abort(void)
{
	pid_t pid = postern_must_run();

	log_info("aborting the Postfix mail system");
	postern_signal(pid, SIGTERM);
	return 0;
}

/* The daemons see that master is gone, accept no more, and finish. */
int
postern_drain(void)
{
	pid_t pid = postern_must_run();

	log_line(SCRIPT_STOPPING);
	postern_signal(pid, SIGKILL);
	return 0;
}

/* ---- the rest ---- */

/* What the new program says against it is heard here, before anything happens. */
int
postern_upgrade(void)
{
	const char *path = postern_program(postern.conf->p.daemon_directory, "master");
	pid_t pid = postern_must_run(), checker;
	int status;

	log_info("upgrading the Postfix mail system");
	check_before_start();
	log_flush();
	checker = fork();
	if (checker == 0) {
		execl(path, "master", "-c", postern.directory, "-C", (char *)NULL);
		log_fatal("%s: %m", path);
	}
	if (checker < 0 || waitpid(checker, &status, 0) < 0)
		log_fatal("fork: %m");
	if (status != 0)
		log_fatal("the new program failed its check: the running version stays");
	postern_signal(pid, SIGUSR2);
	return 0;
}

int
postern_flush(void)
{
	const char *path =
		postern_program(postern.conf->p.command_directory, "postqueue");

	log_flush();
	execl(path, "postqueue", "-c", postern.directory, "-f", (char *)NULL);
	log_fatal("%s: %m", path);
}

int
postern_status(void)
{
	pid_t pid = postern_master();

	if (pid == 0) {
		log_line(SCRIPT_NOT_RUNNING);
		return 1;
	}
	log_line(SCRIPT_RUNNING, log_num(pid));
	if (postern.argc > 1 && strcmp(postern.argv[1], "--jail") == 0)
		return jail_show(pid);
	return 0;
}
