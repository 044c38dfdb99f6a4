/* sendmail -- submits mail in the way that programs have always done it (sendmail(1)); as
 * mailq lists the queue, as newaliases builds the alias tables. */
#include "command.h"
#include "sendmail.h"
#include "maillog.h"
#include "log.h"
#include "user.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Becomes another of our commands. */
NORETURN static void
become(const struct sendmail *s, const char *command, const char *option,
	const char *value)
{
	char path[4096];

	snprintf(path, sizeof(path), "%.*s/%s", STR_ARG(s->conf->p.command_directory),
		command);
	execl(path, command, "-c", s->directory, option, value, (char *)NULL);
	log_fatal("execute %s: %s", path, strerror(errno));
}

bool
sendmail_flush_site(const struct sendmail *s, const char *site)
{
	pid_t pid = command_fork(s->conf);
	int status = -1;

	if (pid == 0) {
		/* Standard output has the dialogue; why it failed is in the log. */
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		become(s, "postqueue", "-s", site);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Every table of alias_database, or the one of -oA. */
NORETURN static void
build_aliases(const struct sendmail *s)
{
	struct strs names = conf_list(
		s->alias_database ? str_c(s->alias_database) : s->conf->p.alias_database,
		s->arena);
	const char **argv = arena_alloc(s->arena, (names.n + 4) * sizeof(*argv));
	char path[4096];
	size_t n = 0;

	argv[n++] = "postalias";
	argv[n++] = "-c";
	argv[n++] = s->directory;
	for (size_t i = 0; i < names.n; i++)
		argv[n++] = arena_cstr(s->arena, names.items[i]);
	if (names.n == 0)
		exit(0);
	snprintf(path, sizeof(path), "%.*s/postalias",
		STR_ARG(s->conf->p.command_directory));
	execv(path, (char **)argv);
	log_fatal("execute %s: %s", path, strerror(errno));
}

/* The same lines on standard error and in the log. */
static void
open_logs(const struct conf *c)
{
	char tag[256];

	snprintf(tag, sizeof(tag), STR_FMT "/sendmail", STR_ARG(c->p.syslog_name));
	(void)maillog_open(c, tag, LOG_TO_STDERR);
}

/* What the name is that we are called by. */
static enum sendmail_mode
mode_of(const char *name)
{
	if (strcmp(name, "mailq") == 0)
		return MODE_QUEUE;
	if (strcmp(name, "newaliases") == 0)
		return MODE_ALIASES;
	return strcmp(name, "smtpd") == 0 ? MODE_DAEMON : MODE_DELIVER;
}

/* postdrop refuses as well; this says so before anything is read. */
static void
check_user(const struct conf *c)
{
	if (!user_is_in("authorized_submit_users", c->p.authorized_submit_users, c))
		log_fatal("User %s(%d) is not allowed to submit mail", user_name(),
			(int)getuid());
}

/* Also where only a part of the queue is to be flushed. */
static int
deliver(struct sendmail *s)
{
	if (s->flush_site)
		become(s, "postqueue", "-s", s->flush_site);
	if (s->flush_id)
		become(s, "postqueue", "-i", s->flush_id);
	check_user(s->conf);
	return sendmail_message(s);
}

static int
run(struct sendmail *s)
{
	switch (s->mode) {
	case MODE_DELIVER:
		return deliver(s);
	case MODE_SMTP:
		check_user(s->conf);
		return sendmail_smtp(s);
	case MODE_QUEUE:
		become(s, "postqueue", "-p", NULL);
	case MODE_FLUSH:
		become(s, "postqueue", "-f", NULL);
	case MODE_ALIASES:
		build_aliases(s);
	case MODE_DAEMON:
		become(s, "postern", "start", NULL);
	case MODE_NOTHING:
		break;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct sendmail s; /* what it holds lasts as long as the process */
	struct buf wrong CLEANUP(buf_free) = BUF_INIT;
	char nobody[] = "sendmail", *no_arguments[] = { nobody, NULL };
	char *slash;

	if (argc < 1) {
		argc = 1;
		argv = no_arguments;
	}
	slash = strrchr(argv[0], '/');
	if (slash)
		argv[0] = slash + 1;
	signal(SIGPIPE, SIG_IGN);
	log_open(argv[0], LOG_TO_STDERR, -1, -1);
	log_fatal_exit = EX_TEMPFAIL;
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(sendmail_usage, stdout);
		return 0;
	}
	s.arena = arena_new();
	s.mode = mode_of(argv[0]);
	s.directory = conf_directory(sendmail_directory(argc, argv, s.arena));
	s.conf = conf_must_load(s.directory, STR_NONE, NULL);
	open_logs(s.conf);
	if (sendmail_options(&s, argc, argv, &wrong) < 0)
		log_fatal("%s", buf_cstr(&wrong));
	return run(&s);
}
