/* record.c -- what became of recipients, as states of the message in the log. */
#include "active_impl.h"
#include "store.h"
#include <string.h>

void
write_state(struct active *a, enum spool_state_kind kind, const struct buf *rcpts,
	const struct rcpt_now *like, uint64_t when_us)
{
	struct spool_state s = { .mid = a->message->mid,
		.kind = (uint8_t)kind,
		.when_us = when_us,
		.rcpts = buf_str(rcpts) };

	if (like) {
		s.status = like->code;
		s.reason = like->text;
		s.detail = like->detail;
	}
	store_state(a->message, &s);
}

bool
all_over(const struct active *a)
{
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if (a->now[i].state != RCPT_DONE && a->now[i].state != RCPT_NOTIFIED)
			return false;
	return true;
}

static bool
same_reason(const struct rcpt_now *x, const struct rcpt_now *y)
{
	return x->state == y->state && str_eq(x->code, y->code) &&
	       str_eq(x->text, y->text) && str_eq(x->detail, y->detail);
}

void
add_rcpt(struct buf *rcpts, uint32_t n)
{
	char at[4];

	put_u32(at, n);
	buf_add(rcpts, str_of(at, 4));
}

void
write_alike(struct active *a, uint32_t *list, size_t n, enum rcpt_state state,
	enum spool_state_kind kind, uint64_t when_us)
{
	for (size_t i = 0; i < n; i++) {
		struct buf rcpts CLEANUP(buf_free) = BUF_INIT;
		const struct rcpt_now *first;

		if (list[i] == UINT32_MAX || a->now[list[i]].state != state)
			continue;
		first = &a->now[list[i]];
		for (size_t j = i; j < n; j++) {
			if (list[j] == UINT32_MAX ||
				!same_reason(&a->now[list[j]], first))
				continue;
			add_rcpt(&rcpts, list[j]);
			list[j] = UINT32_MAX;
		}
		write_state(a, kind, &rcpts, state == RCPT_DONE ? NULL : first, when_us);
	}
}

void
active_settled(struct active *a, const uint32_t *rcpts, size_t n)
{
	uint32_t *list;

	/* Delivered to everybody: the end of the message says it all. */
	if (a->message->queue == QUEUE_GONE || (a->undecided == 0 && all_over(a)))
		return;
	list = mem_alloc(n * sizeof(*list));
	memcpy(list, rcpts, n * sizeof(*list));
	write_alike(a, list, n, RCPT_DONE, SPOOL_DONE, 0);
	write_alike(a, list, n, RCPT_FAILED, SPOOL_FAILED, 0);
	write_alike(a, list, n, RCPT_REPORTED, SPOOL_FAILED, 0);
	mem_free(list);
}

uint32_t *
rcpts_in(const struct active *a, enum rcpt_state state, size_t *n)
{
	uint32_t *list = mem_alloc((a->envelope.n_rcpts + 1) * sizeof(*list));

	*n = 0;
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if (a->now[i].state == state)
			list[(*n)++] = i;
	return list;
}
