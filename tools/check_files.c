/* check_files.c -- owners and modes, copies for chroot, damaged messages: what Postfix's
 * own script looks at, in its words. */
#include "check.h"
#include "instance.h"
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

/* ---- owners and modes ---- */

/* Root's, or, in an instance of one's own, that user's. */
static void
check_owned(struct check *k, const char *path)
{
	uid_t wanted = k->owners->root ? 0 : k->owners->mail_owner;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	if (st.st_uid != wanted && st.st_uid != 0)
		check_file(k, false, path, "chown root", "not owned by root: %s", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		check_file(k, false, path, "chmod go-w", "group or other writable: %s",
			path);
}

static void
check_directory(struct check *k, struct str directory)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	const struct dirent *entry;
	DIR *dir;

	buf_add(&path, directory);
	check_owned(k, buf_cstr(&path));
	dir = opendir(buf_cstr(&path));
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		buf_clear(&path);
		buf_add(&path, directory);
		buf_printf(&path, "/%s", entry->d_name);
		check_owned(k, buf_cstr(&path));
	}
	if (dir)
		closedir(dir);
}

void
check_owners(struct check *k)
{
	instance_check_directories(k->conf, k->owners, &k->found);
	check_directory(k, str_c(k->directory));
	check_directory(k, k->conf->p.daemon_directory);
}

/* The two that let users in. */
void
check_setgid(struct check *k)
{
	static const char *const programs[] = { "postdrop", "postqueue" };

	for (size_t i = 0; k->owners->root && i < COUNT(programs); i++) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;
		struct stat st;

		buf_printf(&path, STR_FMT "/%s", STR_ARG(k->conf->p.command_directory),
			programs[i]);
		if (stat(buf_cstr(&path), &st) < 0)
			check_file(k, false, buf_cstr(&path), "install it", "%s: %s",
				buf_cstr(&path), strerror(errno));
		else if (st.st_gid != k->owners->setgid_group)
			check_file(k, false, buf_cstr(&path), "postern set-permissions",
				"not owned by group " STR_FMT ": %s",
				STR_ARG(k->conf->p.setgid_group), buf_cstr(&path));
		else if ((st.st_mode & 02111) != 02111)
			check_file(k, false, buf_cstr(&path), "postern set-permissions",
				"not set-gid or not owner+group+world executable: %s",
				buf_cstr(&path));
	}
}

/* ---- copies below queue_directory, for services with chroot ---- */

static struct check *walker; /* nftw() has no argument of ours */
static size_t root_length;

static bool
same_content(const char *a, const char *b)
{
	struct buf one CLEANUP(buf_free) = BUF_INIT, other CLEANUP(buf_free) = BUF_INIT;

	return read_file(a, SIZE_MAX / 2, &one) == 0 &&
	       read_file(b, SIZE_MAX / 2, &other) == 0 &&
	       str_eq(buf_str(&one), buf_str(&other));
}

static int
compare_copy(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	const char *original = path + root_length;
	struct stat other;

	(void)where;
	if (kind == FTW_F && S_ISREG(st->st_mode) && stat(original, &other) == 0 &&
		S_ISREG(other.st_mode) &&
		(st->st_size != other.st_size || !same_content(path, original)))
		check_file(walker, false, path, "copy it anew", "%s and %s differ", path,
			original);
	return 0;
}

void
check_copies(struct check *k)
{
	static const char *const folders[] = { "bin", "etc", "lib", "usr" };

	walker = k;
	root_length = k->conf->p.queue_directory.len;
	for (size_t i = 0; i < COUNT(folders); i++) {
		struct buf path CLEANUP(buf_free) = BUF_INIT;

		buf_printf(&path, STR_FMT "/%s", STR_ARG(k->conf->p.queue_directory),
			folders[i]);
		nftw(buf_cstr(&path), compare_copy, 16, FTW_PHYS);
	}
}

/* ---- what could not be read, and was put aside ---- */

void
check_queue(struct check *k)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	const struct dirent *entry;
	DIR *dir;

	buf_printf(&path, STR_FMT "/corrupt", STR_ARG(k->conf->p.queue_directory));
	dir = opendir(buf_cstr(&path));
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			check_file(k, false, buf_cstr(&path),
				"postern spool check tells more; remove it when done "
				"with",
				"damaged message: %s/%s", buf_cstr(&path), entry->d_name);
	if (dir)
		closedir(dir);
}
