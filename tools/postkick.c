/* postkick -- tells a daemon something over its socket below the queue directory
 * (postkick(1)). */
#include "command.h"
#include "log.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct command_help help = {
	"postkick [-c config_dir] [-v] class service request",
	"sends a request to a service of the mail system\n"
	"  class    public or private\n"
	"  service  the name of its socket: qmgr, pickup ...\n"
	"  request  a text that the service knows: F makes qmgr try all mail\n"
	"  -c dir   the directory of main.cf\n"
	"  -v       accepted\n",
};

/* The service closes when it has read all; a socket that we closed first might lose it.
 */
static void
wait_for_close(int fd, msec_t patience)
{
	deadline_t until = deadline_in(patience);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char reply[512];

	shutdown(fd, SHUT_WR);
	while (!deadline_passed(until))
		if (poll(&p, 1, (int)MIN(until - time_monotonic(), 60000)) > 0 &&
			read(fd, reply, sizeof(reply)) <= 0 && errno != EINTR)
			return;
}

static int
kick(const struct conf *c, const char *class, const char *service, const char *request)
{
	int fd CLEANUP(fd_close) = command_connect(c, str_c(class), str_c(service));

	if (fd < 0 || write_all(fd, str_c(request)) < 0) {
		log_warn("Cannot contact class %s service %s - perhaps the mail system "
			 "is down",
			class, service);
		return 1;
	}
	wait_for_close(fd, c->p.application_event_drain_time);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	int letter;

	log_open("postkick", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	while ((letter = getopt(argc, argv, "c:v")) > 0) {
		if (letter == 'c')
			directory = optarg;
		else if (letter == '?')
			command_usage(&help);
	}
	if (argc != optind + 3)
		command_usage(&help);
	return kick(command_conf(directory), argv[optind], argv[optind + 1],
		argv[optind + 2]);
}
