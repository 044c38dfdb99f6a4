/* import_local.c -- postern import: local mail that pickup has not seen, into our
 * maildrop/. */
#include "postern.h"
#include "drop.h"
#include "log.h"
#include "postfix_queue.h"
#include "queue_import.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int
write_drop(const struct parcel *p, int fd)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	const struct envelope *e = &p->m.envelope;
	struct drop drop = { .sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.flags = e->flags & DROP_FLAGS,
		.rcpts = e->rcpts,
		.n_rcpts = e->n_rcpts,
		.full_name = p->m.full_name };

	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], STR(ATTRIBUTE_VERP)))
			drop.verp = str_from(
				e->attributes.items[i], sizeof(ATTRIBUTE_VERP) - 1);
	drop_put(&bytes, &drop);
	if (drop_write_envelope(fd, buf_str(&bytes)) < 0 ||
		(p->content.len > 0 && drop_write_chunk(fd, buf_str(&p->content)) < 0) ||
		drop_write_end(fd) < 0)
		return -1;
	return 0;
}

/* Under another name, since both may be the same folder; it belongs to whom it belonged
 * to, and gets its name last. A run that ends between two and three finds it there. */
static int
make_drop(const struct parcel *p)
{
	struct timespec times[2] = { p->st.st_atim, p->st.st_mtim };
	struct str to = arena_printf(p->arena, STR_FMT "/maildrop/" STR_FMT "I",
		STR_ARG(postern.conf->p.queue_directory), STR_ARG(p->name));
	struct str new = arena_printf(p->arena, STR_FMT ".new", STR_ARG(to));
	int fd CLEANUP(fd_close) = open(
		new.data, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || write_drop(p, fd) < 0 || fchown(fd, p->st.st_uid, (gid_t)-1) < 0 ||
		futimens(fd, times) < 0 || fsync(fd) < 0)
		return -1;
	return rename(new.data, to.data);
}

/* Ours begins with a magic, and is nobody else's. */
static bool
is_ours(const struct buf *file)
{
	return str_starts(buf_str(file), DROP_MAGIC);
}

static void
take_local(struct import *in, struct str path)
{
	struct parcel *p = parcel_new(in, path);
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct str made = arena_printf(p->arena, STR_FMT "/maildrop/" STR_FMT "I",
		STR_ARG(postern.conf->p.queue_directory), STR_ARG(p->name));
	int result = import_read_file(in, path, &file, &p->st);

	if (result == 0 && is_ours(&file)) {
		parcel_free(p);
		return;
	}
	if (result == 0 && !(p->st.st_mode & S_IXUSR)) {
		errno = EBADMSG;
		result = -1;
	}
	if (result == 0)
		result = postfix_get(buf_str(&file), p->arena, &p->m, &p->content);
	postfix_queue_enter();
	if (result == 0)
		result = make_drop(p);
	p->error = errno;
	if (result == 0) {
		p->is_in = true;
		import_move(in, &p, 1);
		result = chmod(made.data, 0744); /* finished: pickup may have it */
	}
	postfix_queue_leave();
	if (result == 0)
		in->local++;
	else
		import_release(in, &p, 1);
	parcel_free(p);
}

/* An earlier run ended between the last two steps of take_local(). */
static void
finish_maildrop(struct import *in)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_list(in->queue, "imported/maildrop", in->arena, &files);
	for (size_t i = 0; i < files.paths.n; i++) {
		struct str path = files.paths.items[i];
		struct str made =
			arena_printf(in->arena, STR_FMT "/maildrop/" STR_FMT "I",
				STR_ARG(postern.conf->p.queue_directory),
				STR_ARG(str_from(path, (size_t)str_rchr(path, '/') + 1)));

		if (chmod(made.data, 0744) < 0 && errno != ENOENT)
			log_error("chmod %s: %s", made.data, strerror(errno));
	}
	vec_free(&files.paths);
}

void
import_maildrop(struct import *in)
{
	struct postfix_files files = { { NULL, 0, 0 } };

	postfix_queue_enter();
	finish_maildrop(in);
	postfix_queue_list(in->queue, "maildrop", in->arena, &files);
	postfix_queue_leave();
	for (size_t i = 0; i < files.paths.n; i++)
		take_local(in, files.paths.items[i]);
	vec_free(&files.paths);
}
