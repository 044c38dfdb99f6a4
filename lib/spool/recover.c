/* recover.c -- a start: which segments there are, which messages live, and what is wrong.
 * It never refuses: whatever is damaged is told, and everything else is served. */
#include "recover.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the files ---- */
struct slot_file {
	struct segment_id id;
	uint32_t slot; /* by its name */
	int fd;
	bool mend;
};

static bool
slot_of_name(const char *name, uint32_t *slot)
{
	char again[24];
	char *end;

	*slot = (uint32_t)strtoul(name, &end, 16);
	segment_name(again, *slot);
	return strcmp(again, name) == 0;
}

/* A file that we cannot or will not use is left as it is, and its name stays taken. */
static void
leave_alone(struct spool *s, uint32_t slot)
{
	struct segment_id none = { .slot = slot };
	struct segment *g = segment_add(s, -1, &none);

	g->state = SEGMENT_RETIRED;
	g->stuck = true;
}

/* False: not a segment that we know how to read. */
static bool
open_slot(struct spool *s, const char *name, struct slot_file *f)
{
	int flags = (s->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;
	struct stat st;

	if (!slot_of_name(name, &f->slot) || f->slot > 0xffffff)
		return false;
	f->fd = openat(s->dir, name, flags);
	if (f->fd < 0 || fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		segment_read_id(f->fd, (octets_t)st.st_size, &f->id, &f->mend) < 0) {
		log_error("spool: log/%s is no segment that this version can read%s%s; "
			  "it is "
			  "left as it is, and any mail in it is not served",
			name, f->fd < 0 ? ": " : "", f->fd < 0 ? strerror(errno) : "");
		s->damaged = true;
		fd_close(&f->fd);
		leave_alone(s, f->slot);
		return false;
	}
	return true;
}

static int
by_generation(const void *a, const void *b)
{
	const struct slot_file *x = a, *y = b;

	if (x->id.generation != y->id.generation)
		return x->id.generation < y->id.generation ? -1 : 1;
	/* Of two copies the one whose name is right comes first. */
	return (y->id.slot == y->slot) - (x->id.slot == x->slot);
}

/* Both headers say the same again: else, should the first be damaged later, the second
 * would bring back what the segment held before. */
static void
mend(struct spool *s, struct slot_file *f)
{
	if (f->mend && !s->read_only && segment_renumber(f->fd, &f->id) < 0)
		log_warn("spool: cannot mend the headers of log/%08x.seg: %s", f->slot,
			strerror(errno));
}

static void
add_slots(struct spool *s, struct slot_file *files, size_t n)
{
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		struct slot_file *f = &files[i];

		if (f->id.generation == last) {
			log_error("spool: log/%08x.seg is a copy of segment %u, which is "
				  "there; "
				  "the copy is ignored: move it away",
				f->slot, last);
			fd_close(&f->fd);
			leave_alone(s, f->slot);
			continue;
		}
		last = f->id.generation;
		f->id.slot = f->slot;
		mend(s, f);
		segment_add(s, f->fd, &f->id);
		s->generation = MAX(s->generation, f->id.generation);
	}
}

static void
read_directory(struct spool *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	VEC(struct slot_file) files = { 0 };
	struct dirent *item;

	if (!d)
		log_fatal("spool: cannot read the log directory: %s", strerror(errno));
	while ((item = readdir(d))) {
		struct slot_file f = { 0 };
		size_t len = strlen(item->d_name);

		if (len == 12 && strcmp(item->d_name + 8, ".seg") == 0 &&
			open_slot(s, item->d_name, &f))
			*vec_push(&files) = f;
	}
	closedir(d);
	if (files.n)
		qsort(files.items, files.n, sizeof(*files.items), by_generation);
	add_slots(s, files.items, files.n);
	vec_free(&files);
}

/* ---- the states ---- */
static int
by_sequence(const void *a, const void *b)
{
	const struct found_state *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void
forget_effects(struct entry *e)
{
	e->wake_us = 0;
	e->flags &= (uint8_t) ~(ENTRY_HOLD | ENTRY_EXPIRE);
	if (e->flags & ENTRY_HELD_AT_FIRST)
		e->flags |= ENTRY_HOLD;
}

static bool
is_end(const struct recovery *r, const struct found_state *f)
{
	return f->n == 1 && r->effects.items[f->first].kind == SPOOL_FINISHED;
}

static void
apply_state(struct recovery *r, const struct found_state *f)
{
	struct spool *s = r->s;
	struct entry *e = index_get(&s->index, f->mid);

	if (!e)
		return; /* of a message that is gone from the disk */
	if (e->flags & ENTRY_FINISHED) {
		struct tomb *t = (struct tomb *)e;

		if (is_end(r, f))
			account_end_moved(s, t, f->where);
		return;
	}
	if (f->snapshot) {
		account_states_replaced(s, e, e->n_states, NULL);
		forget_effects(e);
	}
	for (size_t i = 0; i < f->n; i++) {
		const struct effect *effect = &r->effects.items[f->first + i];

		if (effect->kind == SPOOL_FINISHED) {
			account_finish(s, e, f->where);
			return;
		}
		entry_apply(e, effect->kind, effect->when_us);
	}
	account_state(s, e, f->where);
}

static void
apply_states(struct recovery *r)
{
	uint64_t last = 0;

	if (r->states.n)
		qsort(r->states.items, r->states.n, sizeof(*r->states.items),
			by_sequence);
	for (size_t i = 0; i < r->states.n; i++) {
		const struct found_state *f = &r->states.items[i];

		/* One that was written twice, because its first place failed or was
		 * cleaned, counts once; the end of a message counts in either place. */
		if (f->sequence != last || is_end(r, f))
			apply_state(r, f);
		last = f->sequence;
	}
}

/* ---- what comes next ---- */

/* Goes on in the newest segment of each stream. What was written there by a process that
 * died may not have been flushed: flush it before anything builds on it. */
static void
reopen(struct spool *s, struct stream *t)
{
	struct segment *g = NULL;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *c = s->segments.items[i];

		if (c && c->state == SEGMENT_SEALED && c->stream == t->id &&
			(!g || c->id.generation > g->id.generation))
			g = c;
	}
	if (!g || g->end > g->id.size / 8 * 7)
		return;
	if (fdatasync(g->fd) < 0) {
		segment_retire(s, g, errno);
		return;
	}
	g->state = SEGMENT_OPEN;
	t->seg = g;
	t->off = g->end;
	g->end = 0;
	t->durable = (struct log_point){ g->id.generation, t->off };
}

/* The others were sealed, perhaps without a last flush of their states. */
static void
sync_sealed(struct spool *s)
{
	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->state == SEGMENT_SEALED && fdatasync(g->fd) < 0)
			segment_retire(s, g, errno);
	}
}

/* Never one that was given out before. Records with the last ones may have been lost or
 * recycled: so far beyond what is found, and beyond what any segment that ever got a
 * number can hold, since each holds less than 2^32 records. */
static uint64_t
next_sequence(const struct recovery *r)
{
	return MAX((uint64_t)(r->s->generation + 1) << 32, r->last_sequence + (1 << 20));
}

void
recover(struct spool *s)
{
	struct recovery r = { .s = s, .writes = !s->read_only, .arena = arena_new() };
	bool read_only = s->read_only;

	read_directory(s);
	s->read_only = true; /* nothing is freed while the accounts are incomplete */
	for (size_t i = 0; i < s->segments.n; i++)
		if (s->segments.items[i] && s->segments.items[i]->fd >= 0)
			survey_segment(&r, s->segments.items[i]);
	torn_messages(&r);
	apply_states(&r);
	s->read_only = read_only;
	damage_missing(&r);
	damage_judge(&r);
	s->sequence = next_sequence(&r);
	s->body = s->sequence;
	arena_free(r.arena);
	mem_free(r.image);
	vec_free(&r.states);
	vec_free(&r.effects);
	vec_free(&r.twins);
	vec_free(&r.bad);
	vec_free(&r.manifest);
	if (read_only)
		return;
	for (size_t i = 0; i < STREAMS; i++)
		reopen(s, &s->streams[i]);
	sync_sealed(s);
	body_remove_orphans(s);
}
