/* private.h -- what the files of the writer share.
 *
 * Threads. Everything here belongs to the loop's thread, except what a job holds while it
 * is queued or running. Two workers: the flusher writes and syncs batches of new mail,
 * the keeper makes spare segments, frees dead ones, copies what stays and removes body
 * files. */
#ifndef SPOOL_PRIVATE_H
#define SPOOL_PRIVATE_H

#include "spool.h"
#include "event.h"
#include "format.h"
#include "log.h"

/* ---- worker threads (worker.c): jobs run in order, and end in the loop ---- */
struct job {
	void (*run)(struct job *j);  /* in the thread */
	void (*done)(struct job *j); /* in the loop; owns and frees the job */
	struct job *next;
};
struct worker;
struct worker *worker_start(void);
void worker_submit(struct worker *w, struct job *j);
/* Runs what ended; waits for something to end if `wait`. False when nothing is left. */
bool worker_collect(struct worker *w, bool wait);
bool worker_is_idle(const struct worker *w);
void worker_stop(struct worker *w); /* nothing may be queued any more */

/* Removes the first k items. */
#define vec_drop(v, k) \
	do { \
		if ((k) > 0) { \
			(v)->n -= (k); \
			memmove((v)->items, (v)->items + (k), \
				(v)->n * sizeof(*(v)->items)); \
		} \
	} while (0)

/* ---- the index (index.c): what the log holds, by mid ---- */
struct place {
	uint32_t slot, offset, length;
};
/* A live message, or (ENTRY_FINISHED) the short form below. */
enum {
	ENTRY_FINISHED = 1,
	ENTRY_HOLD = 2,
	ENTRY_EXPIRE = 4,
	ENTRY_MOVED = 8,   /* older copies may still be on disk */
	ENTRY_ENDING = 16, /* its end is about to be written */
	ENTRY_HELD_AT_FIRST = 32,
	ENTRY_CROWDED = 64, /* waits for a snapshot of its states */
};
struct entry {
	uint64_t mid;
	uint8_t flags;
	bool copying; /* its states are in a running copy */
	uint32_t n_states;
	uint32_t recipients;
	struct place where;
	octets_t size;
	uint64_t arrival_us, wake_us, body;
	union {
		struct place one;   /* n_states == 1 */
		struct place *many; /* n_states > 1, room for the next power of two */
	} states;
	char queue_id[]; /* NUL-terminated */
};
/* A message that ended while records of it are still on disk: should the record of its
 * end be lost before they are, it would be delivered again. */
struct tomb {
	uint64_t mid;
	uint8_t flags;
	uint32_t copies;    /* records of the message that are still on disk; a crash in
				the middle of a copy leaves two even in one segment */
	uint32_t own;       /* those counted in `own` of the segment of its end */
	struct place where; /* the record of its end */
};
struct index {
	struct entry **table;
	size_t room, used;
	size_t live;
};
void index_free(struct index *x);
struct entry *index_get(const struct index *x, uint64_t mid);
void index_put(struct index *x, struct entry *e); /* replaces one of the same mid */
void index_remove(struct index *x, uint64_t mid);
struct entry *entry_new(const char *queue_id);
void entry_free(struct entry *e);
const struct place *entry_states(const struct entry *e);
void entry_push_state(struct entry *e, struct place at);
/* Replaces the first n by *at, or just drops them. */
void entry_replace_states(struct entry *e, size_t n, const struct place *at);
void entry_apply(struct entry *e, uint8_t kind, uint64_t when_us);

/* ---- segments (segment.c) ---- */
struct segment {
	int fd;
	struct segment_id id;
	enum segment_state state;
	uint8_t stream;
	uint32_t end;      /* when sealed */
	bool dirty;        /* has bytes that no flush covered yet */
	bool from_reserve; /* new mail may not use it while spares are few */
	bool stuck;        /* cannot be cleaned: something in it is damaged */
	bool surveyed, end_is_missing, is_new; /* at start: see recover.h */
	unsigned busy;                         /* jobs that write or copy it */
	/* What keeps it from being recycled: */
	uint32_t messages;   /* live ones whose record is here */
	uint32_t states;     /* records here of live messages */
	uint32_t needs, own; /* copies of finished messages whose end is told here;
				those of them known to be here too */
	octets_t live;       /* bytes of the first two */
	VEC(uint64_t)
	finished, ghosts; /* records here of messages that ended; that moved */
};
enum {
	RESERVE = 2, /* spares kept for states and the cleaner */
	SPARES = 4,  /* of which new mail may have the others */
};

/* ---- batches being built (build.c) ---- */
struct build {
	struct buf bytes; /* begins with room for the header */
	VEC(struct built {
		uint32_t at;
		struct record r;
	})
	records;
};
void build_free(struct build *b);
void build_clear(struct build *b);
/* Makes room for a record (its length and head are in r) and returns its place in bytes,
 * good until the next call; everything behind RECORD_HEADER is to be filled in. */
char *build_record(struct build *b, const struct record *r);
/* How much of a segment it takes. */
static inline uint32_t
build_size(const struct build *b)
{
	return round_up((uint32_t)b->bytes.len, SPOOL_BLOCK);
}
/* Completes the header, the records and the padding for a place; returns the bytes. */
struct str build_finish(struct build *b, const struct segment_id *id, uint8_t stream,
	uint32_t offset, struct log_point durable);
void build_states(struct build *b, uint64_t mid, uint64_t sequence, uint8_t type,
	const struct str *items, size_t n);

/* ---- streams (stream.c): where batches go ---- */
struct stream {
	uint8_t id;
	struct segment *seg; /* open; NULL at first and after a failure */
	uint32_t off;        /* where the next batch goes */
	bool may_pack;       /* nothing of the last block is being flushed yet */
	struct log_point durable;
};

/* A state record on its way: gathered, then written, then flushed. */
struct pending {
	uint64_t mid, sequence;
	uint64_t when_us;
	uint64_t at; /* in pending_bytes, counted from the first one ever */
	uint32_t length;
	uint8_t kind;
	struct place where; /* length 0: not written yet */
};
struct callback {
	void (*fn)(void *arg, int error);
	void *arg;
};
struct barrier {
	void (*fn)(struct spool *s, void *arg);
	void *arg;
	uint64_t flush; /* the one that must have ended */
};
/* Syncs of the directory of bodies, numbered from 1: at most one runs, while begun >
 * ended. */
struct directory_sync {
	uint64_t begun, ended, failed; /* failed: the last that did, with error */
	int error;
};
struct put_batch;
struct flush_job;
struct cleaning;
struct recovery;
struct files;

struct spool {
	struct spool_options o;
	int dir, bodies, corrupt, lock;
	bool read_only, closing, damaged;
	struct index index;
	struct files *files;       /* the other engine */
	struct recovery *recovery; /* until all segments that were there are read */
	void (*indexed)(void *arg);
	void *indexed_arg;
	VEC(struct segment *) segments; /* by slot; NULL: no such file */
	unsigned n_spares, n_making;
	bool starved;        /* the disk is too full for another segment */
	deadline_t space_at; /* when free space is looked at again */
	bool below_reserve;
	uint32_t generation; /* last one given */
	uint64_t sequence;   /* last one given */
	uint64_t body;
	struct directory_sync body_sync;
	octets_t live, disk;
	struct stream streams[STREAMS];
	struct worker *flusher, *keeper;
	/* new mail */
	struct put_batch *gather, *gather_last;
	size_t gathered;
	struct flush_job *flushing;
	uint64_t flushes; /* started */
	bool flush_due;
	VEC(struct barrier) barriers;
	/* states */
	struct buf pending_bytes;
	uint64_t pending_base;
	VEC(struct pending) pending;
	size_t pending_written;
	bool states_lost; /* some must be written again once the running flush ended */
	VEC(struct callback) updates;
	int update_error; /* for them: some were given up */
	struct build scratch;
	struct timer state_timer, retry_timer;
	struct event_later turn;
	/* moving */
	struct cleaning *cleaning;
	VEC(uint64_t) crowded;
	VEC(uint64_t) dead_bodies;
	struct buf exported; /* states that spool_find() gave out */
	bool plan_due, nothing_to_clean, cleaning_busy;
	unsigned cleaned_in_vain; /* victims, since those who wait had a place */
	void (*moved)(const struct spool_entry *e, void *arg);
	void *moved_arg;
	struct {
		uint64_t freed, copied, made;
		octets_t written[STREAMS];
	} counts; /* for tests and metrics */
};

static inline struct segment *
segment_of(const struct spool *s, uint32_t slot)
{
	return s->segments.items[slot];
}

/* segment.c: files. The calls with a descriptor run in the keeper (or before the loop).
 */
void segment_name(char out[24], uint32_t slot);
/* A new file, zeroed, named and synced: its descriptor, or -1 and errno. */
BLOCKS int segment_make(int dir, const struct segment_id *id);
/* Gives it a new number: what it held is gone for good once this returns 0. */
BLOCKS int segment_renumber(int fd, const struct segment_id *id);
/* Both headers were read: -1 when neither is good. *mend: they differ. */
BLOCKS int segment_read_id(int fd, octets_t size, struct segment_id *out, bool *mend);
struct segment *segment_add(struct spool *s, int fd, const struct segment_id *id);
/* NULL: no file that can be read has this number. */
struct segment *segment_of_generation(const struct spool *s, uint32_t generation);
void segment_forget(struct spool *s, struct segment *g); /* closes and frees */
uint32_t segment_free_slot(struct spool *s);
struct segment_id segment_next_id(struct spool *s, uint32_t slot, uint32_t size);
void segment_retire(struct spool *s, struct segment *g, int error);

/* stream.c */
/* Finds room for `size` bytes; opens another segment if need be, for new mail only beyond
 * the reserve. NULL: there is none. */
struct segment *stream_room(
	struct spool *s, struct stream *t, uint32_t size, bool reserve);
bool cleaner_has_room(const struct spool *s, unsigned spares, octets_t besides);
bool stream_has_room(const struct stream *t, uint32_t size);
/* Seals, places, writes without a flush. -1 and errno: the segment was retired. */
int stream_write(
	struct spool *s, struct stream *t, struct build *b, bool pack, uint32_t *offset);
void stream_seal(struct spool *s, struct stream *t);
/* What holds when all that its open segment has now is flushed. */
struct mark stream_mark(const struct spool *s, const struct stream *t);
void manifest_build(struct spool *s, struct build *b);

/* engine.c: at the end of the turn; then whoever waits for states is told. */
void states_write(struct spool *s);

/* put.c */
void flush_kick(struct spool *s); /* starts the next flush when there is cause */
void flush_barrier(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg);
bool flush_idle(const struct spool *s);
/* No message that has a place has this sequence or a greater one. */
uint64_t put_next_sequence(const struct spool *s);
/* Puts that cannot be placed: fails them with ENOSPC when there is no hope. */
void puts_fail(struct spool *s, int error);

/* mark.c: advice for the next start; errors are ignored. */
BLOCKS void mark_write(const struct spool *s, uint8_t stream, const struct mark *m);
BLOCKS void mark_sync(const struct spool *s);
BLOCKS bool mark_read(const struct spool *s, uint8_t stream, struct mark *out);

/* update.c */
void flush_later(struct spool *s); /* within o.state_flush */
void states_flushed(struct spool *s, size_t n);
void states_again(struct spool *s); /* their flush failed: write them once more */
void states_retired(struct spool *s, uint32_t slot); /* those written there need that */

/* account.c */
void account_message(struct spool *s, struct entry *e);
void account_state(struct spool *s, struct entry *e, struct place at);
void account_states_replaced(
	struct spool *s, struct entry *e, size_t n, const struct place *at);
void account_state_moved(
	struct spool *s, struct entry *e, struct place from, struct place to);
void account_finish(struct spool *s, struct entry *e, struct place end);
void account_end_moved(struct spool *s, struct tomb *t, struct place to);
void account_moved(struct spool *s, struct entry *e, struct place to);
void account_copy(struct spool *s, struct tomb *t, uint32_t slot); /* one more copy */
void account_ghost(struct spool *s, struct entry *e, uint32_t slot);
void account_dropped(struct spool *s, struct entry *e);
void account_freed(struct spool *s, struct segment *g); /* its records are gone */
bool segment_is_needed(const struct segment *g);
bool segment_is_dead(const struct segment *g);          /* nor is anybody at work in it */
void segment_check(struct spool *s, struct segment *g); /* frees it when dead */
struct spool_where where_of(const struct spool *s, struct place p);
/* Fills in *out; its states are in *states, reused by the next call. */
void entry_export(const struct spool *s, const struct entry *e, struct spool_entry *out,
	struct buf *states);

/* keeper.c */
void keeper_plan(struct spool *s); /* spares, shrinking, bodies */
void segment_free(struct spool *s, struct segment *g);
bool space_is_short(struct spool *s);
bool spool_starved(const struct spool *s); /* no segment is left for new mail */
octets_t disk_limit(const struct spool *s);

/* clean.c */
void clean_plan(struct spool *s);
bool disk_is_pressed(const struct spool *s);
bool clean_is_stuck(const struct spool *s);
bool clean_is_hopeless(const struct spool *s);
void clean_abandon(struct spool *s);

/* merge.c: which of one message's states still say something, oldest first. */
size_t states_merge(const struct spool_state *in, size_t n, uint32_t recipients,
	struct arena *arena, size_t *kept);

/* recover.c: fills the index and the segments from what the directory holds. After
 * recover() new mail can be taken; the rest goes on at each recovery_more(), which the
 * keeper's jobs repeat, or at once. Until it ended nothing is freed or moved: what is
 * known of the segments is not complete. */
BLOCKS void recover(struct spool *s);
void recovery_more(struct spool *s);
BLOCKS void recovery_run(struct spool *s);
void recovery_abandon(struct spool *s);
/* May this be a message of which not everything is known yet? */
bool is_unsettled(const struct spool *s, uint64_t mid);
/* A state of such a message was written. */
void recovery_state(struct spool *s, const struct pending *p, struct place at);
/* damage.c: copies bytes of a segment to corrupt/, once. */
BLOCKS void damage_keep(
	struct spool *s, const struct segment *g, uint32_t from, uint32_t to);

/* body.c */
void body_name(char out[32], uint64_t number);
uint64_t body_number(const struct spool_body *b);
octets_t body_size(const struct spool_body *b);
uint32_t body_crc(const struct spool_body *b);
void body_keep(struct spool_body *b); /* it belongs to a message now; frees the handle */
BLOCKS uint64_t body_last(const struct spool *s); /* the highest number there is */
BLOCKS void body_remove_orphans(struct spool *s, uint64_t last);

/* spool.c */
/* Outside of the loop: runs what ended in the threads; waits where something is under
 * way, in the keeper only if told to. False: nothing had ended. */
BLOCKS bool spool_collect(struct spool *s, bool wait_for_keeper);
struct spool *spool_make(const struct spool_options *o, bool read_only, struct why *why);
void spool_turn(struct spool *s); /* there is something to do at the end of this turn */
void spool_unmake(struct spool *s);
/* pwrite and pread of everything; -1 and errno. */
int write_at(int fd, struct str bytes, octets_t at);
int read_at(int fd, char *out, size_t len, octets_t at);

#endif
