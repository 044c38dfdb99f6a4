/* spool_test.h -- a spool in a directory of its own, driven from outside of the loop. */
#ifndef SPOOL_TEST_H
#define SPOOL_TEST_H

#include "private.h"
#include "test.h"

struct rig {
	struct spool *spool;
	struct spool_options o;
	char queue[256], log[264];
};
enum { RIG_SEGMENT = 256 << 10 };

/* A fresh queue directory; opens the spool in it. */
void rig_new(struct rig *r);
void rig_open(struct rig *r);
void rig_open_early(struct rig *r); /* old mail is not indexed yet */
void rig_close(struct rig *r);
/* As a process that dies: nothing is flushed, nothing more is written. */
void rig_kill(struct rig *r);
/* Runs the loop until fn says so, asked at the end of each turn; or until nothing is
 * going on any more. */
void rig_run(bool (*fn)(void *arg), void *arg);
void rig_settle(struct rig *r);

/* Puts one message and waits for it. The error, or 0 and *mid. */
int rig_put(struct rig *r, const char *queue_id, const char *envelope, struct str content,
	uint64_t *mid);
int rig_state(struct rig *r, uint64_t mid, uint8_t kind, uint64_t when_us);
void rig_finish(struct rig *r, uint64_t mid);
/* Reads it with a reader of its own: CHECKs that it is whole. */
void rig_expect(struct rig *r, uint64_t mid, const char *envelope, struct str content);
/* Lines that were logged since the last call; holds a NUL behind it. */
struct str rig_logged(void);
struct str fill_str(struct arena *a, size_t len, uint64_t seed);

#endif
