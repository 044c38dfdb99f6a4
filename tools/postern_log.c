/* postern_log.c -- logrotate: the log file gets another name, every process a new one,
 * and then the old one is compressed. */
#include "postern.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So long processes may take to change over before the old file is compressed anyway. */
#define CHANGE_PATIENCE ((msec_t)10000)
#define CHANGE_LOOK_US  20000

/* The format is the administrator's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t
show_time(char *out, size_t room, const char *format, const struct tm *tm)
{
	return strftime(out, room, format, tm);
}
#pragma GCC diagnostic pop

static const char *
rotated_name(const char *path)
{
	struct arena *arena = postern.conf->arena;
	const char *format =
		arena_cstr(arena, postern.conf->p.maillog_file_rotate_suffix);
	time_t now = time(NULL);
	char suffix[200];
	struct tm tm;

	if (!localtime_r(&now, &tm) ||
		show_time(suffix, sizeof(suffix), format, &tm) == 0)
		log_fatal("maillog_file_rotate_suffix = %s gives no name", format);
	return arena_cstr(arena, arena_printf(arena, "%s.%s", path, suffix));
}

/* The kernel gives a read lease on a file that nobody has open for writing. Where it
 * gives none at all, the time does. */
static void
wait_for_writers(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);
	deadline_t patience = deadline_in(CHANGE_PATIENCE);

	while (fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) < 0 &&
		!deadline_passed(patience))
		usleep(CHANGE_LOOK_US);
}

/* maillog_file_compressor is a command with arguments, no shell. */
static void
compress(const char *path)
{
	struct arena *arena = postern.conf->arena;
	struct strs words = conf_list(postern.conf->p.maillog_file_compressor, arena);
	char **argv = arena_alloc(arena, (words.n + 2) * sizeof(*argv));
	int status;
	pid_t pid;

	for (size_t i = 0; i < words.n; i++)
		argv[i] = arena_cstr(arena, words.items[i]);
	argv[words.n] = arena_cstr(arena, str_c(path));
	log_flush();
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		log_fatal("%s: %m", argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		log_fatal("fork: %m");
	if (status != 0)
		log_fatal("%s %s failed", argv[0], path);
}

int
postern_logrotate(void)
{
	const char *path = arena_cstr(postern.conf->arena, postern.conf->p.maillog_file);
	const char *old;
	pid_t master = postern_master();

	if (path[0] == '\0' || str_starts(str_c(path), STR("/dev/")))
		log_fatal("no log file to rotate: maillog_file = %s", path);
	old = rotated_name(path);
	if (access(old, F_OK) == 0)
		log_fatal("%s exists already", old);
	if (rename(path, old) < 0)
		log_fatal("%s: %m", path);
	if (master > 0 && kill(master, SIGUSR1) < 0)
		log_fatal("signal to master, process %d: %m", (int)master);
	postern_open_log(); /* our own descriptor is a writer, too */
	if (master > 0)
		wait_for_writers(old);
	compress(old);
	return 0;
}
