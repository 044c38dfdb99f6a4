/* queue_walk.h -- every message of the queue, for commands that list or count it: from
 * showq or, with the mail system down and for those who may, from the log itself. */
#ifndef QUEUE_WALK_H
#define QUEUE_WALK_H

#include "conf.h"
#include "listing.h"

/* What it gets lasts as long as its call. */
typedef void queue_walk_fn(const struct listing *l, void *arg);

/* Fatal (log_fatal_exit) when the queue cannot be read to its end. */
BLOCKS void queue_walk(const struct conf *c, queue_walk_fn *fn, void *arg);

#endif
