/* scatter_test.h -- many messages, damaged at one place at a time, and the oracle: at
 * most the messages whose bytes were hit are missing, each of them is named, what is
 * served is what was put, and a start never refuses. */
#ifndef SCATTER_TEST_H
#define SCATTER_TEST_H

#include "spool_test.h"

struct letter {
	uint64_t mid, seed;
	size_t len;
	char id[16];
	bool ended, found, unreadable;
	struct spool_where where; /* in the log: its record, or its end */
	struct spool_where at;    /* where it was found */
};
/* Bytes of a segment, or the file of a message. */
struct hit {
	uint32_t generation, from, to;
	uint64_t mid;
	bool is_removed; /* a file that is not there cannot be named */
};
struct scatter {
	struct rig r;
	uint64_t random;
	VEC(struct letter) letters;
	struct arena *arena;
	unsigned pending;
	struct spool_reader *reader;
	struct hit hit;
	struct buf logged; /* of the scan */
	unsigned faults;   /* of all looks */
	bool is_deaf;      /* tests of the oracle: hears nothing of what is logged ... */
	bool is_quiet;     /* ... and does not print the faults */
};
/* Printed; SPOOL_TEST_SEED sets it. */
uint64_t scatter_seed(void);
uint32_t scatter_roll(struct scatter *m, uint32_t below);
/* Killed, the log has no last batch that speaks for the one before: the mark does. */
void scatter_fill(struct scatter *m, size_t n, bool files, bool killed);
void scatter_free(struct scatter *m);
/* What a reader finds of it; or the writer, in a copy of the queue. */
void scatter_look(struct scatter *m);
void scatter_start(struct scatter *m);
/* Writes over some bytes; gives what was there. */
void scatter_overwrite(const char *path, uint32_t from, struct str bytes, char *before);
/* How much is to be tried: more with TEST_MODE=long; SPOOL_TEST_PLACES sets the second.
 */
size_t scatter_messages(void);
size_t scatter_places(void);

#endif
