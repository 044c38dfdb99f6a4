/* export_local.c -- postern export: local mail that pickup has not seen, as files for
 * Postfix's maildrop/. */
#include "postern.h"
#include "drop.h"
#include "log.h"
#include "postfix_file.h"
#include "postfix_queue.h"
#include "queue_export.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
read_content(struct drop_reader *r, struct buf *b)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	struct str chunk;
	int got;

	while ((got = drop_read_chunk(r, &chunk)) > 0)
		postfix_put_text(b, &line, chunk);
	postfix_put_end(b, &line);
	return got;
}

static void
make_local(const struct drop *d, const struct stat *st, struct arena *a, struct buf *b)
{
	struct postfix_message m = { .full_name = d->full_name };
	struct str *verp = arena_alloc(a, sizeof(*verp));

	m.envelope =
		(struct envelope){ .arrival_us = (uint64_t)st->st_mtim.tv_sec * 1000000,
			.sender = d->sender,
			.envid = d->envid,
			.ret = d->ret,
			.flags = d->flags,
			.rcpts = d->rcpts,
			.n_rcpts = d->n_rcpts };
	if (d->verp.len) {
		*verp = arena_printf(a, ATTRIBUTE_VERP STR_FMT, STR_ARG(d->verp));
		m.envelope.attributes = (struct strs){ verp, 1 };
	}
	postfix_put_envelope(b, &m, true, -1);
}

/* Into maildrop/, which may be ours, too. */
static void
place_local(struct export *ex, struct str name)
{
	char from[256], to[256], its_name[32];

	snprintf(from, sizeof(from), "exported/maildrop/" STR_FMT, STR_ARG(name));
	if (!export_name(ex, "maildrop", name, its_name))
		log_fatal("%s/%s: %s", ex->queue, from, strerror(errno));
	snprintf(to, sizeof(to), "maildrop/%s", its_name);
	if (renameat(ex->dir, from, ex->dir, to) < 0)
		log_fatal("%s/%s: %s", ex->queue, to, strerror(errno));
}

/* Made beside it; ours is gone before the other is where Postfix's pickup looks. */
static bool
give_local(struct export *ex, struct str path, struct str name, struct arena *a)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT, b CLEANUP(buf_free) = BUF_INIT;
	struct str temp = arena_printf(a, "exported/maildrop/" STR_FMT, STR_ARG(name));
	int from CLEANUP(fd_close) = open(path.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int fd CLEANUP(fd_close) = -1;
	struct drop_reader r = { .fd = -1 };
	struct drop drop;
	struct stat st;
	bool whole;

	if (from < 0 || fstat(from, &st) < 0 || !(st.st_mode & S_IXUSR))
		return false;
	whole = drop_read_envelope(&r, from, &bytes) == 0 &&
		drop_get(buf_str(&bytes), &drop, a) == 0;
	if (whole) {
		make_local(&drop, &st, a, &b);
		whole = read_content(&r, &b) == 0;
	}
	drop_reader_close(&r);
	if (!whole)
		return false;
	fd = openat(ex->dir, temp.data,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, buf_str(&b)) < 0 ||
		fchown(fd, st.st_uid, (gid_t)-1) < 0 || fchmod(fd, 0744) < 0 ||
		fsync(fd) < 0)
		log_fatal("%s/%s: %s", ex->queue, temp.data, strerror(errno));
	export_sync(ex);
	if (unlink(path.data) < 0)
		log_fatal("%s: %s", path.data, strerror(errno));
	place_local(ex, name);
	return true;
}

/* An earlier run had made these and taken ours away. */
static void
finish_maildrop(struct export *ex, const char *ours)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_list(ex->queue, "exported/maildrop", ex->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct str name =
			str_from(files.paths.items[i], sizeof("exported/maildrop/") - 1);
		struct str path = arena_printf(
			ex->arena, "%s/maildrop/" STR_FMT, ours, STR_ARG(name));

		if (access(path.data, F_OK) == 0)
			continue; /* made anew */
		place_local(ex, name);
		ex->local++;
	}
	vec_free(&files.paths);
}

void
export_maildrop(struct export *ex)
{
	struct str ours = arena_printf(
		ex->arena, STR_FMT, STR_ARG(postern.conf->p.queue_directory));
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_enter();
	finish_maildrop(ex, ours.data);
	postfix_queue_list(ours.data, "maildrop", ex->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct str name = str_from(files.paths.items[i], sizeof("maildrop/") - 1);
		struct str path = arena_printf(arena, STR_FMT "/" STR_FMT, STR_ARG(ours),
			STR_ARG(files.paths.items[i]));

		/* Else it is not finished, or not ours. */
		ex->local += give_local(ex, path, name, arena);
	}
	export_sync(ex);
	postfix_queue_leave();
	vec_free(&files.paths);
}
