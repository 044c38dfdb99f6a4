/* log_file.c -- where the log goes: syslog, or the file of maillog_file, which we open
 * for all workers, since none of them could. */
#include "config.h"
#include "master.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

/* The file must lie below one of maillog_file_prefixes: main.cf is not meant to make root
 * write elsewhere. */
static bool
prefix_allows(const struct conf *c, struct arena *arena)
{
	struct strs prefixes = conf_list(c->p.maillog_file_prefixes, arena);

	for (size_t i = 0; i < prefixes.n; i++)
		if (str_starts(c->p.maillog_file, prefixes.items[i]))
			return true;
	return false;
}

static int
open_stdout(struct why *why)
{
	if (master.foreground)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	why_set(why, "4.3.5", "maillog_file = /dev/stdout needs `postern start-fg`");
	return -1;
}

static int
open_file(const struct conf *c, struct why *why)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf mode CLEANUP(buf_free) = BUF_INIT;
	int fd;

	if (!prefix_allows(c, arena)) {
		why_set(why, "4.3.5",
			"maillog_file = " STR_FMT " is not below maillog_file_prefixes",
			STR_ARG(c->p.maillog_file));
		return -1;
	}
	buf_add(&mode, c->p.maillog_file_permissions);
	fd = open(arena_cstr(arena, c->p.maillog_file),
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
		(mode_t)strtoul(buf_cstr(&mode), NULL, 8));
	if (fd < 0)
		why_errno(why, "4.3.0", arena_cstr(arena, c->p.maillog_file));
	return fd;
}

int
log_file_open(struct why *why)
{
	struct buf tag CLEANUP(buf_free) = BUF_INIT;
	const struct conf *c = master.conf;
	int facility = log_facility(c->p.syslog_facility), fd = -1;

	if (str_is(c->p.maillog_file, "/dev/stdout"))
		fd = open_stdout(why);
	else if (c->p.maillog_file.len > 0)
		fd = open_file(c, why);
	if (c->p.maillog_file.len > 0 && fd < 0)
		return -1;
	buf_add(&tag, c->p.syslog_name);
	buf_addz(&tag, "/master");
	log_open(buf_cstr(&tag), fd >= 0 ? LOG_TO_FD : LOG_TO_SYSLOG, fd,
		facility >= 0 ? facility : LOG_MAIL);
	fd_close(&master.log);
	master.log = fd;
	return 0;
}
