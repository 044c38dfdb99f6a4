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

/* What -o of a line says is read by its program only. A mistake there is that service's
 * own: the others start. */
static void
check_overrides(const struct service_line *line, struct str path, struct conf_issues *out)
{
	struct conf_issues found CLEANUP(conf_issues_free);
	struct conf *c;

	conf_issues_init(&found);
	c = conf_load(postern.directory, line->name, &line->overrides, &found);
	conf_free(c);
	for (size_t i = 0; i < found.list.n; i++) {
		const struct conf_issue *issue = &found.list.items[i];

		/* Also where main.cf is well without them. */
		if (issue->file.len == 0 || issue->fatal)
			conf_issue(out, false, path, line->line, issue->parameter,
				arena_cstr(found.arena, issue->remedy),
				"service " STR_FMT ": " STR_FMT, STR_ARG(line->name),
				STR_ARG(issue->text));
	}
}

void
check_services(const struct conf *c, struct conf_issues *issues)
{
	struct conf *defaults = c ? NULL : conf_open(NULL, STR_NONE, NULL, issues);
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str path = arena_printf(a, "%s/master.cf", postern.directory);
	struct master_conf *m =
		master_conf_load(postern.directory, c ? c : defaults, issues);

	for (size_t i = 0; m && c && i < m->services.n; i++)
		if (m->services.items[i].overrides.n > 0)
			check_overrides(&m->services.items[i], path, issues);
	if (m)
		master_conf_warn(m, postern.directory, issues);
	master_conf_free(m);
	conf_free(defaults);
}

static size_t
check_configuration(void)
{
	struct conf_issues issues;
	struct conf *c;
	size_t found;

	conf_issues_init(&issues);
	c = conf_load(postern.directory, STR_NONE, NULL, &issues);
	check_services(c, &issues);
	if (c) {
		conf_warn_unhonoured(c, &issues);
		conf_warn_deprecated(c, &issues);
	}
	if (conf_issues_fatal(&issues))
		conf_issues_die(&issues);
	conf_issues_log(&issues);
	found = issues.list.n;
	conf_free(c);
	conf_issues_free(&issues);
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
