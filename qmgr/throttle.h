/* throttle.h -- destinations that share limits: how many deliveries they may have at a
 * time and in a span of time, and what becomes of that when their receiver asks for less.
 *
 * Each such reply halves what is allowed, at once; those to deliveries that had begun
 * before are the same news. Without another one for shaping_recovery_time it doubles
 * again. A group is remembered as long as its past still counts. */
#ifndef THROTTLE_H
#define THROTTLE_H

#include "event.h"
#include "limits.h"

struct destination;

#define SLOWED_MOST 6 /* to 1/64 */

struct throttle {
	struct str name; /* behind the struct */
	struct limits limits;
	VEC(struct destination *) members;
	uint32_t busy;
	bool open; /* one more delivery may begin */
	struct rate second, minute;
	deadline_t next;    /* no delivery begins before: delay, or the receiver's wish */
	unsigned slowed;    /* to 1/2^slowed */
	uint32_t news;      /* how often it was slowed down */
	deadline_t recover; /* while slowed > 0 */
	struct why why;     /* what the receiver said */
	struct timer timer;
};

/* d belongs to the group of this name, whose limits these are from now on. */
void throttle_join(struct destination *d, struct str name, const struct limits *l);
/* d belongs to none. */
void throttle_leave(struct destination *d);
/* NULL: there is none of this name. */
struct throttle *throttle_named(struct str name);
/* A delivery begins or ends. t may be NULL. */
void throttle_began(struct throttle *t);
void throttle_ended(struct throttle *t);
/* A delivery that began at `news` was told to slow down, or to come back after `rest` (0:
 * just to slow down). */
void throttle_slow(struct throttle *t, uint32_t news, struct str reply, msec_t rest);
/* How many there may be at a time now; 0: no limit. */
uint32_t throttle_connections(const struct throttle *t);
/* What holds now: "2/s connections=1". */
void throttle_show(const struct throttle *t, struct buf *out);
/* Walks all groups. */
bool throttle_each(size_t *at, struct throttle **out);
void throttles_free(void);

#endif
