/* engine.h -- the two ways to keep mail, behind the calls of spool.h: the segment log,
 * and a file for each message. Both are always open: a message's number tells which of
 * them it is in, and queue_engine where new mail goes. */
#ifndef SPOOL_ENGINE_H
#define SPOOL_ENGINE_H

#include "private.h"

struct engine {
	const char *name; /* as in queue_engine */
	/* As spool_put(). states: what became of it elsewhere, whatever mid they name;
	 * good until done is called, which is when they are flushed too. */
	void (*put)(struct spool *s, const struct spool_put_request *m,
		struct spool_body *body, const struct spool_state *states, size_t n,
		void (*done)(void *arg, int error, const struct spool_entry *e),
		void *arg);
	/* Gathers a state; write() writes those of a turn: 0, an errno when some were
	 * given up, or -1 when some must wait for a later turn. */
	void (*update)(struct spool *s, const struct spool_state *state);
	int (*write)(struct spool *s);
	bool (*has_unwritten)(const struct spool *s);
	/* Starts the next flush when there is cause. What is not flushed yet can wait for
	 * a while: demand() makes it one. */
	void (*kick)(struct spool *s);
	void (*demand)(struct spool *s);
	bool (*is_idle)(const struct spool *s); /* nothing is gathered, all is flushed */
	/* Calls fn once everything stored and written before is flushed: at once, or from
	 * the loop. */
	void (*when_flushed)(
		struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg);
	/* Outside of the loop: runs what its flusher has done, and waits for it while it
	 * is at work. False: nothing had ended. */
	BLOCKS bool (*collect)(struct spool *s);
	BLOCKS void (*stop)(struct spool *s);
	/* What there is. export: false for what is not to be seen; else *out, its states
	 * in *states. */
	const struct index *(*index)(const struct spool *s);
	/* Adds what it takes. */
	void (*space)(const struct spool *s, struct spool_space_reply *sum);
	bool (*export)(const struct spool *s, const struct entry *e,
		struct spool_entry *out, struct buf *states);
};
extern const struct engine seglog_engine, files_engine;
enum { ENGINES = 2 };
extern const struct engine *const engines[ENGINES];

const struct engine *engine_of(uint64_t mid);
const struct engine *engine_for_new(const struct spool *s);

#endif
