/* shaping.h -- which destinations share limits, and which ones: shaping_maps; and which
 * replies ask for less: shaping_reply_maps.
 *
 * A destination's entry is the first of these that is found: its domain (the next hop
 * without brackets and port) and its parents with a dot in front; "mx:host" and
 * "mx:.parent" of its mail exchangers, once they are known; "transport:name"; "*". An
 * entry of a domain has a group for each domain, one of mail exchangers and "*" one for
 * each set of them, that of a transport one for it, unless it names a group. Nothing is
 * asked, and nothing limited, while shaping_maps is empty. */
#ifndef SHAPING_H
#define SHAPING_H

#include "schedule.h"

BLOCKS void shaping_open(void);   /* before the jail */
BLOCKS void shaping_reload(void); /* outside.conf is new */
bool shaping_may_switch(void);
/* Is there any limit to be found? */
bool shaping_is_on(void);
/* The mail exchangers of d's domain, as an agent found them; none: it did not look. */
void shaping_learn(struct destination *d, struct strs exchangers);
/* Finds d's group, or none. It has no room and is not freed while d->looking; if that is
 * over when this returns the caller lets destination_consider() follow. Where the limits
 * cannot be told d is dead. */
void shaping_look(struct destination *d);
/* It is some time ago that d's group was found: the table may have changed. */
bool shaping_is_stale(const struct destination *d);
/* What the receiver said to a delivery: does it mean that d shall slow down? Then it did,
 * or will once a table has said so; true only if that is known now. */
bool shaping_heard(const struct flight *f, struct str reply);

#endif
