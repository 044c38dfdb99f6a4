/* main.c -- master: binds, starts, watches over and ends the daemons of Postern. Reads
 * nothing but main.cf, master.cf and records of one fixed size. */
#include "config.h"
#include "master.h"
#include "log.h"
#include "notify.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

struct master master = { .log = -1, .accepted = -1 };

/* ---- options (contract 2.3) ---- */

struct options {
	const char *directory;
	bool test, wait, init, keep_stdout, debug, check;
	long state;     /* -U: what the program before us left; -1 */
	long end_after; /* seconds; 0: never */
};

NORETURN static void
usage(void)
{
	fprintf(stderr, "usage: master [-c config_dir] [-e exit_time] [-CdDistvw]\n");
	exit(1);
}

static struct options
read_options(int argc, char **argv)
{
	struct options o = { .state = -1 };
	int letter;

	while ((letter = getopt(argc, argv, "Cc:Dde:istU:vw")) > 0) {
		switch (letter) {
		case 'C':
			o.check = true;
			break;
		case 'U':
			if (str_to_long(str_c(optarg), &o.state) < 0)
				usage();
			break;
		case 'c':
			o.directory = optarg;
			break;
		case 'd':
			o.debug = true;
			break;
		case 'e':
			if (str_to_long(str_c(optarg), &o.end_after) < 0)
				usage();
			break;
		case 'i':
			o.init = o.keep_stdout = true;
			break;
		case 's':
			o.keep_stdout = true;
			break;
		case 't':
			o.test = true;
			break;
		case 'w':
			o.wait = true;
			break;
		case 'D':
		case 'v':
			break;
		default:
			usage();
		}
	}
	if (argc > optind)
		usage();
	return o;
}

/* ---- process number 1 of a container (-i) ---- */

static pid_t only_child;

static void
pass_on(int signo)
{
	kill(only_child, signo);
}

/* Stays in front of the real master: takes the ends of orphans, which only process 1
 * gets, and passes signals on. Returns in the child. */
static void
be_init(void)
{
	static const int passed[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP };
	int status = 0;
	pid_t ended;

	if (getpid() != 1)
		log_fatal("option -i is for process number 1 of a container");
	only_child = fork();
	if (only_child < 0)
		log_fatal("fork: %m");
	if (only_child == 0)
		return;
	for (size_t i = 0; i < COUNT(passed); i++)
		signal(passed[i], pass_on);
	while ((ended = wait(&status)) != only_child)
		if (ended < 0 && errno != EINTR)
			break;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* ---- into the background (-w) ---- */

/* The parent's exit status says whether the child came up: it writes one byte. Returns
 * the descriptor for that. */
static int
to_background(void)
{
	int done[2];
	char byte;
	pid_t pid;

	if (pipe2(done, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		log_fatal("fork: %m");
	if (pid == 0) {
		close(done[0]);
		return done[1];
	}
	close(done[1]);
	_exit(read(done[0], &byte, 1) == 1 ? 0 : 1);
}

/* In the foreground with a terminal, Ctrl-C is meant for us. */
static void
leave_session(const struct options *o)
{
	if (!o->debug && !(o->keep_stdout && isatty(STDIN_FILENO)))
		setsid();
}

static void
close_standard(const struct options *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || o->debug)
		return;
	dup2(null, STDIN_FILENO);
	if (!o->keep_stdout) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	close(null);
}

/* What a careless parent left open would be inherited by every daemon. */
static void
close_strange(void)
{
	if (close_range(3, ~0U, 0) < 0)
		log_warn("close_range: %m");
}

/* ---- signals ---- */

static void
on_end_signal(int signo, void *arg)
{
	(void)arg;
	stop_now(signo);
}

static void
on_hangup(int signo, void *arg)
{
	(void)signo, (void)arg;
	if (master.stopping)
		return;
	notify_reloading();
	reload_now();
	notify("READY=1");
}

static void
on_upgrade(int signo, void *arg)
{
	(void)signo, (void)arg;
	if (!master.stopping)
		upgrade_begin();
}

static void
on_new_log(int signo, void *arg)
{
	(void)signo, (void)arg;
	log_file_again();
}

static void
on_end_time(void *arg)
{
	(void)arg;
	stop_now(SIGTERM);
}

static void
take_signals(const struct options *o)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGQUIT };
	static struct timer end;

	for (size_t i = 0; i < COUNT(ends); i++)
		event_on_signal(ends[i], on_end_signal, NULL);
	event_on_signal(SIGHUP, on_hangup, NULL);
	event_on_signal(SIGUSR1, on_new_log, NULL);
	event_on_signal(SIGUSR2, on_upgrade, NULL);
	if (o->end_after)
		timer_set(&end, deadline_in(o->end_after * 1000), on_end_time, NULL);
}

/* ---- start ---- */

/* A configuration copied from Postfix lacks our users; each stands behind mail_owner
 * then, which is told here once and not by every process. */
static void
warn_missing_users(const struct conf *c)
{
	const struct str names[] = { c->p.net_owner, c->p.cleanup_owner, c->p.auth_owner,
		c->p.dns_owner, c->p.sign_owner, c->p.key_owner };
	struct buf missing CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf z CLEANUP(buf_free) = BUF_INIT;

		buf_add(&z, names[i]);
		if (!getpwnam(buf_cstr(&z)))
			buf_printf(
				&missing, "%s%s", missing.len ? ", " : "", buf_cstr(&z));
	}
	if (missing.len > 0)
		log_warn("no such users: %s: " STR_FMT
			 " stands in for them; `make install-users` creates them",
			buf_cstr(&missing), STR_ARG(c->p.mail_owner));
}

static void
check_owner(const struct conf *c)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct stat st;

	buf_add(&path, c->p.queue_directory);
	if (geteuid() == 0 || stat(buf_cstr(&path), &st) < 0 || st.st_uid == geteuid())
		return;
	log_fatal("queue_directory %s belongs to another user: an instance of your own "
		  "needs a queue_directory and a data_directory of your own",
		buf_cstr(&path));
}

/* 0 when no master runs with this configuration, as the shell script of Postfix asks it.
 */
static int
test_lock(const struct conf *c)
{
	return instance_master(c) == 0 ? 0 : 1;
}

/* What the master that runs asks before it becomes us; `postern upgrade` asks without a
 * state. */
static int
check_state(const struct options *o, struct master_conf *services)
{
	struct saved saved = { 0 };

	master_conf_free(services);
	if (o->state < 0)
		return 0;
	if (saved_read((int)o->state, &saved) < 0)
		log_fatal(
			"the state of the running version is of another format: stop and "
			"start instead");
	saved_free(&saved);
	return 0;
}

static void
prepare(const struct options *o, const struct conf *c)
{
	struct why why;

	check_owner(c);
	if (instance_owners(c, &master.owners, &why) < 0 ||
		instance_make_directories(c, &master.owners, &why) < 0)
		log_fatal("%s", why.text);
	if (o->state >= 0) {
		if (upgrade_prepare((int)o->state) < 0)
			log_fatal("upgrade: the state cannot be read");
	} else if (instance_lock(c, &master.owners, &why) < 0) {
		log_fatal("%s", why.text);
	}
	if (chdir(arena_cstr(c->arena, c->p.queue_directory)) < 0)
		log_fatal("queue_directory: %m");
}

static void
run(const struct options *o, const struct conf *c, struct master_conf *services, int up)
{
	struct why why;

	leave_session(o);
	if (instance_write_pid(&why) < 0 || log_file_open(&why) < 0)
		log_fatal("%s", why.text);
	close_standard(o);
	event_init();
	event_turn_hook = log_flush;
	take_signals(o);
	if (geteuid() == 0)
		warn_missing_users(c);
	if (lines_start(services) < 0)
		log_fatal("%s/master.cf: not all services could be started",
			master.directory);
	if (o->state >= 0)
		upgrade_take_workers();
	else
		log_line(MASTER_STARTED, str_c(conf_mail_version),
			str_c(master.directory));
	lines_supervise();
	if (up >= 0 && write(up, "", 1) < 0)
		log_warn("telling the start: %m");
	fd_close(&up);
	notify_ready();
	event_run();
	log_flush();
}

int
main(int argc, char **argv)
{
	struct options o = read_options(argc, argv);
	struct master_conf *services;
	struct conf *conf;
	int up = -1;

	if (o.state < 0)
		close_strange();
	umask(022);
	tzset();
	prctl(PR_SET_NAME, "master", 0, 0, 0);
	log_open("postfix/master", LOG_TO_STDERR | LOG_TO_SYSLOG, -1, LOG_MAIL);
	master.directory = conf_directory(o.directory);
	master.foreground = o.keep_stdout || o.debug;
	master.processors = (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
	master.generation = 1;
	if (!(conf = lines_read(&services)))
		log_fatal("%s: the configuration cannot be used", master.directory);
	master.conf = conf;
	if (o.check)
		return check_state(&o, services);
	if (o.test) {
		master_conf_free(services);
		return test_lock(conf);
	}
	if (o.init)
		be_init();
	prepare(&o, conf);
	if (o.wait)
		up = to_background();
	run(&o, conf, services, up);
	return 0;
}
