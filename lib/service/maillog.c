/* maillog.c -- see maillog.h. */
#include "maillog.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* A postlogd that does not keep up holds a command up for no longer than this. */
#define POSTLOGD_PATIENCE_US 500000

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

/* maillog_file_permissions: Postfix's three; 0: another one. */
static mode_t
file_mode(const struct conf *c)
{
	static const struct {
		const char *text;
		mode_t mode;
	} modes[] = { { "0600", 0600 }, { "0640", 0640 }, { "0644", 0644 },
		{ "600", 0600 }, { "640", 0640 }, { "644", 0644 } };

	for (size_t i = 0; i < COUNT(modes); i++)
		if (str_is(c->p.maillog_file_permissions, modes[i].text))
			return modes[i].mode;
	return 0;
}

/* A new file has the mode, whatever the umask is of whoever is first to log. */
static int
open_or_make(const char *path, mode_t mode)
{
	enum { FLAGS = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY };
	int fd = open(path, FLAGS);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, FLAGS | O_CREAT | O_EXCL, mode & 0600);
	if (fd < 0)
		return errno == EEXIST ? open(path, FLAGS) : -1;
	if (fchmod(fd, mode) < 0)
		fd_close(&fd);
	return fd;
}

int
maillog_file_open(const struct conf *c, struct why *why)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	const char *path = arena_cstr(arena, c->p.maillog_file);
	mode_t mode = file_mode(c);
	int fd;

	if (!prefix_allows(c, arena)) {
		why_set(why, "4.3.5",
			"maillog_file = %s is not below maillog_file_prefixes", path);
		return -1;
	}
	if (mode == 0) {
		why_set(why, "4.3.5",
			"maillog_file_permissions = " STR_FMT
			" is none of 0600, 0640, 0644",
			STR_ARG(c->p.maillog_file_permissions));
		return -1;
	}
	fd = open_or_make(path, mode);
	if (fd < 0)
		why_errno(why, "4.3.0", path);
	return fd;
}

/* -1 where none listens. */
static int
postlogd_connect(const struct conf *c)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str path = arena_printf(arena, STR_FMT "/public/" STR_FMT,
		STR_ARG(c->p.queue_directory), STR_ARG(c->p.postlog_service_name));
	struct timeval patience = { 0, POSTLOGD_PATIENCE_US };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (path.len >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path.data, path.len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (void *)&at, sizeof(at)) < 0)
		fd_close(&fd);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* A set-gid command does not open what a configuration of its caller's choice names. */
static bool
is_set_gid(void)
{
	return getegid() != getgid();
}

int
maillog_open(const struct conf *c, const char *tag, unsigned also)
{
	bool is_file = c->p.maillog_file.len > 0;
	int facility = log_facility(c->p.syslog_facility), fd = -1;
	struct why why;

	if (is_file && !str_is(c->p.maillog_file, "/dev/stdout") && !is_set_gid())
		fd = maillog_file_open(c, &why);
	if (is_file && fd < 0)
		fd = postlogd_connect(c);
	also |= fd >= 0 ? LOG_TO_FD : is_file ? LOG_TO_STDERR : LOG_TO_SYSLOG;
	log_open(tag, also, fd, facility >= 0 ? facility : LOG_MAIL);
	return fd;
}
