/* files_state.c -- what happened to messages that are files: written in the turn in which
 * it comes, kept in memory until it is flushed (files_flush.c). */
#include "files.h"
#include <errno.h>
#include <fcntl.h>

/* May this be a message of which the start does not know yet? */
static bool
is_unknown(const struct files *f, uint64_t mid)
{
	return f->indexing && mid <= f->old;
}

void
files_update(struct spool *s, const struct spool_state *state)
{
	struct files *f = s->files;
	struct entry *e = index_get(&f->index, state->mid);
	struct buf bytes = BUF_INIT;

	if ((!e || (e->flags & ENTRY_ENDING)) && !is_unknown(f, state->mid))
		return;
	if (e && state->kind == SPOOL_FINISHED)
		e->flags |= ENTRY_ENDING;
	spool_state_put(&bytes, state);
	*vec_push(&f->pending) = (struct file_pending){ .mid = state->mid,
		.when_us = state->when_us,
		.kind = state->kind,
		.state = buf_str(&bytes) };
	f->unwritten++;
	spool_turn(s);
}

static int
write_record(struct files *f, uint64_t mid, struct str bytes, octets_t at)
{
	char path[FILE_PATH];
	int fd CLEANUP(fd_close) = -1;

	file_path(path, mid, "");
	fd = openat(f->dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	while (write_at(fd, bytes, at) < 0)
		if (errno != ENOSPC || reserve_use(f->dir) < 0)
			return -1;
	return 0;
}

void
file_write_anew(struct files *f, struct entry *e)
{
	if (e->copying)
		return;
	e->copying = true;
	*vec_push(&f->rewrite) = e->mid;
	f->flush_due = true;
}

static void
state_counts(struct files *f, struct file_pending *p, struct entry *e)
{
	p->is_written = true;
	f->unwritten--;
	if (p->kind == SPOOL_FINISHED) {
		file_ended(f, e);
		return;
	}
	entry_apply(e, p->kind, p->when_us);
}

/* 0, or the errno with which it was given up. */
static int
write_state(struct files *f, struct file_pending *p, struct entry *e)
{
	struct file_places at = places_of(e);
	octets_t place = file_state_place(at.end, p->state.len);
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	file_state_put(&bytes, p->mid, place, at.durable, at.records, p->state);
	if (write_record(f, p->mid, buf_str(&bytes), place) < 0) {
		int error = errno;

		if (error == ENOENT)
			log_error(
				"spool: %s: its file was removed by somebody else; it is "
				"no longer in the queue",
				e->queue_id);
		if (error == ENOENT || p->kind == SPOOL_FINISHED) {
			/* Nothing to be said to a file that goes. */
			p->kind = SPOOL_FINISHED;
			state_counts(f, p, e);
			return 0;
		}
		if (error != ENOSPC)
			file_write_anew(f, e); /* and there the state is written */
		return error == ENOSPC ? error : 0;
	}
	at.end = p->end = place + bytes.len;
	at.size = MAX(at.size, at.end);
	at.records++;
	f->written += bytes.len;
	file_changed(f, e, &at);
	state_counts(f, p, e);
	return 0;
}

void
files_forget(struct files *f, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < f->pending.n; i++) {
		struct file_pending p = f->pending.items[i];

		if (p.kind)
			f->pending.items[to++] = p;
		else
			mem_free((char *)p.state.data);
	}
	f->pending.n = to;
}

/* Nobody was told of those that could not be written. */
static void
give_up_unwritten(struct files *f)
{
	for (size_t i = 0; i < f->pending.n; i++) {
		struct file_pending *p = &f->pending.items[i];
		struct entry *e = index_get(&f->index, p->mid);

		if (p->is_written)
			continue;
		if (e)
			e->flags &= (uint8_t)~ENTRY_ENDING;
		p->kind = 0;
		f->unwritten--;
	}
	files_forget(f, 0);
}

int
files_write(struct spool *s)
{
	struct files *f = s->files;
	int error = f->refused;

	if (f->unwritten == 0 && !error)
		return 0;
	for (size_t i = 0; i < f->pending.n && !error; i++) {
		struct file_pending *p = &f->pending.items[i];
		struct entry *e = index_get(&f->index, p->mid);

		if (p->is_written || (e && e->copying) || is_unknown(f, p->mid))
			continue;
		if (e)
			error = write_state(f, p, e);
		else {
			p->is_written = true; /* it ended */
			f->unwritten--;
		}
	}
	f->refused = 0;
	if (error) {
		log_error("spool: %zu state records cannot be written: %s", f->unwritten,
			strerror(error));
		give_up_unwritten(f);
	}
	files_flush_soon(s, s->o.state_flush);
	return error ? error : f->unwritten ? -1 : 0;
}
