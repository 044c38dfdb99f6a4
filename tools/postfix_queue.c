/* postfix_queue.c -- see postfix_queue.h. */
#include "postfix_queue.h"
#include "conf.h"
#include "log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSTFIX_QUEUE "/var/spool/postfix"
#define DEPTH_MOST    8 /* of sub-folders; hash_queue_depth is 1 */

static int entered;

void
postfix_queue_enter(void)
{
	if (entered++ == 0)
		setfsuid(getuid());
}

void
postfix_queue_leave(void)
{
	int error = errno;

	if (--entered == 0)
		setfsuid(geteuid());
	errno = error;
}

struct str
postfix_queue_directory(const char *configuration, struct arena *a)
{
	struct conf_issues issues;
	struct conf *c;
	struct str value = STR(POSTFIX_QUEUE);

	conf_issues_init(&issues);
	c = conf_open(configuration, STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	if (conf_setting(c, STR("queue_directory")))
		value = conf_value(c, "queue_directory");
	value = arena_str(a, value);
	conf_free(c);
	conf_issues_free(&issues);
	return value;
}

bool
postfix_queue_is_running(const char *directory)
{
	char path[4096];
	int fd CLEANUP(fd_close) = -1;

	snprintf(path, sizeof(path), "%s/pid/master.pid", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0)
		log_fatal("open %s: %s", path, strerror(errno));
	return flock(fd, LOCK_SH | LOCK_NB) < 0;
}

/* Folders within a queue have names of one character. */
static void
list_folder(const char *directory, struct str folder, int depth, struct arena *a,
	struct postfix_files *out)
{
	struct str path = arena_printf(a, "%s/" STR_FMT, directory, STR_ARG(folder));
	DIR *d = opendir(path.data);
	struct dirent *e;

	if (!d && errno != ENOENT)
		log_error("%s: %s", path.data, strerror(errno));
	while (d && (e = readdir(d))) {
		struct str name =
			arena_printf(a, STR_FMT "/%s", STR_ARG(folder), e->d_name);
		struct stat st;

		if (e->d_name[0] == '.' ||
			fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			*vec_push(&out->paths) = name;
		else if (S_ISDIR(st.st_mode) && !e->d_name[1] && depth < DEPTH_MOST)
			list_folder(directory, name, depth + 1, a, out);
	}
	if (d)
		closedir(d);
}

void
postfix_queue_list(const char *directory, const char *folder, struct arena *a,
	struct postfix_files *out)
{
	list_folder(directory, str_c(folder), 0, a, out);
}
