/* postlock -- runs a command while a mailbox is locked, in the way in which local(8)
 * locks it (postlock(1)). */
#include "command.h"
#include "deliver.h"
#include "log.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static const struct command_help help = {
	"postlock [-c config_dir] [-l lock_style] [-v] folder command...",
	"runs a command while a mailbox is locked\n"
	"  -c dir    the directory of main.cf\n"
	"  -l style  fcntl, flock, dotlock, several with commas between them;\n"
	"            otherwise mailbox_delivery_lock of main.cf\n"
	"  -v        accepted\n",
};

static pid_t child;

static void
pass_on(int signo)
{
	if (child > 0)
		kill(child, signo);
}

/* A terminal's signals reach the command by themselves; the lock must outlive it. */
static void
outlive_command(void)
{
	struct sigaction forward = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigaction(SIGTERM, &forward, NULL);
	sigaction(SIGHUP, &forward, NULL);
}

static int
run(const struct conf *c, char **command, struct mailbox_lock *lock)
{
	sigset_t all, before;
	int status;

	/* The command may run, and somebody end us, before we have come that far. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	child = command_fork(c);
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(command[0], command);
		log_fatal_exit = 1;
		log_fatal("execvp %s: %m", command[0]);
	}
	outlive_command();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		status = EX_TEMPFAIL << 8;
	mailbox_unlock(lock);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	struct mailbox_order order = { .rest_fd = -1 };
	struct mailbox_lock lock;
	struct str style = STR_NONE, unknown;
	const struct conf *c;
	struct why why = { 0 };
	int letter;

	log_open("postlock", LOG_TO_STDERR, -1, -1);
	log_fatal_exit = EX_TEMPFAIL;
	command_help(argc, argv, &help);
	while ((letter = getopt(argc, argv, "+c:l:v")) > 0) {
		if (letter == 'c')
			directory = optarg;
		else if (letter == 'l')
			style = str_c(optarg);
		else if (letter == '?')
			command_usage(&help);
	}
	if (argc < optind + 2)
		command_usage(&help);
	c = command_conf(directory);
	if (!style.data)
		style = c->p.mailbox_delivery_lock;
	unknown = mailbox_locks(style, &order);
	if (unknown.data)
		log_fatal("unknown mailbox_delivery_lock value \"" STR_FMT
			  "\" in \"" STR_FMT "\"",
			STR_ARG(unknown), STR_ARG(style));
	order.path = argv[optind];
	order.lock_attempts = (int)c->p.deliver_lock_attempts;
	order.lock_delay = c->p.deliver_lock_delay;
	order.lock_stale = c->p.stale_lock_time;
	if (mailbox_lock(&order, &lock, &why) != ACCEPT)
		log_fatal("open file %s: %s", argv[optind], why.text);
	return run(c, argv + optind + 1, &lock);
}
