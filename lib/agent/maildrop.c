/* maildrop.c -- see maildrop.h. */
#include "maildrop.h"
#include "drop.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file's message as a listing; false when it is none. */
static bool
read_one(int dir, const char *name, struct arena *arena, struct buf *bytes,
	struct listing *out)
{
	int fd CLEANUP(fd_close) =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct drop_reader r;
	struct drop drop;
	struct stat st;
	bool whole;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	whole = drop_read_envelope(&r, fd, bytes) == 0 &&
		drop_get(buf_str(bytes), &drop, arena) == 0;
	drop_reader_close(&r);
	if (!whole)
		return false;
	*out = (struct listing){ .queue = STR("maildrop"),
		.queue_id = str_c(name),
		.time = st.st_mtime,
		.size = (uint64_t)st.st_size,
		.sender = drop.sender,
		.rcpts = arena_alloc(arena, (drop.n_rcpts + 1) * sizeof(*out->rcpts)),
		.n_rcpts = drop.n_rcpts };
	for (size_t i = 0; i < drop.n_rcpts; i++)
		out->rcpts[i] = (struct listing_rcpt){ .original = drop.rcpts[i].address,
			.address = drop.rcpts[i].address };
	return true;
}

int
maildrop_each(struct str queue_directory, void (*fn)(const struct listing *l, void *arg),
	void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str path =
		arena_printf(arena, STR_FMT "/maildrop", STR_ARG(queue_directory));
	DIR *dir = opendir(path.data);
	struct dirent *e;
	struct listing l;

	if (!dir)
		return -1;
	while ((e = readdir(dir))) {
		arena_reset(arena);
		if (e->d_name[0] != '.' &&
			read_one(dirfd(dir), e->d_name, arena, &bytes, &l))
			fn(&l, arg);
	}
	closedir(dir);
	return 0;
}
