/* spool.c -- opening, closing, and what happens at the end of a turn. */
#include "config.h"
#include "engine.h"
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* New mail that was stored lets the log grow as well: spares that are missing are looked
 * at in each turn, or mail would wait for one that nobody makes. */
static bool
plan_is_due(const struct spool *s)
{
	return s->plan_due || (disk_is_pressed(s) && !s->nothing_to_clean) ||
	       (s->n_spares < SPARES && s->n_making == 0);
}

/* States first (somebody may wait to hear that they are written), then what they made
 * superfluous, then the next flush. */
static void
turn_end(void *arg)
{
	struct spool *s = arg;

	states_write(s);
	if (!s->closing && plan_is_due(s)) {
		s->plan_due = false;
		clean_plan(s);
		keeper_plan(s);
		if (s->pending_written < s->pending.n && clean_is_hopeless(s))
			spool_turn(s); /* to say so */
	}
	for (size_t i = 0; i < ENGINES; i++)
		engines[i]->kick(s);
}

void
spool_turn(struct spool *s)
{
	event_at_turn_end(&s->turn);
}

/* ---- opening ---- */
bool
spool_is_to_break_order(void)
{
#ifdef CAPTURED
	const char *broken = getenv("POSTERN_SPOOL_BROKEN");

	return broken && strcmp(broken, "order") == 0;
#else
	return false;
#endif
}

static int
open_directory(int at, const char *name, bool make)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !make)
		return fd;
	if (mkdirat(at, name, 0700) < 0)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
lock_log(struct spool *s, struct why *why)
{
	s->lock = openat(s->dir, "lock",
		s->read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0 && s->read_only && errno == ENOENT)
		return 0; /* nobody ever wrote here */
	if (s->lock < 0) {
		why_errno(why, "4.3.0", "log/lock");
		return -1;
	}
	if (flock(s->lock, (s->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	why_set(why, "4.3.0", "the log in %s is in use by %s; stop the mail system first",
		s->o.directory,
		s->read_only ? "the running spool service" : "another process");
	return -1;
}

static int
open_places(struct spool *s, struct why *why)
{
	struct statfs f;

	s->dir = open(s->o.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		why_set(why, "4.3.0", "log directory %s: %s; \"postern start\" makes it",
			s->o.directory, strerror(errno));
		return -1;
	}
	if (fstatfs(s->dir, &f) == 0 && f.f_type == NFS_SUPER_MAGIC) {
		why_set(why, "4.3.0",
			"%s is on NFS, which does not keep what fdatasync() "
			"promises; queue_directory must be on a local disk",
			s->o.directory);
		return -1;
	}
	s->bodies = open_directory(s->dir, "body", !s->read_only);
	if (s->bodies < 0 && !s->read_only) {
		why_errno(why, "4.3.0", "log/body");
		return -1;
	}
	if (!s->read_only)
		s->corrupt = open_directory(s->dir, "../corrupt", true);
	if (s->corrupt < 0 && !s->read_only)
		log_warn("spool: corrupt/: %s; damaged bytes will not be kept there",
			strerror(errno));
	return lock_log(s, why);
}

struct spool *
spool_make(const struct spool_options *o, bool read_only, struct why *why)
{
	struct spool *s = mem_alloc(sizeof(*s));

	s->o = *o;
	s->read_only = read_only;
	s->dir = s->bodies = s->corrupt = s->lock = -1;
	s->turn = (struct event_later){ .fn = turn_end, .arg = s };
	for (size_t i = 0; i < STREAMS; i++)
		s->streams[i].id = (uint8_t)i;
	if (open_places(s, why) < 0) {
		spool_unmake(s);
		return NULL;
	}
	if (files_open(s, why) < 0) {
		spool_unmake(s);
		return NULL;
	}
	recover(s);
	if (read_only)
		files_index(s);
	return s;
}

void
spool_unmake(struct spool *s)
{
	for (size_t i = 0; i < s->segments.n; i++)
		if (s->segments.items[i])
			segment_forget(s, s->segments.items[i]);
	vec_free(&s->segments);
	recovery_abandon(s);
	files_free(s);
	index_free(&s->index);
	vec_free(&s->pending);
	vec_free(&s->updates);
	vec_free(&s->barriers);
	vec_free(&s->crowded);
	vec_free(&s->dead_bodies);
	buf_free(&s->pending_bytes);
	buf_free(&s->exported);
	build_free(&s->scratch);
	fd_close(&s->lock);
	fd_close(&s->corrupt);
	fd_close(&s->bodies);
	fd_close(&s->dir);
	mem_free(s);
}

struct spool *
spool_open(const struct spool_options *o, struct why *why)
{
	struct spool *s;

	ensure(o->segment_size >= SEGMENT_LEAST && o->segment_size <= SEGMENT_MOST &&
		o->segment_size % SPOOL_BLOCK == 0);
	s = spool_make(o, false, why);
	if (!s)
		return NULL;
	s->flusher = worker_start();
	s->keeper = worker_start();
	files_index(s); /* ends before the log's, which removes bodies of no message */
	recovery_more(s);
	s->plan_due = true;
	spool_turn(s);
	return s;
}

void
spool_index(struct spool *s)
{
	while (s->recovery)
		(void)worker_collect(s->keeper, true);
}

bool
spool_is_indexed(const struct spool *s)
{
	return !s->recovery;
}

void
spool_on_indexed(struct spool *s, void (*fn)(void *arg), void *arg)
{
	s->indexed = fn;
	s->indexed_arg = arg;
}

void
spool_space(const struct spool *s, struct spool_space_reply *out)
{
	*out = (struct spool_space_reply){
		.messages = spool_count(s),
		.full = spool_full(s),
		.indexing = s->recovery != NULL,
	};
	for (size_t i = 0; i < ENGINES; i++)
		engines[i]->space(s, out);
}

/* ---- closing ---- */

static void
close_mark(const struct spool *s, const struct stream *t)
{
	struct mark m = stream_mark(s, t);

	mark_write(s, t->id, &m);
	mark_sync(s);
}

/* Everything is flushed: a last batch says so, and which segments there are. After it
 * nothing in the stream can be taken for torn. */
static void
close_stream(struct spool *s, struct stream *t)
{
	struct build b = { 0 };
	uint32_t offset;

	if (!t->seg)
		return;
	t->durable = (struct log_point){ t->seg->id.generation, t->off };
	manifest_build(s, &b);
	if (stream_has_room(t, build_size(&b)) &&
		(stream_write(s, t, &b, true, &offset) < 0 || fdatasync(t->seg->fd) < 0))
		log_warn("spool: cannot write the end of the log: %s", strerror(errno));
	else
		close_mark(s, t);
	build_free(&b);
}

/* Outside of the loop: turns of our own until nothing is left to do. */
static bool
is_busy(const struct spool *s)
{
	bool busy = s->updates.n > 0;

	for (size_t i = 0; i < ENGINES; i++)
		busy |= !engines[i]->is_idle(s);
	return busy;
}

bool
spool_collect(struct spool *s, bool wait_for_keeper)
{
	bool got = false;

	for (size_t i = 0; i < ENGINES; i++)
		got |= engines[i]->collect(s);
	return worker_collect(s->keeper, wait_for_keeper && !got) || got;
}

void
spool_close(struct spool *s)
{
	bool busy = true;

	s->closing = true;
	while (busy || is_busy(s)) {
		for (size_t i = 0; i < ENGINES; i++)
			engines[i]->demand(s);
		turn_end(s);
		busy = spool_collect(s, true);
	}
	timer_cancel(&s->retry_timer);
	for (size_t i = 0; i < STREAMS; i++)
		close_stream(s, &s->streams[i]);
	event_later_cancel(&s->turn);
	clean_abandon(s);
	for (size_t i = 0; i < ENGINES; i++)
		engines[i]->stop(s);
	worker_stop(s->keeper);
	spool_unmake(s);
}

void
spool_on_moved(
	struct spool *s, void (*fn)(const struct spool_entry *e, void *arg), void *arg)
{
	s->moved = fn;
	s->moved_arg = arg;
}

void
spool_change(struct spool *s, const struct spool_options *o)
{
	struct why why;

	s->o.reserve = o->reserve;
	s->o.state_flush = o->state_flush;
	s->o.slack = o->slack;
	s->o.files = o->files;
	if (files_open(s, &why) < 0) {
		log_error("spool: %s; new mail goes into the log", why.text);
		s->o.files = false;
	}
	s->space_at = 0;
	s->starved = false; /* until the next try */
	timer_cancel(&s->retry_timer);
	s->plan_due = true;
	spool_turn(s);
}

/* ---- with the system down ---- */
int
spool_scan(const char *directory, bool (*fn)(const struct spool_entry *e, void *arg),
	void *arg, struct why *why)
{
	struct spool_options o = { .directory = directory,
		.segment_size = SEGMENT_LEAST };
	struct spool *s = spool_make(&o, true, why);
	bool damaged;

	if (!s)
		return -1;
	recovery_run(s);
	(void)spool_each(s, fn, arg);
	damaged = s->damaged;
	spool_unmake(s);
	return damaged;
}
