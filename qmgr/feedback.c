/* feedback.c -- see feedback.h. */
#include "feedback.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What adds up to a step may fall short of it by rounding. */
#define NEARLY 1e-6

static int
parse_amount(struct str text, double *out)
{
	char copy[32], *end;

	if (text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*out = strtod(copy, &end);
	return *end == '\0' && *out >= 0 && *out <= 1 ? 0 : -1;
}

int
feedback_parse(struct str text, struct feedback *out)
{
	ssize_t slash = str_chr(text, '/');
	struct str by;

	out->kind = FEEDBACK_FIXED;
	if (slash >= 0) {
		by = str_trim(str_from(text, (size_t)slash + 1));
		if (str_is(by, "concurrency"))
			out->kind = FEEDBACK_PER_CONCURRENCY;
		else if (str_is(by, "sqrt_concurrency"))
			out->kind = FEEDBACK_PER_SQRT_CONCURRENCY;
		else
			return -1;
		text = str_sub(text, 0, (size_t)slash);
	}
	return parse_amount(str_trim(text), &out->amount);
}

static double
feedback_at(const struct feedback *f, int window)
{
	switch (f->kind) {
	case FEEDBACK_PER_CONCURRENCY:
		return f->amount / window;
	case FEEDBACK_PER_SQRT_CONCURRENCY:
		return f->amount / sqrt(window);
	case FEEDBACK_FIXED:
		break;
	}
	return f->amount;
}

void
window_open(struct window *w, const struct window_rules *rules)
{
	*w = (struct window){ .size = rules->initial };
	if (rules->limit > 0 && w->size > rules->limit)
		w->size = rules->limit;
}

void
window_succeeded(struct window *w, const struct window_rules *rules, int busy)
{
	if (w->size == 0)
		window_open(w, rules); /* a late success of a destination thought dead */
	w->cohorts = 0;
	if (rules->limit > 0 && w->size >= rules->limit)
		return;
	/* No wider than there is use for. */
	if (w->size >= busy + rules->initial)
		return;
	w->success += feedback_at(&rules->positive, w->size);
	if (w->success + NEARLY < 1)
		return;
	w->success = MAX(w->success - 1, 0);
	w->failure = 0;
	w->size++;
}

bool
window_failed(struct window *w, const struct window_rules *rules)
{
	if (w->size == 0)
		return false;
	w->cohorts += 1.0 / w->size;
	if (rules->cohort_limit > 0 && w->cohorts + NEARLY >= rules->cohort_limit) {
		w->size = 0;
		return true;
	}
	w->failure += feedback_at(&rules->negative, w->size);
	if (w->failure + NEARLY < 1)
		return false;
	w->failure = MAX(w->failure - 1, 0);
	w->success = 0;
	if (w->size > 1)
		w->size--;
	return false;
}
