/* saved.h -- what a master that becomes a new program leaves to it: descriptors and
 * children, line by line. */
#ifndef SAVED_H
#define SAVED_H

#include "base.h"
#include "conf.h"

/* The first row; another number for each change of the rows or of spawn.h. */
#define SAVED_FORMAT "postern-master 4"

struct saved_worker {
	pid_t pid;
	int control;
	uint32_t number, limit, load;
	bool ready, leaving, full;
};
struct saved_line {
	struct service_line conf; /* name, type, private_, command only */
	bool used, removed;
	VEC(int) listeners;
	VEC(struct saved_worker) workers;
};
struct saved {
	uint32_t generation;
	int locks[2], identities;
	VEC(struct saved_line) lines;
};
/* Views in *out point into text. -1 on what no master of this format would have written.
 */
int saved_parse(struct str text, struct saved *out) MUST_CHECK;
int saved_read(int fd, struct saved *out) MUST_CHECK;
void saved_free(struct saved *s);

#endif
