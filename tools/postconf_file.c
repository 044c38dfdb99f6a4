/* postconf_file.c -- a configuration file that is replaced as a whole: written beside it,
 * flushed and renamed, so that a reader, or a power cut, finds the old one or the new. */
#include "postconf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 16 * 1024 * 1024 };

static char *unfinished; /* path of the new file, as long as it is not in its place */

static void
remove_unfinished(void)
{
	if (unfinished)
		unlink(unfinished);
}

/* The lock is good when the name still leads to the file that we locked: whoever held it
 * before us has renamed his. */
static int
open_locked(const char *path)
{
	for (;;) {
		int fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat ours, named;

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &ours) < 0)
			return -1;
		if (lstat(path, &named) == 0 && named.st_ino == ours.st_ino &&
			named.st_dev == ours.st_dev)
			return fd;
		close(fd);
	}
}

void
edited_open(struct edited_file *f, struct str path)
{
	struct buf name = BUF_INIT;

	*f = (struct edited_file){ .path = path };
	if (access(path.data, F_OK) < 0)
		postconf_fatal("open " STR_FMT " for reading: %s", STR_ARG(path),
			strerror(errno));
	buf_printf(&name, STR_FMT ".tmp", STR_ARG(path));
	f->fd = open_locked(buf_cstr(&name));
	if (f->fd < 0)
		postconf_fatal(
			"open " STR_FMT ": %s", STR_ARG(buf_str(&name)), strerror(errno));
	unfinished = strdup(buf_cstr(&name));
	buf_free(&name);
	atexit(remove_unfinished);
	if (read_file(path.data, FILE_MOST, &f->old) < 0)
		postconf_fatal("read " STR_FMT ": %s", STR_ARG(path), strerror(errno));
	if (f->old.len > 0 && f->old.data[f->old.len - 1] != '\n')
		buf_addc(&f->old, '\n');
	f->out = open_memstream(&f->new, &f->new_size);
	ensure(f->out);
}

/* The new file belongs to whom the old one did; who may not give files away keeps it. */
static int
put_in_place(struct edited_file *f)
{
	struct buf folder CLEANUP(buf_free) = BUF_INIT;
	int dir CLEANUP(fd_close) = -1;
	struct stat st;

	if (stat(f->path.data, &st) < 0 || ftruncate(f->fd, 0) < 0 ||
		write_all(f->fd, str_of(f->new, f->new_size)) < 0)
		return -1;
	if (fchown(f->fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return -1;
	if (fchmod(f->fd, st.st_mode & 07777) < 0 || fsync(f->fd) < 0 ||
		rename(unfinished, f->path.data) < 0)
		return -1;
	free(unfinished);
	unfinished = NULL;
	buf_add(&folder, str_sub(f->path, 0, (size_t)str_rchr(f->path, '/') + 1));
	dir = open(buf_cstr(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : fsync(dir);
}

void
edited_commit(struct edited_file *f)
{
	if (fclose(f->out) != 0 || put_in_place(f) < 0)
		postconf_fatal(
			"write " STR_FMT ": %s", STR_ARG(f->path), strerror(errno));
	free(f->new);
	buf_free(&f->old);
	close(f->fd);
}

bool
physical_line(struct str *rest, bool *inside, struct str *line, enum line_kind *kind)
{
	ssize_t end = str_chr(*rest, '\n');
	struct str text;

	if (end < 0)
		return false;
	*line = str_sub(*rest, 0, (size_t)end + 1);
	*rest = str_from(*rest, (size_t)end + 1);
	text = str_trim(*line);
	if (text.len == 0 || text.data[0] == '#')
		*kind = LINE_SILENT;
	else if (ascii_is_space(line->data[0]))
		*kind = *inside ? LINE_CONTINUES : LINE_SILENT;
	else {
		*kind = LINE_BEGINS;
		*inside = true;
	}
	return true;
}

void
edited_copy(struct edited_file *f, struct str line, enum postconf_edit edit)
{
	if (edit == EDIT_SET || edit == EDIT_REMOVE)
		return;
	if (edit == EDIT_COMMENT)
		putc('#', f->out);
	fwrite(line.data, 1, line.len, f->out);
}
