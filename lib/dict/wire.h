/* wire.h -- a connection to a server that speaks lines and counted bytes, for table types
 * that speak their protocol themselves. All of it BLOCKS, until the deadline at most. */
#ifndef WIRE_H
#define WIRE_H

#include "base.h"

struct wire {
	int fd;
	struct buf in;
	size_t at; /* bytes of `in` already taken */
	deadline_t until;
};

/* "inet:host:port", "host:port", "[v6]:port", "host" (with port), "unix:path". -1 and
 * *why.
 */
int wire_dial(struct wire *w, const char *endpoint, const char *port, msec_t patience,
	struct why *why) MUST_CHECK;
void wire_close(struct wire *w);
/* A link of remote.h that is a wire and no more. NULL and *why. */
struct wire *wire_open(const char *endpoint, const char *port, msec_t patience,
	struct why *why) MUST_CHECK;
void wire_free(void *link);
/* Each exchange has a time of its own. */
void wire_begin(struct wire *w, msec_t patience);
int wire_write(struct wire *w, struct str bytes, struct why *why) MUST_CHECK;
/* Without its LF and a CR before it; a view that is good until the next call. -1 and
 * *why: also when it is longer than `most`. */
int wire_line(struct wire *w, size_t most, struct str *line, struct why *why) MUST_CHECK;
/* Everything up to c, which is dropped. */
int wire_until(struct wire *w, char c, size_t most, struct str *bytes, struct why *why)
	MUST_CHECK;
/* Exactly n bytes. */
int wire_bytes(struct wire *w, size_t n, struct str *bytes, struct why *why) MUST_CHECK;

#endif
