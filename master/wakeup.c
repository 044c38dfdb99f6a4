/* wakeup.c -- the wakeup column of master.cf: a connection and one byte every n seconds.
 */
#include "master.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Never waits: a service whose queue of connections is full is awake. */
static void
knock(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd CLEANUP(fd_close) =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (void *)&sun, sizeof(sun)) == 0 &&
		send(fd, "W", 1, MSG_NOSIGNAL) == 1)
		return;
	if (errno != EAGAIN)
		log_warn("wakeup of %s: %m", path);
}

static void
ring(void *arg)
{
	struct line *l = arg;

	if (l->conf.wakeup == 0 || l->removed || master.stopping)
		return;
	if (!l->missing && (l->used || !l->conf.wakeup_when_used))
		knock(l->socket);
	timer_set(&l->wakeup, deadline_in((msec_t)l->conf.wakeup * 1000), ring, l);
}

void
wakeup_configure(struct line *l)
{
	if (l->socket && l->conf.type != SERVICE_UNIX_DGRAM && l->conf.wakeup > 0)
		timer_set(&l->wakeup, deadline_in(0), ring, l);
	else
		timer_cancel(&l->wakeup);
}
