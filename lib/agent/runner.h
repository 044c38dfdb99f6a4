/* runner.h -- children that do what no jail of ours can allow: run foreign commands as
 * under Postfix, and ask the user database, whose modules connect to whom they please.
 * Each runs as one user who is not root. */
#ifndef RUNNER_H
#define RUNNER_H

#include "base.h"
#include "messages.h"

/* Runs one command as that user, in a child of its own, fed with the content (fd: the
 * rest of it, or -1).
 *
 * ACCEPT    why->text is the first line of what it said, or empty.
 * otherwise *why is for log and bounce: the command's own "4.2.0 text", the meaning of
 * its exit code (sysexits.h), a signal, the time limit. */
SWITCHES enum verdict runner_command(uid_t uid, gid_t gid,
	const struct command_request *ask, int fd, struct arena *arena, struct why *why);
/* Runs a program as that user, in a child of its own, with the connection fd as its
 * descriptors 0, 1 and 2, until it ends; fd stays the caller's. Should the caller be gone
 * before that, the program goes on within its time limit. -1 and errno: it was not run
 * (EPERM: this instance cannot act for him), or what became of it is not known. */
SWITCHES int runner_serve(uid_t uid, gid_t gid, const struct serve_request *ask, int fd,
	struct arena *arena, struct serve_reply *said) MUST_CHECK;
/* The start of a command's environment: export_environment, each "NAME" of our own or
 * "NAME=value", and PATH. There is room for `more` variables behind. */
struct strs runner_environment(struct str exported, size_t more, struct arena *arena);
/* Looks a user up, as `uid`, within a minute. ACCEPT: *said, in arena, is the user;
 * PERMFAIL: there is none, 5.1.1; TEMPFAIL: the database failed. */
SWITCHES enum verdict runner_user(uid_t uid, gid_t gid, const struct user_request *ask,
	struct arena *arena, struct user_reply *said, struct why *why);
void runners_close(void); /* lets the one that looks users up go: service.drain */

#endif
