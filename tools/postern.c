/* postern.c -- postern, or postfix: starts, stops and looks after an instance. What is
 * said on stderr goes to the log as well, with the tag and the words of Postfix's own
 * script, because other people's scripts read both. */
#include "postern.h"
#include "log.h"
#include "maillog.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

struct postern postern;

static const struct {
	const char *name;
	int (*run)(void);
	const char *help;
	bool alone; /* about this instance, never about all: not for the wrapper */
} commands[] = {
	{ "start", postern_start, "check the configuration and start", false },
	{ "quick-start", postern_start, "the same", false },
	{ "start-fg", postern_start_fg, "the same, in the foreground", false },
	{ "stop", postern_stop, "end, and wait for it", false },
	{ "quick-stop", postern_stop, "the same", false },
	{ "abort", postern_abort, "end without waiting", false },
	{ "drain", postern_drain, "end master only; daemons finish what they do", false },
	{ "reload", postern_reload, "read it all again, or SERVICE ..., or TABLE ...",
		false },
	{ "upgrade", postern_upgrade, "go on as the program that is installed now",
		false },
	{ "flush", postern_flush, "try all mail now", false },
	{ "logrotate", postern_logrotate, "rename and compress maillog_file", false },
	{ "status", postern_status, "does it run? --jail: with which walls?", false },
	{ "check", postern_check, "tell all mistakes of the configuration", false },
	{ "explain", postern_explain,
		"what becomes of mail from SENDER to RECIPIENT, why", true },
	{ "set-permissions", postern_install, "owners and modes of directories", false },
	{ "upgrade-configuration", postern_install, "add what an older master.cf lacks",
		false },
	{ "tls", postern_tls, "keys and certificates; switches TLS on", false },
	{ "import", postern_import, "take over from a Postfix", true },
	{ "export", postern_export, "give everything back to a Postfix", true },
	{ "limits", postern_limits, "what logins and domains sent; --lift: begin anew",
		true },
	{ "spool", postern_spool, "check, export, backup or import the queue", true },
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

void
postern_read_again(void)
{
	struct why why;

	conf_issues_init(&postern.issues);
	postern.conf = conf_load(postern.directory, STR_NONE, NULL, &postern.issues);
	if (!postern.conf)
		conf_issues_die(&postern.issues);
	if (instance_owners(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
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

/* ---- several instances (postfix-wrapper(5)) ---- */

static void
export_setting(const char *name, struct str value)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;

	buf_add(&z, value);
	if (setenv(name, buf_cstr(&z), 1) < 0)
		log_fatal("setenv: %m");
}

/* Who names no instance means all of them, when there are others: multi_instance_wrapper
 * asks each with -c or MAIL_CONFIG. */
static void
hand_to_wrapper(void)
{
	const struct params *p = &postern.conf->p;
	struct arena *a = postern.conf->arena;
	struct strs words = conf_list(p->multi_instance_wrapper, a);
	struct strs others = conf_list(p->multi_instance_directories, a);
	char **argv;

	if (words.n == 0 || others.n == 0)
		return;
	argv = arena_alloc(a, (words.n + (size_t)postern.argc + 1) * sizeof(*argv));
	for (size_t i = 0; i < words.n; i++)
		argv[i] = arena_cstr(a, words.items[i]);
	memcpy(argv + words.n, postern.argv, (size_t)postern.argc * sizeof(*argv));
	export_setting("command_directory", p->command_directory);
	export_setting("daemon_directory", p->daemon_directory);
	export_setting("config_directory", postern.conf->directory);
	log_flush();
	execvp(argv[0], argv);
	log_fatal("%s: %m", argv[0]);
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
	postern.is_named = directory || getenv("MAIL_CONFIG");
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
			int status;

			if (!postern.is_named && !commands[i].alone)
				hand_to_wrapper();
			status = commands[i].run();
			log_flush();
			return status;
		}
	log_error("unknown command: '%s'", postern.argv[0]);
	usage();
}
