/* maildrop.h -- local mail that pickup has not taken yet, as listings show it. */
#ifndef MAILDROP_H
#define MAILDROP_H

#include "listing.h"

/* Calls fn for each message in queue_directory/maildrop that is whole as far as its
 * envelope goes. Any user can put files there: others are passed over. What fn gets lasts
 * as long as its call. -1 and errno when the directory cannot be read. BLOCKS */
int maildrop_each(struct str queue_directory,
	void (*fn)(const struct listing *l, void *arg), void *arg);

#endif
