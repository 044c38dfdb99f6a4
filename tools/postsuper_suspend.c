/* postsuper_suspend.c -- see postsuper.h. */
#include "postsuper.h"
#include "log.h"
#include "queue_client.h"
#include "suspension.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static struct {
	VEC(struct suspension) suspended, resumed;
	struct str reason;
} wanted;

void
suspend_add(bool resume, const char *destination, struct arena *arena)
{
	struct suspension *one =
		resume ? vec_push(&wanted.resumed) : vec_push(&wanted.suspended);
	struct why why = { 0 };

	if (suspension_read(str_c(destination), arena, one, &why) < 0)
		log_fatal("%s", why.text);
	one->since = time_wall_us() / 1000000;
}

void
suspend_set_reason(const char *reason)
{
	wanted.reason = str_c(reason);
	if (wanted.reason.len > SUSPENSION_REASON_LENGTH)
		log_fatal("a reason has at most %d octets", SUSPENSION_REASON_LENGTH);
	for (size_t i = 0; i < wanted.reason.len; i++)
		if ((unsigned char)reason[i] < ' ' || reason[i] == 0x7f)
			log_fatal("a reason is one line of text");
}

bool
suspend_is_wanted(void)
{
	return wanted.suspended.n + wanted.resumed.n > 0;
}

static void
change(struct suspensions *all, struct arena *arena)
{
	for (size_t i = 0; i < wanted.resumed.n; i++) {
		const struct suspension *one = &wanted.resumed.items[i];

		if (!suspensions_remove(all, one))
			log_fatal(STR_FMT ": is not suspended",
				STR_ARG(suspension_name(one, arena)));
	}
	for (size_t i = 0; i < wanted.suspended.n; i++) {
		struct suspension *one = &wanted.suspended.items[i];

		one->reason = wanted.reason;
		if (suspensions_set(all, one) < 0)
			log_fatal("no more than %d destinations can be suspended",
				SUSPENSIONS_MOST);
	}
}

static void
tell(struct arena *arena)
{
	for (size_t i = 0; i < wanted.resumed.n; i++)
		log_line(POSTSUPER_RESUMED,
			suspension_name(&wanted.resumed.items[i], arena));
	for (size_t i = 0; i < wanted.suspended.n; i++)
		log_line(POSTSUPER_SUSPENDED,
			suspension_name(&wanted.suspended.items[i], arena),
			wanted.reason);
}

/* One at a time: two of us would each write down what the other has not seen. */
static int
lock(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		log_fatal("cannot lock %s: %s", directory, strerror(errno));
	return fd;
}

void
suspend_apply(const struct conf *c, struct ipc_link *link, struct arena *arena)
{
	struct suspensions *all = arena_alloc(arena, sizeof(*all));
	const char *directory = queue_client_log(c);
	int lock_fd;
	size_t bad;

	if (queue_client_become_owner(c) < 0)
		log_fatal("there is no queue yet in %s", directory);
	lock_fd = lock(directory);
	if (suspensions_load(directory, arena, all, &bad) < 0)
		log_fatal("cannot read %s/suspended: %s", directory, strerror(errno));
	change(all, arena);
	if (suspensions_store(directory, all) < 0)
		log_fatal("cannot write %s/suspended: %s", directory, strerror(errno));
	tell(arena);
	if (link)
		queue_client_suspensions_changed(link);
	fd_close(&lock_fd);
}
