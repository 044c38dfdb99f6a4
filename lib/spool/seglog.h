/* seglog.h -- the segment log as an engine (engine.h): what its table names. */
#ifndef SPOOL_SEGLOG_H
#define SPOOL_SEGLOG_H

#include "engine.h"

/* put.c */
void seglog_put(struct spool *s, const struct spool_put_request *m,
	struct spool_body *body, const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg);
/* update.c */
void seglog_update(struct spool *s, const struct spool_state *state);
int seglog_write(struct spool *s);

#endif
