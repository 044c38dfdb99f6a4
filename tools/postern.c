/* postern.c -- postern, or postfix: starts, stops and looks after an instance. What is
 * said on stderr goes to the log as well, with the tag and the words of Postfix's own
 * script, because other people's scripts read both. */
#include "postern.h"
#include "log.h"
#include "maillog.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

struct postern postern;

static const struct {
	const char *name;
	int (*run)(void);
	const char *help;
} commands[] = {
	{ "start", postern_start, "check the configuration and start" },
	{ "quick-start", postern_start, "the same" },
	{ "start-fg", postern_start_fg, "the same, in the foreground" },
	{ "stop", postern_stop, "end, and wait for it" },
	{ "quick-stop", postern_stop, "the same" },
	{ "abort", postern_abort, "end without waiting" },
	{ "drain", postern_drain, "end master only; daemons finish what they do" },
	{ "reload", postern_reload, "read the configuration again" },
	{ "upgrade", postern_upgrade, "go on as the program that is installed now" },
	{ "flush", postern_flush, "try all mail now" },
	{ "logrotate", postern_logrotate, "rename and compress maillog_file" },
	{ "status", postern_status, "does it run? --jail: with which walls?" },
	{ "check", postern_check, "tell all mistakes of the configuration" },
	{ "set-permissions", postern_set_permissions, "owners and modes of directories" },
	{ "upgrade-configuration", postern_upgrade_configuration,
		"add what an older master.cf lacks" },
	{ "tls", postern_tls, "keys and certificates; switches TLS on" },
	{ "spool", postern_spool, "check, export, backup or import the queue" },
};

static const char usage_line[] = "usage: postern [-c config_dir] [-Dv] command";

NORETURN static void
usage(void)
{
	fprintf(stderr, "%s\ncommands:", usage_line);
	for (size_t i = 0; i < COUNT(commands); i++)
		fprintf(stderr, " %s", commands[i].name);
	fprintf(stderr, "\n");
	exit(1);
}

NORETURN static void
show_help(void)
{
	printf("%s\nstarts, stops and looks after the mail system\n", usage_line);
	for (size_t i = 0; i < COUNT(commands); i++)
		printf("  %-21s  %s\n", commands[i].name, commands[i].help);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

void
postern_open_log(void)
{
	static int used = -1;
	struct buf tag CLEANUP(buf_free) = BUF_INIT;
	int old = used;

	buf_add(&tag, postern.conf->p.syslog_name);
	buf_addz(&tag, "/postfix-script");
	used = maillog_open(postern.conf, buf_cstr(&tag), LOG_TO_STDERR);
	fd_close(&old);
}

static void
read_configuration(void)
{
	conf_issues_init(&postern.issues);
	postern.conf = conf_load(postern.directory, STR_NONE, NULL, &postern.issues);
	if (!postern.conf)
		check_unusable();
	setenv("MAIL_CONFIG", postern.directory, 1);
}

/* Root, or the owner of an instance of one's own; of a queue that is still to be made the
 * parent directory decides. */
static void
require_rights(void)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct stat st;

	buf_add(&path, postern.conf->p.queue_directory);
	if (geteuid() == 0)
		return;
	if (stat(buf_cstr(&path), &st) == 0 ? st.st_uid == geteuid() : errno == ENOENT)
		return;
	log_error("to submit mail, use the Postfix sendmail command");
	log_fatal("the postfix command is reserved for the superuser");
}

static void
read_options(int argc, char **argv)
{
	const char *directory = NULL;
	int letter;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		show_help();
	while ((letter = getopt(argc, argv, "+c:Dv")) > 0) {
		if (letter == 'c')
			directory = optarg;
		else if (letter == 'v')
			postern.verbose = true;
		else if (letter == '?')
			usage();
	}
	if (optind >= argc)
		usage();
	postern.directory = conf_directory(directory);
	postern.argc = argc - optind;
	postern.argv = argv + optind;
}

int
main(int argc, char **argv)
{
	struct why why;

	umask(022);
	log_open("postfix", LOG_TO_STDERR, -1, LOG_MAIL);
	read_options(argc, argv);
	read_configuration();
	postern_open_log();
	require_rights();
	if (instance_owners(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i].name, postern.argv[0]) == 0) {
			int status = commands[i].run();

			log_flush();
			return status;
		}
	log_error("unknown command: '%s'", postern.argv[0]);
	usage();
}
