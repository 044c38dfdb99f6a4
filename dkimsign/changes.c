/* changes.c -- see changes.h. */
#include "changes.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CHANGES \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | \
		IN_DELETE_SELF | IN_MOVE_SELF)

static struct io changes = { .fd = -1 };
static int changes_fd = -1;

void
changes_add(const char *what, const char *path)
{
	if (changes_fd < 0)
		changes_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (changes_fd < 0 || inotify_add_watch(changes_fd, path, CHANGES) < 0)
		log_warn("%s: changes of %s are seen at a reload only: %m", what, path);
}

static void
wait_for_change(void *unused)
{
	(void)unused;
	if (io_wait_read(&changes, DEADLINE_NEVER) == 0)
		service_retire("keys have changed");
}

void
changes_watch(void)
{
	char event[sizeof(struct inotify_event) + 256];

	if (changes_fd < 0 || io_open(&changes, changes_fd) < 0)
		return;
	/* io_open() takes it for readable until it was tried. */
	if (read(changes.fd, event, sizeof(event)) > 0) {
		service_retire("keys have changed");
		return;
	}
	changes.readable = false;
	co_spawn(wait_for_change, NULL, CO_STACK_SMALL);
}
