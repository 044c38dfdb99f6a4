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

/* What must be free in the file system, beside the room that the log has set aside:
 * queue_minfree, and room for a message of the largest size and half of another. */
static bool
is_below_least(const struct site *site)
{
	octets_t largest = (octets_t)site->p->message_size_limit, left;
	bool short_of_one;
	struct statfs f;

	if (fstatfs(site->queue, &f) < 0)
		return false;
	left = (octets_t)f.f_bavail * (octets_t)f.f_bsize;
	short_of_one = largest > 0 && left / 3 * 2 <= largest;
	if (short_of_one)
		log_warn("not enough free space in mail queue: %llu bytes < "
			 "1.5*message size limit",
			(unsigned long long)left);
	return short_of_one || left <= (octets_t)site->p->queue_minfree;
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
