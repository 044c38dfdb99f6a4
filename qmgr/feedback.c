/* feedback.c -- see feedback.h. */
#include "feedback.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int
parse_number(struct str text, double *out)
{
	char copy[32], *end;

	text = str_trim(text);
	if (text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*out = strtod(copy, &end);
	return *end == '\0' && *out >= 0 && *out <= 1e6 ? 0 : -1;
}

/* What the amount is divided by: a name, or a number. */
static int
parse_divisor(struct str text, struct feedback *out)
{
	double by;

	text = str_trim(text);
	if (str_is(text, "concurrency")) {
		out->kind = FEEDBACK_PER_CONCURRENCY;
	} else if (str_is(text, "sqrt_concurrency")) {
		out->kind = FEEDBACK_PER_SQRT_CONCURRENCY;
	} else {
		if (parse_number(text, &by) < 0 || by <= 0)
			return -1;
		out->amount /= by;
	}
	return 0;
}

int
feedback_parse(struct str text, struct feedback *out)
{
	ssize_t slash = str_chr(text, '/');
	struct str amount = slash < 0 ? text : str_sub(text, 0, (size_t)slash);

	out->kind = FEEDBACK_FIXED;
	if (parse_number(amount, &out->amount) < 0 ||
		(slash >= 0 && parse_divisor(str_from(text, (size_t)slash + 1), out) < 0))
		return -1;
	return out->amount <= 1 ? 0 : -1;
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
	w->step = -1;
	if (rules->limit > 0 && w->size >= rules->limit)
		return;
	/* No wider than there is use for. */
	if (w->size >= busy + rules->initial)
		return;
	w->step = feedback_at(&rules->positive, w->size);
	w->success += w->step;
	if (w->success + w->step / 2 < 1)
		return;
	w->success -= 1;
	w->credit = 0;
	w->size++;
}

bool
window_failed(struct window *w, const struct window_rules *rules)
{
	if (w->size == 0)
		return false;
	w->step = -1;
	w->cohorts += 1.0 / w->size;
	if (rules->cohort_limit > 0 && w->cohorts >= rules->cohort_limit) {
		w->size = 0;
		return true;
	}
	w->step = feedback_at(&rules->negative, w->size);
	for (w->credit -= w->step; w->credit - w->step / 2 < 0; w->credit++) {
		w->success = 0;
		w->size--;
	}
	w->size = MAX(w->size, 1);
	return false;
}
