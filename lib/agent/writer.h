/* writer.h -- children that write mailboxes: one process for each user, jailed to the
 * places where mailboxes are. What they are asked for is content that the agent passes on
 * unread, and files that only the user himself can read. */
#ifndef WRITER_H
#define WRITER_H

#include "base.h"
#include "messages.h"

/* Hands one mailbox to the child of that user, which is started if there is none. fd: the
 * rest of the content, or -1. Children that had nothing to do for max_idle end; when
 * there are WRITERS_MOST, the one that was idle longest makes room. When this instance is
 * not root, uid must be its own. TEMPFAIL also when the child was lost. */
#define WRITERS_MOST 64
SWITCHES enum verdict writer_deliver(uid_t uid, gid_t gid,
	const struct mailbox_request *ask, int fd, struct arena *arena, struct why *why);
/* Puts the quota that a table has for this Maildir into *ask, and whether mail without
 * room bounces. TEMPFAIL 4.3.5, and logged: the value is none. */
enum verdict writer_quota(const char *parameter, struct str value, bool bounces,
	struct mailbox_request *ask, struct why *why) MUST_CHECK;
/* Reads a .forward file or list as that user. ACCEPT: *said, in arena, tells what was
 * there; TEMPFAIL: the child could not be asked, or the disk does not answer. */
SWITCHES enum verdict writer_list_read(uid_t uid, gid_t gid,
	const struct list_file_request *ask, struct arena *arena,
	struct list_file_reply *said, struct why *why);
/* Ends the children that are idle: service.drain. */
void writers_close(void);

#endif
