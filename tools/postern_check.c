/* postern_check.c -- what is wrong, or about to be: settings, owners, modes. */
#include "postern.h"
#include "log.h"
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NFS_MAGIC 0x6969

/* ---- main.cf and master.cf ---- */

static void
show_issue(const struct conf_issue *issue)
{
	const char *gap = issue->remedy.len ? "; " : "";

	if (issue->fatal)
		log_error(STR_FMT "%s" STR_FMT, STR_ARG(issue->text), gap,
			STR_ARG(issue->remedy));
	else
		log_warn(STR_FMT "%s" STR_FMT, STR_ARG(issue->text), gap,
			STR_ARG(issue->remedy));
}

static size_t
check_configuration(void)
{
	struct master_conf *services;
	struct conf_issues issues;
	struct conf *c;
	size_t found;
	bool bad;

	conf_issues_init(&issues);
	c = conf_load(postern.directory, STR_NONE, NULL, &issues);
	services = c ? master_conf_load(postern.directory, c, &issues) : NULL;
	if (c) {
		conf_warn_unhonoured(c, &issues);
		conf_warn_deprecated(c, &issues);
	}
	for (size_t i = 0; i < issues.list.n; i++)
		show_issue(&issues.list.items[i]);
	bad = !services;
	found = issues.list.n;
	master_conf_free(services);
	conf_free(c);
	conf_issues_free(&issues);
	if (bad)
		log_fatal("%s: the configuration cannot be used", postern.directory);
	return found;
}

/* ---- files ---- */

/* Root's, or, in an instance of one's own, that user's. */
static size_t
check_owned(const char *path)
{
	uid_t wanted = postern.owners.root ? 0 : postern.owners.mail_owner;
	struct stat st;
	size_t found = 0;

	if (stat(path, &st) < 0)
		return 0;
	if (st.st_uid != wanted && st.st_uid != 0) {
		log_warn("not owned by root: %s", path);
		found++;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_warn("group or other writable: %s", path);
		found++;
	}
	return found;
}

static size_t
check_directory(struct str directory)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	const struct dirent *entry;
	size_t found;
	DIR *dir;

	buf_add(&path, directory);
	found = check_owned(buf_cstr(&path));
	dir = opendir(buf_cstr(&path));
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		buf_clear(&path);
		buf_add(&path, directory);
		buf_printf(&path, "/%s", entry->d_name);
		found += check_owned(buf_cstr(&path));
	}
	if (dir)
		closedir(dir);
	return found;
}

/* No NFS server keeps what the log relies on: that a synced write is there for good, and
 * that a lock means something after a network failure. */
static void
refuse_nfs(void)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct statfs fs;

	buf_add(&path, postern.conf->p.queue_directory);
	if (statfs(buf_cstr(&path), &fs) == 0 && fs.f_type == NFS_MAGIC)
		log_fatal("queue_directory %s is on NFS: use a local disk",
			buf_cstr(&path));
}

/* ---- all of it ---- */

size_t
check_everything(void)
{
	size_t found = check_configuration();

	refuse_nfs();
	found += instance_check_directories(postern.conf, &postern.owners);
	found += check_directory(str_c(postern.directory));
	return found + check_directory(postern.conf->p.daemon_directory);
}

int
postern_check(void)
{
	struct why why;

	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	check_everything();
	return 0;
}

/* ---- set-permissions ---- */

static void
give_to_group(const char *name)
{
	struct arena *arena = postern.conf->arena;
	const char *path = arena_cstr(
		arena, arena_printf(arena, STR_FMT "/%s",
			       STR_ARG(postern.conf->p.command_directory), name));

	if (chown(path, 0, postern.owners.setgid_group) < 0 || chmod(path, 02755) < 0)
		log_warn("%s: %m", path);
}

int
postern_set_permissions(void)
{
	struct why why;

	if (!postern.owners.root)
		log_fatal("only root can change owners");
	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0 ||
		instance_repair_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	give_to_group("postdrop");
	give_to_group("postqueue");
	return 0;
}
