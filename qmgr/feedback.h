/* feedback.h -- how many deliveries a destination gets at a time, learned from how they
 * end (SCHEDULER_README's concurrency feedback).
 *
 * Success opens the window by the positive feedback, which adds up until it makes a whole
 * step. A lost or refused conversation closes it by the negative one: the first by a step
 * at once, which pays for those that follow until they have used it up. Either is rounded
 * by half a feedback, as Postfix does it (tests/qmgr/feedback_test.py). A cohort is as
 * many failures as the window is wide; after `cohort_limit` of them without a success
 * between, the destination is dead. */
#ifndef FEEDBACK_H
#define FEEDBACK_H

#include "base.h"

enum feedback_kind {
	FEEDBACK_FIXED,                /* 1, 0.5 */
	FEEDBACK_PER_CONCURRENCY,      /* 1/concurrency */
	FEEDBACK_PER_SQRT_CONCURRENCY, /* 1/sqrt_concurrency */
};
struct feedback {
	enum feedback_kind kind;
	double amount;
};
/* "1", "0.3", "1/4", "1 / concurrency", "0.5/sqrt_concurrency". -1: none of these, or not
 * in 0..1. */
int feedback_parse(struct str text, struct feedback *out) MUST_CHECK;

struct window_rules {
	int initial, limit; /* limit 0: none */
	int cohort_limit;   /* 0: never dead */
	struct feedback positive, negative;
};
struct window {
	int size; /* deliveries that may run; 0: dead */
	double success, cohorts;
	double credit; /* of failures: below 0 it costs a step */
	double step;   /* the last feedback; below 0: it was of no use */
};
void window_open(struct window *w, const struct window_rules *rules);
/* busy: deliveries that run, the one that ended included. */
void window_succeeded(struct window *w, const struct window_rules *rules, int busy);
/* True when this was one failure too many: the destination is dead now. */
bool window_failed(struct window *w, const struct window_rules *rules) MUST_CHECK;

#endif
