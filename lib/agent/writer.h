/* writer.h -- children that write mailboxes: one process for each user, jailed to the
 * places where mailboxes are, started by a parent that is root and passes content on
 * unread. */
#ifndef WRITER_H
#define WRITER_H

#include "base.h"
#include "messages.h"

/* Hands one mailbox to the child of that user, which is started if there is none. fd: the
 * rest of the content, or -1. Children that had nothing to do for max_idle end; when
 * there are WRITERS_MOST, the one that was idle longest makes room. When the parent is
 * not root, uid must be its own. TEMPFAIL also when the child was lost. */
#define WRITERS_MOST 64
SWITCHES enum verdict writer_deliver(uid_t uid, gid_t gid,
	const struct mailbox_request *ask, int fd, struct arena *arena, struct why *why);
/* Ends the children that are idle: service.drain. */
void writers_close(void);

#endif
