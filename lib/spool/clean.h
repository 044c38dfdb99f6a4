/* clean.h -- one piece of the cleaner's work: chosen in the loop (clean.c), carried out
 * in the keeper's thread (copy.c). */
#ifndef SPOOL_CLEAN_H
#define SPOOL_CLEAN_H

#include "private.h"

/* A record of the victim. */
struct found {
	uint64_t mid;
	uint32_t offset, length;
	uint8_t type;
};
enum copy_what { COPY_MESSAGE, COPY_STATES, COPY_END };
/* A record to be read. The descriptor stays open and the id what it was for as long as
 * the record counts; when it stops counting, what was read does not matter. */
struct copy_source {
	int fd;
	struct segment_id id;
	struct place place;
};
struct copy_item {
	enum copy_what what;
	uint64_t mid, sequence;
	uint32_t recipients;
	size_t first_source, n_sources;
	/* The result: */
	uint32_t at, length; /* of the copy, in the batch */
	int error;
	size_t bad_source;
	bool moved;
};
struct copy_job {
	struct job job;
	struct spool *s;
	struct segment *to;
	uint32_t offset, estimate;
	struct log_point durable;
	VEC(struct copy_item) items;
	VEC(struct copy_source) sources;
	struct build build;
	int error;
};
void copy_run(struct job *j);
void copy_free(struct copy_job *k);

#endif
