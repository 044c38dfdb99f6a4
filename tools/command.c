/* command.c -- see command.h. */
#include "command.h"
#include "log.h"
#include "maillog.h"
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void
command_help(int argc, char **argv, const struct command_help *help)
{
	if (argc < 2 || strcmp(argv[1], "--help") != 0)
		return;
	printf("usage: %s\n%s", help->usage, help->text);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

void
command_usage(const struct command_help *help)
{
	log_fatal("usage: %s", help->usage);
}

/* In Postfix's words only: a remedy is for `postern check`. */
struct conf *
command_conf(const char *directory)
{
	static VEC(struct conf *) loaded; /* where a leak checker finds them */
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_load(conf_directory(directory), STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	for (size_t i = 0; i < issues.list.n; i++)
		log_warn(STR_FMT, STR_ARG(issues.list.items[i].text));
	conf_issues_free(&issues);
	*vec_push(&loaded) = c;
	return c;
}

void
command_open_log(const struct conf *c, const char *name)
{
	struct buf tag CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&tag, STR_FMT "/%s", STR_ARG(c->p.syslog_name), name);
	(void)maillog_open(c, buf_cstr(&tag), LOG_TO_STDERR);
}

int
command_connect(const struct conf *c, struct str class, struct str service)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct why why = { 0 };
	int fd, error;

	buf_printf(&path, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(c->p.queue_directory),
		STR_ARG(class), STR_ARG(service));
	fd = net_connect_unix(buf_cstr(&path), &why);
	error = errno;
	if (fd < 0)
		log_warn("%s " STR_FMT "/" STR_FMT ": %s",
			error == ENOENT ? "unable to look up" : "connect to",
			STR_ARG(class), STR_ARG(service), strerror(error));
	errno = error;
	return fd;
}

pid_t
command_fork(const struct conf *c)
{
	struct timespec pause = { .tv_sec = c->p.fork_delay / 1000,
		.tv_nsec = (long)(c->p.fork_delay % 1000) * 1000000 };
	pid_t pid = fork();

	for (int64_t n = 1; pid < 0; n++) {
		log_warn("fork: %m");
		if (n >= c->p.fork_attempts)
			break;
		nanosleep(&pause, NULL);
		pid = fork();
	}
	return pid;
}
