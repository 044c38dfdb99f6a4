/* spool.h -- what keeps the mail: the segment log, and beside it the engine with a file
 * for each message (files.h; design.md section 6, man/spool.5).
 *
 * Writer: the spool daemon, and nobody else. Readers (qmgr, showq, postcat ...) open the
 * same files read-only and take positions from the writer. */
#ifndef SPOOL_H
#define SPOOL_H

#include "base.h"
#include "messages.h"

struct spool_where {
	uint32_t segment, offset, length;
};

/* ---- writing ---- */
struct spool_options {
	const char *directory; /* $queue_directory/log */
	octets_t segment_size; /* 16 MB to 64 MB; tests use less */
	octets_t reserve;      /* bytes below which mail is refused (queue_minfree) */
	msec_t state_flush;    /* 100 */
	octets_t slack;        /* 256 MB: disk use <= 2 x live + slack */
	bool files; /* new mail goes into a file for each message, not the log */
	/* Tests of the tests: deliberately broken builds. The second answers, and frees
	 * what was copied, before the flush. */
	bool broken_no_flush, broken_order;
	int (*sync)(int fd); /* tests: instead of fdatasync(), fsync(), syncfs() */
};
/* Whether the environment of a test build (--enable-captured) asks for broken_order, to
 * see whether tests notice. */
bool spool_is_to_break_order(void);
struct spool;
/* Locks and recovers: what new mail needs at once, the rest in a thread behind it. Until
 * that has ended old messages are neither found nor counted; states of them are taken.
 * Damage is copied to corrupt/ and logged, and never refuses the start. NULL and *why for
 * a missing directory, NFS, or a second writer. */
BLOCKS struct spool *spool_open(const struct spool_options *o, struct why *why);
bool spool_is_indexed(const struct spool *s);
/* Told once, in the loop, when all messages are there. */
void spool_on_indexed(struct spool *s, void (*fn)(void *arg), void *arg);
/* Waits for that. */
BLOCKS void spool_index(struct spool *s);
BLOCKS void spool_close(struct spool *s); /* flushes everything */

/* One live message as the writer knows it. */
struct spool_entry {
	uint64_t mid;
	struct spool_where where;
	octets_t size;
	uint64_t arrival_us, wake_us;
	bool hold, expire;
	char queue_id[32];
	const struct spool_where *states; /* its live state records */
	size_t n_states;
	struct str envelope; /* given to the done of spool_put() only, during that call */
};
bool spool_each(
	struct spool *s, bool (*fn)(const struct spool_entry *e, void *arg), void *arg);
size_t spool_count(const struct spool *s);
/* One of them; states are good until the next call. False: it ended, or never was. */
bool spool_find(struct spool *s, uint64_t mid, struct spool_entry *out);

/* Appends a message to the batch being gathered. done is called in the loop when the
 * batch was flushed (error 0) or failed (an errno; nothing of it will ever be delivered).
 * body: a finished, synced body file (spool_body_*), or NULL. */
struct spool_body;
void spool_put(struct spool *s, const struct spool_put_request *m,
	struct spool_body *body,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg);
/* Large bodies: a file of their own from the start. */
struct spool_body *spool_body_new(struct spool *s, int *error);
BLOCKS int spool_body_write(struct spool_body *b, struct str bytes); /* -1 errno */
BLOCKS int spool_body_finish(struct spool_body *b);                  /* sync */
void spool_body_abort(struct spool_body *b);
/* Appends state records; written before it returns to the loop's end of turn, flushed
 * within state_flush. done: after the write (it survives the death of any process). Never
 * fails for lack of space (reserve). Unknown mids are ignored (they ended already). */
void spool_update(struct spool *s, const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error), void *arg);
/* Calls fn in the loop once all that was stored and written before is on the disk. */
void spool_flush(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg);
/* Fills in all of *out. */
void spool_space(const struct spool *s, struct spool_space_reply *out);
/* Below the reserve, or no spare segment: no new mail should begin. What is put all the
 * same is taken as long as there are segments. */
bool spool_full(const struct spool *s);
/* Moves what is in the other engine (o.files tells which one) into this one. Each message
 * is flushed there before it ends here; broken off, the next start makes one of the two.
 * Outside of the loop, once indexed. -1 with *why when one of them could not be moved:
 * the others are. */
BLOCKS int spool_convert(struct spool *s, size_t *moved, struct why *why);
/* Takes over reserve, state_flush, slack, and where new mail goes. */
void spool_change(struct spool *s, const struct spool_options *o);
/* Told when the cleaner moved a message. */
void spool_on_moved(
	struct spool *s, void (*fn)(const struct spool_entry *e, void *arg), void *arg);

/* ---- reading ---- */
struct spool_reader;
struct spool_reader *spool_reader_open(const char *directory, struct why *why);
void spool_reader_close(struct spool_reader *r);
struct spool_content {
	struct str queue_id;
	struct str envelope; /* encoded struct envelope */
	struct str content;  /* all of it, or its first part */
	octets_t size;       /* of the whole content */
	int body_fd; /* the rest of it, from offset 0, or -1; the caller closes it */
	uint32_t body_crc; /* CRC-32C that the rest must have */
	uint64_t arrival_us;
};
/* 0; -1 with ESTALE when the place holds another record by now (it was moved or ended:
 * ask again), EBADMSG when it is damaged. BLOCKS (page cache or disk). envelope_only
 * leaves content empty and body_fd -1. */
BLOCKS int spool_read(struct spool_reader *r, uint64_t mid, struct spool_where at,
	bool envelope_only, struct arena *arena, struct spool_content *out);
/* Reads the body that came with the content, if one did, and compares it with its CRC: -1
 * and EBADMSG where it is damaged. */
BLOCKS int spool_body_check(const struct spool_content *c);
/* A state record (or a snapshot: several) at a place. */
BLOCKS int spool_read_states(struct spool_reader *r, uint64_t mid, struct spool_where at,
	struct arena *arena, struct spool_state **states, size_t *n);
/* With the system down: takes the writer's lock shared, scans, and walks the messages. 1
 * when something in the log is damaged (it is logged), else 0; -1 and *why. */
BLOCKS int spool_scan(const char *directory,
	bool (*fn)(const struct spool_entry *e, void *arg), void *arg, struct why *why);

#endif
