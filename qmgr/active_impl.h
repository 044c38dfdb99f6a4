/* active_impl.h -- between the parts of active.h: active.c takes messages up and settles
 * recipients, refill.c says how many are routed at a time, record.c writes down what
 * became of them, attempt.c ends it. */
#ifndef ACTIVE_IMPL_H
#define ACTIVE_IMPL_H

#include "active.h"

void active_free(struct active *a);
/* Nothing is undecided or under way any more. Perhaps a is gone behind it. */
void attempt_ended(struct active *a);

/* Is nothing left to be done for any recipient? */
bool all_over(const struct active *a);
/* All recipients in a state, for write_alike(). The caller frees it. */
uint32_t *rcpts_in(const struct active *a, enum rcpt_state state, size_t *n);
/* A state about these recipients (add_rcpt()), with the reason of `like` unless NULL. */
void write_state(struct active *a, enum spool_state_kind kind, const struct buf *rcpts,
	const struct rcpt_now *like, uint64_t when_us);
void add_rcpt(struct buf *rcpts, uint32_t n);
/* One record for the recipients of `list` in this state that share a reason; `list` loses
 * them (they become UINT32_MAX). */
void write_alike(struct active *a, uint32_t *list, size_t n, enum rcpt_state state,
	enum spool_state_kind kind, uint64_t when_us);

/* ---- refill.c ---- */
/* All that are undecided have no destination yet. */
void refill_begin(struct active *a);
/* Every one has, or will not have any. */
void refill_end(struct active *a);
/* How many may be given destinations now, at least one. */
size_t refill_batch(struct active *a);
/* Something was decided, of a delivery by t unless it is NULL: lets active_refill()
 * follow where there is room for more, at the end of this turn of the loop. */
void refill_look(struct active *a, struct transport *t);
void active_refill(struct active *a);
/* Recipients that have a destination and are undecided. */
static inline size_t
in_hand(const struct active *a)
{
	return a->undecided - a->unrouted;
}

#endif
