/* quota_count.c -- what a Maildir and its folders hold. All folders count, the one for
 * what was deleted as well: so does Dovecot, which goes by the same file. */
#include "quota.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The size in a name: ,S=1234 at its end or in front of a comma or a colon. */
static bool
size_in_name(struct str name, uint64_t *size)
{
	ssize_t at = str_find(name, STR(",S="));
	struct str digits;
	size_t n = 0;

	if (at < 0)
		return false;
	digits = str_from(name, (size_t)at + 3);
	while (n < digits.len && digits.data[n] != ',' && digits.data[n] != ':')
		n++;
	return str_to_u64(str_sub(digits, 0, n), size) == 0;
}

static int
count_file(int dir, const char *name, struct quota_usage *u)
{
	struct stat st;
	uint64_t size;

	if (!size_in_name(str_c(name), &size)) {
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1; /* read and moved meanwhile */
		if (!S_ISREG(st.st_mode))
			return 0;
		size = (uint64_t)st.st_size;
	}
	if (__builtin_add_overflow(u->bytes, size, &u->bytes) || u->bytes > INT64_MAX)
		u->bytes = INT64_MAX; /* of names that lie */
	u->count++;
	return 0;
}

/* Calls `each` for what is in a directory; one that is none, or not there, is empty.
 * Takes the descriptor. */
typedef int each_name(int dir, const char *name, struct quota_usage *u);
static int
for_each(int fd, each_name *each, struct quota_usage *u)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int result = 0;

	if (!d) {
		fd_close(&fd);
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	}
	for (errno = 0; result == 0 && (e = readdir(d)); errno = 0)
		result = each(dirfd(d), e->d_name, u);
	if (result == 0 && errno != 0)
		result = -1;
	closedir(d);
	return result;
}

static int
open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int
count_message(int dir, const char *name, struct quota_usage *u)
{
	return name[0] == '.' ? 0 : count_file(dir, name, u);
}

/* new before cur: what is read meanwhile moves that way, and counts twice rather than not
 * at all. */
static int
count_box(int at, struct quota_usage *u)
{
	if (for_each(open_directory(at, "new"), count_message, u) < 0)
		return -1;
	return for_each(open_directory(at, "cur"), count_message, u);
}

/* .Folder beside new and cur. */
static int
count_folder(int dir, const char *name, struct quota_usage *u)
{
	bool folder = name[0] == '.' && name[1] != '\0' && strcmp(name, "..") != 0;
	int fd CLEANUP(fd_close) = folder ? open_directory(dir, name) : -1;

	if (folder && fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	return folder ? count_box(fd, u) : 0;
}

int
quota_count(int maildir, struct quota_usage *out)
{
	*out = (struct quota_usage){ .lines = 1 };
	if (count_box(maildir, out) < 0)
		return -1;
	return for_each(open_directory(maildir, "."), count_folder, out);
}
