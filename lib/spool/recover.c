/* recover.c -- a start: which segments there are, which messages live, and what is wrong.
 * It never refuses: whatever is damaged is told, and everything else is served.
 *
 * New mail waits only for the ends of both streams. Whatever is written, everything that
 * a power cut may have torn must have been found and covered before: later batches say
 * that what lies before them was flushed. */
#include "recover.h"
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_ONCE = 20000 }; /* states settled between two looks at new mail */

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

/* A mark counts when its segment is there and is what it was: not beside segments that
 * somebody put here. */
static void
read_marks(struct recovery *r)
{
	for (size_t i = 0; i < STREAMS; i++) {
		struct mark m;
		const struct segment *g = NULL;

		if (mark_read(r->s, (uint8_t)i, &m))
			g = segment_of_generation(r->s, m.durable.generation);
		if (!g || g->id.salt != m.salt)
			continue;
		r->marks[i] = m;
		r->durable[i] = m.durable;
	}
}

/* ---- the ends of the streams ---- */
static void
survey_now(struct recovery *r, struct segment *g)
{
	struct survey *v = survey_new(r, g);

	survey_run(v);
	survey_merge(v);
}

static struct segment *
newest(const struct spool *s, uint8_t stream)
{
	struct segment *best = NULL;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct segment *g = s->segments.items[i];

		if (g && g->fd >= 0 && g->state == SEGMENT_SEALED &&
			g->stream == stream &&
			(!best || g->id.generation > best->id.generation))
			best = g;
	}
	return best;
}

/* Segments without a first batch: spares, but for damage and power cuts. */
static void
survey_the_empty(struct recovery *r)
{
	for (size_t i = 0; i < r->s->segments.n; i++) {
		struct segment *g = r->s->segments.items[i];

		if (!g || g->fd < 0)
			continue;
		g->state = SEGMENT_SEALED;
		if (!survey_peek(g))
			survey_now(r, g);
	}
}

/* All segments of the stream that reach behind its durable point: the newest ones. */
static void
survey_the_end(struct recovery *r, uint8_t stream)
{
	struct segment *g = newest(r->s, stream);

	while (g) {
		struct segment *next = NULL;

		if (!g->surveyed)
			survey_now(r, g);
		for (size_t i = 0; i < r->s->segments.n; i++) {
			struct segment *c = r->s->segments.items[i];

			if (c && !c->surveyed && c->state == SEGMENT_SEALED &&
				c->stream == stream &&
				c->id.generation >= r->durable[stream].generation)
				next = c;
		}
		g = next;
	}
}

/* ---- what comes next ---- */

/* A torn batch may have left bytes behind the last good one; where another batch follows
 * they would be damage (walk.c). */
static int
clear_block(const struct segment *g)
{
	static const char zeroes[SPOOL_BLOCK];

	return write_at(
		g->fd, str_of(zeroes, round_up(g->end, SPOOL_BLOCK) - g->end), g->end);
}

/* Goes on in the newest segment of each stream. What was written there by a process that
 * died may not have been flushed: flush it before anything builds on it. */
static void
reopen(struct spool *s, struct stream *t)
{
	struct segment *g = newest(s, t->id);

	if (!g || g->end_is_missing || g->end > g->id.size / 8 * 7)
		return;
	if (clear_block(g) < 0 || fdatasync(g->fd) < 0) {
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

/* No segment that the log knows of has a number above. */
static void
find_last_generation(struct recovery *r)
{
	for (size_t i = 0; i < r->manifest.n; i++)
		r->s->generation =
			MAX(r->s->generation, r->manifest.items[i].id.generation);
}

void
recover(struct spool *s)
{
	struct recovery *r = mem_alloc(sizeof(*r));

	s->recovery = r;
	r->s = s;
	r->last_old = UINT64_MAX;
	read_directory(s);
	read_marks(r);
	survey_the_empty(r);
	for (size_t i = 0; i < STREAMS; i++)
		survey_the_end(r, (uint8_t)i);
	damage_find_missing_ends(r);
	damage_salvage(r);
	torn_messages(r);
	find_last_generation(r);
	if (s->read_only)
		return;
	damage_cover_torn(r);
	s->sequence = next_sequence(r);
	s->body = MAX(s->sequence, body_last(s));
	r->last_old = s->sequence;
	for (size_t i = 0; i < STREAMS; i++)
		reopen(s, &s->streams[i]);
	sync_sealed(s);
}

/* ---- the rest, behind the first new mail ---- */
static struct segment *
next_segment(struct recovery *r)
{
	for (; r->next < r->s->segments.n; r->next++) {
		struct segment *g = r->s->segments.items[r->next];

		if (g && g->fd >= 0 && !g->surveyed && !g->is_new)
			return g;
	}
	return NULL;
}

static void
recovery_free(struct spool *s)
{
	struct recovery *r = s->recovery;

	s->recovery = NULL;
	vec_free(&r->states);
	vec_free(&r->effects);
	vec_free(&r->twins);
	vec_free(&r->bad);
	vec_free(&r->spans);
	vec_free(&r->manifest);
	vec_free(&r->late);
	image_free(r->image);
	mem_free(r);
}

/* From now on everything that is known is true. */
static void
recovery_end(struct spool *s)
{
	struct recovery *r = s->recovery;

	settle_late(r);
	damage_missing(r);
	damage_tell(r);
	if (!s->read_only)
		body_remove_orphans(s, r->last_old);
	recovery_free(s);
	for (size_t i = 0; i < s->segments.n; i++)
		if (s->segments.items[i])
			segment_check(s, s->segments.items[i]);
	files_settle(s);
	s->plan_due = true;
}

static void
all_is_surveyed(struct recovery *r)
{
	damage_find_missing_ends(r);
	damage_salvage(r);
	twins_settle(r);
}

void
recovery_run(struct spool *s)
{
	struct recovery *r = s->recovery;
	struct segment *g;

	while ((g = next_segment(r)))
		survey_now(r, g);
	all_is_surveyed(r);
	settle_sort(r);
	(void)settle_some(r, SIZE_MAX);
	recovery_end(s);
}

static void
survey_job(struct job *j)
{
	survey_run((struct survey *)j);
}

static void
surveyed(struct job *j)
{
	struct survey *v = (struct survey *)j;
	struct spool *s = v->r->s;

	v->g->busy--;
	if (s->closing)
		survey_free(v);
	else {
		survey_merge(v);
		recovery_more(s);
	}
}

static struct recovery *
recovery_of(struct job *j)
{
	return (struct recovery *)((char *)j - offsetof(struct recovery, job));
}

static void
sort_job(struct job *j)
{
	settle_sort(recovery_of(j));
}

static void
give_way(struct job *j)
{
	(void)j;
}

static void
more_is_due(struct job *j)
{
	struct spool *s = recovery_of(j)->s;

	if (!s->closing)
		recovery_more(s);
}

static void
survey_start(struct recovery *r, struct segment *g)
{
	struct survey *v = survey_new(r, g);

	v->job = (struct job){ survey_job, surveyed, NULL };
	g->busy++;
	worker_submit(r->s->keeper, &v->job);
}

void
recovery_more(struct spool *s)
{
	struct recovery *r = s->recovery;
	struct segment *g = next_segment(r);

	if (g) {
		survey_start(r, g);
		return;
	}
	if (r->sorted && !settle_some(r, AT_ONCE)) {
		recovery_end(s);
		spool_turn(s);
		if (s->indexed)
			s->indexed(s->indexed_arg);
		return;
	}
	r->job = (struct job){ r->sorted ? give_way : sort_job, more_is_due, NULL };
	if (!r->sorted)
		all_is_surveyed(r);
	r->sorted = true;
	worker_submit(s->keeper, &r->job);
}

void
recovery_abandon(struct spool *s)
{
	if (s->recovery)
		recovery_free(s);
}

/* ---- states of old mail meanwhile ---- */
bool
is_unsettled(const struct spool *s, uint64_t mid)
{
	return s->recovery && mid <= s->recovery->last_old;
}

void
recovery_state(struct spool *s, const struct pending *p, struct place at)
{
	struct recovery *r = s->recovery;

	/* Its first place could not be flushed? */
	for (size_t i = r->late.n; p->where.length && i-- > 0;)
		if (r->late.items[i].sequence == p->sequence) {
			r->late.items[i].where = at;
			return;
		}
	*vec_push(&r->late) = (struct found_state){ .mid = p->mid,
		.sequence = p->sequence,
		.where = at,
		.first = r->effects.n,
		.n = 1 };
	*vec_push(&r->effects) = (struct effect){ p->when_us, p->kind };
}
