/* notify.h -- telling systemd, or whoever set NOTIFY_SOCKET. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "base.h"
#include "event.h"
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

void notify(const char *rows); /* "STOPPING=1" */
void notify_ready(void);       /* start or reload are done; signs of life begin */
void notify_reloading(void);

/* False for what is neither a path nor an abstract name. */
bool notify_address(const char *text, struct sockaddr_un *out, socklen_t *len) MUST_CHECK;
/* Between two signs of life; 0: none are wanted, or of another process (WATCHDOG_PID). */
msec_t notify_interval(const char *usec, const char *pid, pid_t self);

#endif
