/* files.c -- the files engine: what there is. New mail is in files_put.c, what happened
 * to messages in files_state.c, flushes in files_flush.c; all in the loop's thread, but
 * for files_disk.c.
 *
 * The rules are the log's. A message counts when its file and its name are synced. A
 * state is written in the turn in which it comes and flushed within o.state_flush; it is
 * kept in memory until then. When a flush or a write fails, the whole file is written
 * anew elsewhere, from what was flushed before and what is in memory, until that works.
 * The end of a message is a state like another; the file is removed behind it. */
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PACK_FROM = 64 << 10 }; /* states of one message that are packed */

/* ---- an entry's places ---- */
struct file_places
places_of(const struct entry *e)
{
	return (struct file_places){
		.begin = (octets_t)e->where.offset * FILE_ALIGN,
		.end = (octets_t)e->states.one.offset * FILE_ALIGN,
		.durable = (octets_t)e->states.one.length * FILE_ALIGN,
		.size = (octets_t)e->states.one.slot * FILE_ALIGN,
		.records = e->where.slot,
	};
}

void
set_places(struct entry *e, const struct file_places *p)
{
	e->where.slot = p->records;
	e->where.offset = (uint32_t)(p->begin / FILE_ALIGN);
	e->states.one.offset = (uint32_t)(p->end / FILE_ALIGN);
	e->states.one.length = (uint32_t)(p->durable / FILE_ALIGN);
	e->states.one.slot = (uint32_t)(p->size / FILE_ALIGN);
	e->n_states = p->end > p->begin;
}

void
set_pack_at(struct entry *e)
{
	struct file_places p = places_of(e);

	e->where.length =
		(uint32_t)(MAX((octets_t)PACK_FROM, 2 * (p.end - p.begin)) / FILE_ALIGN);
}

bool
file_export(const struct spool *s, const struct entry *e, struct spool_entry *out,
	struct buf *states)
{
	struct file_places p = places_of(e);
	struct spool_where all = { FILE_SEGMENT, (uint32_t)(p.begin / FILE_ALIGN),
		(uint32_t)((p.end - p.begin) / FILE_ALIGN) };

	(void)s;
	if (e->flags & ENTRY_ENDING)
		return false;
	buf_clear(states);
	buf_add(states, str_of(&all, sizeof(all)));
	*out = (struct spool_entry){
		.mid = e->mid,
		.where = { FILE_SEGMENT, 0, FILE_HEAD },
		.size = e->size,
		.arrival_us = e->arrival_us,
		.wake_us = e->wake_us,
		.hold = e->flags & ENTRY_HOLD,
		.expire = e->flags & ENTRY_EXPIRE,
		.states = (const struct spool_where *)states->data,
		.n_states = e->n_states,
	};
	memcpy(out->queue_id, e->queue_id, strlen(e->queue_id) + 1);
	return true;
}

/* ---- in the index, and what it takes ---- */
static octets_t
disk_of(const struct entry *e)
{
	return places_of(e).size + (e->body ? e->size : 0);
}

void
file_add(struct files *f, struct entry *e)
{
	index_put(&f->index, e);
	f->live += e->size;
	f->disk += disk_of(e);
}

void
file_changed(struct files *f, struct entry *e, const struct file_places *p)
{
	f->disk -= disk_of(e);
	set_places(e, p);
	f->disk += disk_of(e);
}

void
file_ended(struct files *f, struct entry *e)
{
	*vec_push(&f->ended) = e->mid;
	if (e->body)
		*vec_push(&f->ended_bodies) = e->body;
	f->live -= e->size;
	f->disk -= disk_of(e);
	index_remove(&f->index, e->mid);
}

/* ---- opening ---- */
static int
make_directories(struct files *f)
{
	char name[4];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "%02x", i);
		if (mkdirat(f->dir, name, 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return fsync(f->dir) < 0 || fsync(f->s->dir) < 0 ? -1 : 0;
}

/* Also removes what was being written when the process or the power went. */
static void
note_last(struct spool *s, const char *path, uint64_t mid, void *arg)
{
	(void)arg;
	s->files->last = MAX(s->files->last, mid);
	if (!mid && strcmp(path + strlen(path) - 4, ".tmp") == 0)
		unlinkat(s->files->dir, path, 0);
}

static int
open_writer(struct spool *s)
{
	struct files *f = s->files;

	if (f->dir < 0 && errno == ENOENT && s->o.files &&
		(mkdirat(s->dir, FILES_DIRECTORY, 0700) == 0 || errno == EEXIST))
		f->dir = openat(
			s->dir, FILES_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0)
		return errno == ENOENT && !s->o.files ? 0 : -1;
	if (make_directories(f) < 0)
		return -1;
	if (reserve_make(f->dir) < 0)
		log_warn("spool: %s/reserve: %s; states may find no room when the disk "
			 "is full",
			FILES_DIRECTORY, strerror(errno));
	/* Unique also after a clock that ran ahead. */
	f->last = FILE_MID;
	files_names(s, note_last, NULL);
	f->old = f->last;
	return 0;
}

int
files_open(struct spool *s, struct why *why)
{
	struct files *f = s->files;

	if (f && f->dir >= 0)
		return 0;
	if (!f) {
		f = s->files = mem_alloc(sizeof(*f));
		f->s = s;
	}
	f->dir = openat(s->dir, FILES_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->read_only ? f->dir < 0 && errno != ENOENT : open_writer(s) < 0) {
		why_errno(why, "4.3.0", "log/" FILES_DIRECTORY);
		return -1;
	}
	return 0;
}

void
files_free(struct spool *s)
{
	struct files *f = s->files;

	if (!f)
		return;
	for (size_t i = 0; i < f->pending.n; i++)
		mem_free((char *)f->pending.items[i].state.data);
	index_free(&f->index);
	vec_free(&f->gather);
	vec_free(&f->barriers);
	vec_free(&f->pending);
	vec_free(&f->ended);
	vec_free(&f->ended_bodies);
	vec_free(&f->rewrite);
	fd_close(&f->dir);
	mem_free(f);
	s->files = NULL;
}

/* ---- what there is ---- */
struct indexing {
	struct job job;
	struct spool *s;
	VEC(struct file_found) found;
};

static void
look_at(struct spool *s, const char *path, uint64_t mid, void *arg)
{
	struct indexing *k = arg;
	struct file_found found;

	(void)path;
	/* New mail is known already. */
	if (!mid || (mid > s->files->old && !s->read_only))
		return;
	file_look(s, mid, &found);
	if (found.e)
		*vec_push(&k->found) = found;
}

static void
index_run(struct job *j)
{
	struct indexing *k = (struct indexing *)j;

	files_names(k->s, look_at, k);
}

static void
take_found(struct spool *s, struct file_found *found)
{
	struct files *f = s->files;
	struct entry *e = found->e;
	struct spool_state hold = { .mid = e->mid, .kind = SPOOL_HOLD };

	set_places(e, &found->places);
	set_pack_at(e);
	if (found->finished && s->read_only) {
		entry_free(e); /* not there any more, and it ends no other one */
		return;
	}
	file_add(f, e);
	if (found->finished) {
		file_ended(f, e);
		return;
	}
	if (found->hold)
		e->flags |= ENTRY_HOLD;
	if (s->read_only)
		return;
	if (found->again) {
		e->copying = true;
		*vec_push(&f->rewrite) = e->mid;
	}
	if (found->hold)
		files_update(s, &hold);
}

static void
index_done(struct job *j)
{
	struct indexing *k = (struct indexing *)j;
	struct spool *s = k->s;

	s->files->indexing = false;
	for (size_t i = 0; i < k->found.n; i++)
		if (s->closing)
			entry_free(k->found.items[i].e);
		else
			take_found(s, &k->found.items[i]);
	vec_free(&k->found);
	mem_free(k);
	if (!s->closing && !s->read_only) {
		s->files->flush_due = true;
		spool_turn(s);
	}
}

void
files_index(struct spool *s)
{
	struct indexing *k;

	if (s->files->dir < 0)
		return;
	k = mem_alloc(sizeof(*k));
	k->job = (struct job){ index_run, index_done, NULL };
	k->s = s;
	s->files->indexing = true;
	if (s->read_only) {
		index_run(&k->job);
		index_done(&k->job);
	} else
		worker_submit(s->keeper, &k->job);
}

/* ---- both engines ---- */
void
files_settle(struct spool *s)
{
	struct files *f = s->files;
	struct map *ids;
	VEC(uint64_t) twice = { 0 };

	if (f->index.live == 0)
		return;
	ids = map_new();
	for (size_t i = 0; i < f->index.room; i++)
		if (f->index.table[i])
			map_set(ids, str_c(f->index.table[i]->queue_id),
				f->index.table[i]);
	for (size_t i = 0; i < s->index.room; i++) {
		struct entry *e = s->index.table[i];
		const struct entry *same;

		if (!e || (e->flags & (ENTRY_FINISHED | ENTRY_ENDING)))
			continue;
		same = map_get(ids, str_c(e->queue_id));
		if (!same || same->arrival_us != e->arrival_us)
			continue;
		if (s->read_only)
			e->flags |= ENTRY_ENDING;
		else
			*vec_push(&twice) = e->mid;
	}
	map_free(ids);
	for (size_t i = 0; i < twice.n; i++) {
		struct spool_state end = { .mid = twice.items[i],
			.kind = SPOOL_FINISHED };

		spool_update(s, &end, 1, NULL, NULL);
	}
	vec_free(&twice);
}

/* ---- the engine ---- */
static bool
has_unwritten(const struct spool *s)
{
	return s->files->unwritten > 0 || s->files->refused;
}

static void
demand(struct spool *s)
{
	s->files->flush_due |= !files_idle(s);
}

static bool
collect(struct spool *s)
{
	return s->files->worker &&
	       worker_collect(s->files->worker, s->files->job != NULL);
}

static void
stop(struct spool *s)
{
	timer_cancel(&s->files->timer);
	if (s->files->worker)
		worker_stop(s->files->worker);
}

static const struct index *
index_of(const struct spool *s)
{
	return &s->files->index;
}

static void
space(const struct spool *s, struct spool_space_reply *sum)
{
	const struct files *f = s->files;
	octets_t disk = f->disk + (f->dir < 0 ? 0 : reserve_size(f->dir));

	sum->live += f->live;
	sum->disk += disk;
	sum->limit += disk; /* there is nothing to clean */
	sum->written += f->written;
	sum->moved += f->moved;
}

const struct engine files_engine = {
	.name = "files",
	.put = files_put,
	.update = files_update,
	.write = files_write,
	.has_unwritten = has_unwritten,
	.kick = files_kick,
	.demand = demand,
	.is_idle = files_idle,
	.when_flushed = files_barrier,
	.collect = collect,
	.stop = stop,
	.index = index_of,
	.space = space,
	.export = file_export,
};
