/* notify.c -- what we tell a service manager (sd_notify(3)): datagrams of NAME=value rows
 * to the socket that NOTIFY_SOCKET names, and a sign of life twice in WATCHDOG_USEC.
 * Without these variables nothing is done. */
#include "notify.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "@name" stands for the name with a NUL before it, which needs no file. */
bool
notify_address(const char *text, struct sockaddr_un *out, socklen_t *len)
{
	size_t n = strlen(text);

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof(out->sun_path))
		return false;
	memcpy(out->sun_path, text, n);
	if (text[0] == '@')
		out->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return true;
}

msec_t
notify_interval(const char *usec, const char *pid, pid_t self)
{
	uint64_t every;
	long whose = self;

	if (!usec || str_to_u64(str_c(usec), &every) < 0)
		return 0;
	if (pid && (str_to_long(str_c(pid), &whose) < 0 || whose != self))
		return 0;
	return (msec_t)MIN(every / 2000, (uint64_t)INT32_MAX);
}

void
notify(const char *rows)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un at;
	socklen_t len;
	int fd CLEANUP(fd_close) = -1;

	if (!path)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!notify_address(path, &at, &len) || fd < 0 ||
		sendto(fd, rows, strlen(rows), MSG_NOSIGNAL | MSG_DONTWAIT, (void *)&at,
			len) < 0)
		log_warn("NOTIFY_SOCKET %s: %m", path);
}

void
notify_reloading(void)
{
	char rows[80];

	snprintf(rows, sizeof(rows), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)time_monotonic_us());
	notify(rows);
}

static void
sign_of_life(void *arg)
{
	static struct timer again;

	notify("WATCHDOG=1");
	timer_set(&again, deadline_in((msec_t)(intptr_t)arg), sign_of_life, arg);
}

void
notify_ready(void)
{
	static bool begun;
	msec_t interval = notify_interval(
		getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid());

	notify("READY=1");
	if (interval > 0 && !begun)
		sign_of_life((void *)(intptr_t)interval);
	begun = true;
}
