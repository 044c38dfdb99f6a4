/* build.c -- makes and changes table files: always in a fresh file beside the old one,
 * which it replaces in one step. Readers see the old table or the new one, whole. */
#include "dict_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct dict_builder {
	const struct dict_ops *ops;
	void *state;
	struct arena *arena, *entry; /* entry: for the one that is being added */
	char *path;                  /* where the table will be */
	char *writing;               /* where it is being written; NULL: gone */
	bool nul;                    /* keys and values end with one */
	int lock; /* changing: the old file, held against others who change it */
};

static void
builder_free(struct dict_builder *b)
{
	if (b->writing)
		unlink(b->writing);
	fd_close(&b->lock);
	arena_free(b->entry);
	arena_free(b->arena);
}

/* Makes the empty file with the mode (umask or not: the source's mode is what readers
 * depend on). -1 and errno. */
static int
make_file(struct dict_builder *b, mode_t mode)
{
	struct str name = arena_printf(b->arena, "%s.XXXXXX", b->path);
	char *writing = arena_cstr(b->arena, name);
	int fd = mkostemp(writing, O_CLOEXEC);

	if (fd < 0)
		return -1;
	b->writing = writing;
	if (fchmod(fd, mode) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

static struct dict_builder *
builder_new(struct str spec, struct why *why)
{
	struct str name;
	const struct dict_ops *ops = dict_ops_of(spec, &name, why);
	struct arena *arena;
	struct dict_builder *b;

	if (!ops)
		return NULL;
	if (!ops->build)
		return dict_fails(why,
			"unsupported dictionary type: %s does not support bulk-mode "
			"creation.",
			ops->type.name);
	arena = arena_new();
	b = arena_alloc(arena, sizeof *b);
	*b = (struct dict_builder){
		.ops = ops, .arena = arena, .nul = ops->build->nul, .lock = -1
	};
	b->entry = arena_new();
	b->path = arena_cstr(
		arena, arena_printf(arena, STR_FMT "%s", STR_ARG(name), ops->suffix));
	if (b->path)
		return b;
	builder_free(b);
	return dict_fails(why, "the name of a table holds a NUL byte");
}

static struct dict_builder *
builder_start(struct dict_builder *b, bool fresh, struct why *why)
{
	b->state = b->ops->build->start(b->writing, fresh, why);
	if (b->state)
		return b;
	builder_free(b);
	return NULL;
}

static struct dict_builder *
builder_fails(struct dict_builder *b, const char *what, struct why *why)
{
	int error = errno;

	dict_fails_errno(why, what, b->path);
	builder_free(b);
	errno = error;
	return NULL;
}

struct dict_builder *
dict_build(struct str spec, mode_t mode, struct why *why)
{
	struct dict_builder *b = builder_new(spec, why);
	int fd CLEANUP(fd_close) = -1;

	if (!b)
		return NULL;
	fd = make_file(b, mode);
	if (fd < 0)
		return builder_fails(b, "create database", why);
	return builder_start(b, true, why);
}

/* ---- changing ---- */

/* Opens the table for one that changes it. Whoever waited for the lock of a file that was
 * replaced meanwhile takes the new one. It is another kind of lock than Postfix's
 * (flock): readers wait for that one, and need not wait for us. */
static int
lock_newest(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat mine, newest;
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -1;
		if (fcntl(fd, F_OFD_SETLKW, &whole) < 0 || fstat(fd, &mine) < 0) {
			fd_close(&fd);
			return -1;
		}
		if (stat(path, &newest) == 0 && newest.st_dev == mine.st_dev &&
			newest.st_ino == mine.st_ino)
			return fd;
		fd_close(&fd);
	}
}

static int
copy_bytes(int from, int to)
{
	static char bytes[64 * 1024];
	ssize_t n;

	while ((n = read(from, bytes, sizeof bytes)) > 0)
		if (write_all(to, str_of(bytes, (size_t)n)) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

bool
dict_build_changes(struct str spec)
{
	ssize_t colon = str_chr(spec, ':');
	const struct dict_ops *ops =
		colon > 0 ? dict_ops_find(str_sub(spec, 0, (size_t)colon)) : NULL;

	return ops && ops->build && ops->build->remove;
}

struct dict_builder *
dict_build_change(struct str spec, struct why *why)
{
	struct dict_builder *b = builder_new(spec, why);
	int fd CLEANUP(fd_close) = -1;
	struct stat old;

	if (!b)
		return NULL;
	if (!b->ops->build->remove) {
		builder_free(b);
		return dict_fails(why,
			"table " STR_FMT ": update operation is not supported: build it "
			"again from its source",
			STR_ARG(spec));
	}
	b->lock = lock_newest(b->path);
	if (b->lock < 0 || fstat(b->lock, &old) < 0)
		return builder_fails(b, "open database", why);
	fd = make_file(b, old.st_mode & 07777);
	if (fd < 0)
		return builder_fails(b, "create database", why);
	if (copy_bytes(b->lock, fd) < 0)
		return builder_fails(b, "copy database", why);
	return builder_start(b, false, why);
}

void
dict_build_nul(struct dict_builder *b, bool nul)
{
	b->nul = nul;
}

int
dict_build_add(struct dict_builder *b, struct str key, struct str value, bool replace,
	struct why *why)
{
	struct str k, v;

	/* arena_str() puts a NUL behind what it copies */
	arena_reset(b->entry);
	k = arena_str(b->entry, key);
	v = arena_str(b->entry, value);
	k.len += b->nul;
	v.len += b->nul;
	return b->ops->build->add(b->state, k, v, replace, why);
}

int
dict_build_remove(struct dict_builder *b, struct str key, struct why *why)
{
	struct str k;
	int plain, with_nul;

	arena_reset(b->entry);
	k = arena_str(b->entry, key);
	plain = b->ops->build->remove(b->state, k, why);
	if (plain < 0)
		return plain;
	k.len++;
	with_nul = b->ops->build->remove(b->state, k, why);
	return with_nul < 0 ? with_nul : plain && with_nul;
}

/* The table must be on the disk before its name is: after a power cut an empty table
 * would be believed. */
static int
sync_file(const char *path)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int
dict_build_finish(struct dict_builder *b, struct why *why)
{
	int result = b->ops->build->finish(b->state, why);

	if (result == 0 &&
		(sync_file(b->writing) < 0 || rename(b->writing, b->path) < 0)) {
		dict_fails_errno(why, "replace database", b->path);
		result = -1;
	}
	if (result == 0)
		b->writing = NULL;
	builder_free(b);
	return result;
}

void
dict_build_abort(struct dict_builder *b)
{
	b->ops->build->abort(b->state);
	builder_free(b);
}
