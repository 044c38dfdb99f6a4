/* storage.c -- is there room for new mail? Asked at MAIL, where saying no costs nobody
 * anything; what was begun is completed. */
#include "session.h"
#include "log.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>

#define SHORT_FOR  ((msec_t)5000) /* how long a full spool is believed to stay full */
#define LOOK_EVERY ((msec_t)1000)

void
storage_open(struct site *site)
{
	char path[4096];

	snprintf(path, sizeof(path), STR_FMT, STR_ARG(site->p->queue_directory));
	site->queue = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void
storage_refused(struct site *site)
{
	site->storage_short_until = deadline_in(SHORT_FOR);
}

/* queue_minfree: of the file system, not of the log, which has room set aside. */
static bool
is_below_least(const struct site *site)
{
	octets_t least = (octets_t)site->p->queue_minfree, left;
	struct statfs f;

	if (least == 0 || fstatfs(site->queue, &f) < 0)
		return false;
	left = (octets_t)f.f_bavail * (octets_t)f.f_bsize;
	if (left > least)
		return false;
	log_warn("not enough free space in mail queue: %llu bytes, queue_minfree is %llu",
		(unsigned long long)left, (unsigned long long)least);
	return true;
}

bool
storage_is_short(struct site *site)
{
	if (deadline_passed(site->space_at)) {
		site->below_least = is_below_least(site);
		site->space_at = deadline_in(LOOK_EVERY);
	}
	return site->below_least || !deadline_passed(site->storage_short_until);
}
