/* sendmail -- submits mail in the way that programs have always done it (sendmail(1)); as
 * mailq lists the queue, as newaliases builds the alias tables. */
#include "sendmail.h"
#include "maillog.h"
#include "log.h"
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	struct sendmail s = { .arena = arena_new(), .utf8 = false };

	name = name ? name + 1 : argv[0];
	signal(SIGPIPE, SIG_IGN);
	log_open(name, LOG_TO_STDERR, -1, -1);
	log_fatal_exit = EX_TEMPFAIL;
	if (strcmp(name, "mailq") == 0)
		s.mode = MODE_QUEUE;
	else if (strcmp(name, "newaliases") == 0)
		s.mode = MODE_ALIASES;
	else if (strcmp(name, "smtpd") == 0)
		s.mode = MODE_DAEMON;
	sendmail_options(&s, argc, argv);
	s.directory = conf_directory(s.directory);
	s.conf = conf_must_load(s.directory, STR_NONE, NULL);
	open_logs(s.conf);
	switch (s.mode) {
	case MODE_DELIVER:
		return sendmail_message(&s);
	case MODE_SMTP:
		return sendmail_smtp(&s);
	case MODE_QUEUE:
		become(&s, "postqueue", "-p", NULL);
	case MODE_FLUSH:
		become(&s, "postqueue", "-f", NULL);
	case MODE_FLUSH_ID:
		become(&s, "postqueue", "-i", s.queue_item);
	case MODE_FLUSH_SITE:
		become(&s, "postqueue", "-s", s.queue_item);
	case MODE_ALIASES:
		build_aliases(&s);
	case MODE_DAEMON:
		become(&s, "postern", "start", NULL);
	case MODE_NOTHING:
		break;
	}
	return 0;
}
