/* postlogd -- writes log lines for programs that cannot: set-gid commands, and postlog(1)
 * of users who may not write maillog_file. Daemons do not need it: master gives them the
 * file. */
#include "service.h"
#include "log.h"

static const struct service postlogd = {
	.name = "postlogd",
	.user = USER_MAIL_OWNER,
	.datagram = log_relay, /* each is one finished line */
};

int
main(int argc, char **argv)
{
	return service_main(&postlogd, argc, argv);
}
