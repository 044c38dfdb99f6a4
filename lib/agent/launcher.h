/* launcher.h -- the one process of a delivery agent that stays root. It forks, makes the
 * child the user that was asked for, and does nothing else: it reads records of one fixed
 * size, never a text, a name or a message. The agent itself runs as mail_owner, in its
 * jail, and talks to the children over the sockets that it gave them. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include "base.h"
#include "conf.h"

enum launch {
	LAUNCH_WRITER = 1, /* writes mailboxes, in the jail (writer.h) */
	LAUNCH_RUNNER = 2, /* runs commands, in none (runner.h) */
};
struct launcher_settings {
	bool commands;      /* runners are wanted: the launcher cannot have a jail that
			       would follow them through exec */
	const char *places; /* the directory below which writers find mailboxes */
	const char *chroot; /* of runners, or NULL */
};
/* Forks it: in service.before_jail, while this process is root. */
void launcher_start(const struct launcher_settings *s, const struct conf *c);
/* A socket to a new child that runs as this user, who is not root. -1 and errno: EPERM
 * when this instance cannot act for him. */
int launcher_child(enum launch kind, uid_t uid, gid_t gid) MUST_CHECK;
/* What its errno means for mail: 4.3.5 or 4.3.0. */
enum verdict launcher_why(uid_t uid, struct why *why);

/* What the two kinds of children do, from their own event_init to their end. */
NORETURN void writer_child(int fd, uid_t uid, gid_t gid, const struct conf *c);
NORETURN void runner_child(int fd, uid_t uid, gid_t gid, const struct conf *c);

#endif
