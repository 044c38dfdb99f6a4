/* postmulti_remove.c -- see postmulti_remove.h. */
#include "postmulti_remove.h"
#include "instance.h"
#include "listing.h"
#include "log.h"
#include "maildrop.h"
#include "spool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories that a walk holds open at a time. */
enum { OPEN_MOST = 16 };

static struct conf *
conf_of(const struct instances *all, const struct one_instance *i)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_load(arena_cstr(all->arena, i->config), STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	conf_issues_free(&issues);
	return c;
}

bool
instance_runs(const struct instances *all, const struct one_instance *i)
{
	struct conf *c = conf_of(all, i);
	pid_t pid = instance_master(c);

	if (pid < 0 && errno != ENOENT)
		log_fatal(STR_FMT "/pid/master.pid: %m", STR_ARG(i->queue));
	conf_free(c);
	return pid > 0;
}

/* ---- mail ---- */

static bool
count_entry(const struct spool_entry *e, void *arg)
{
	(void)e;
	++*(size_t *)arg;
	return true;
}

static void
count_listed(const struct listing *l, void *arg)
{
	(void)l;
	++*(size_t *)arg;
}

void
instance_must_be_empty(const struct instances *all, const struct one_instance *i)
{
	const char *log = arena_cstr(
		all->arena, arena_printf(all->arena, STR_FMT "/log", STR_ARG(i->queue)));
	struct why why = { 0 };
	size_t messages = 0;

	if (maildrop_each(i->queue, count_listed, &messages) < 0 && errno != ENOENT)
		log_fatal(STR_FMT "/maildrop: %m", STR_ARG(i->queue));
	if (access(log, F_OK) == 0 && spool_scan(log, count_entry, &messages, &why) < 0)
		log_fatal("cannot read the queue: %s", why.text);
	if (messages > 0)
		log_fatal("Instance '" STR_FMT "' has mail in its queue (%zu): nothing "
			  "is removed",
			STR_ARG(i->config), messages);
}

/* ---- files ---- */

static void
warn_left(const char *path)
{
	log_warn("%s: please verify contents and remove by hand", path);
}

static void
remove_directory(const char *path)
{
	if (rmdir(path) < 0 && errno != ENOENT)
		warn_left(path);
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)where;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* The spool's own place: there is no mail in it. */
static void
remove_spool(const char *path)
{
	if (nftw(path, remove_entry, OPEN_MOST, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 &&
		errno != ENOENT)
		warn_left(path);
}

/* Sockets of daemons that are gone, and the lock files of master. */
static bool
is_leftover(int dir, const char *name, bool regular_too)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode) ||
	       (regular_too && S_ISREG(st.st_mode));
}

static void
remove_leftovers(const char *path, bool regular_too)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_leftover(dirfd(d), e->d_name, regular_too))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

static const char *
below(const struct instances *all, struct str directory, const char *name)
{
	return arena_cstr(all->arena,
		arena_printf(all->arena, STR_FMT "/%s", STR_ARG(directory), name));
}

static void
remove_queue(const struct instances *all, const struct one_instance *i)
{
	for (size_t n = 0; n < instance_directories_count; n++) {
		const char *name = instance_directories[n].name, *path;

		if (!name || !name[0])
			continue;
		path = below(all, i->queue, name);
		if (strcmp(name, "log") == 0) {
			remove_spool(path);
			continue;
		}
		if (strcmp(name, "pid") == 0 || strcmp(name, "private") == 0 ||
			strcmp(name, "public") == 0)
			remove_leftovers(path, strcmp(name, "pid") == 0);
		remove_directory(path);
	}
	remove_directory(arena_cstr(all->arena, i->queue));
}

void
instance_remove(const struct instances *all, const struct one_instance *i)
{
	remove_queue(all, i);
	unlink(below(all, i->data, "master.lock"));
	remove_directory(arena_cstr(all->arena, i->data));
	unlink(below(all, i->config, "master.cf"));
	unlink(below(all, i->config, "main.cf"));
	remove_directory(arena_cstr(all->arena, i->config));
}
