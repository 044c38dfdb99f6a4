/* turn.c -- see turn.h. */
#include "turn.h"
#include "messages.h"

#define LAPSE ((msec_t)5000) /* a turn that nobody makes use of */

static struct {
	bool is_needed, is_taken, is_used;
	const struct ipc_link *holder;
	struct co_queue waiting;
	struct timer lapse;
} turn;

void
turn_start(void)
{
	turn.is_needed = true;
}

void
turn_end(void)
{
	turn.is_taken = turn.is_used = false;
	co_wake_one(&turn.waiting);
}

static void
on_lapse(void *unused)
{
	(void)unused;
	turn_end();
}

void
turn_on_request(struct ipc_request *rq)
{
	const struct auth_turn_reply say = { .unused = 0 };

	while (turn.is_taken)
		if (co_wait(&turn.waiting, DEADLINE_NEVER) < 0)
			break;
	if (!turn.is_taken && rq->link) {
		turn.is_taken = true;
		turn.holder = rq->link;
		timer_set(&turn.lapse, deadline_in(LAPSE), on_lapse, NULL);
	} else if (!turn.is_taken) {
		co_wake_one(&turn.waiting);
	}
	auth_turn_answer(rq, &say);
}

bool
turn_begin(const struct ipc_request *rq)
{
	if (!turn.is_needed)
		return true;
	if (!turn.is_taken || turn.is_used || turn.holder != rq->link)
		return false;
	timer_cancel(&turn.lapse);
	turn.is_used = true;
	return true;
}
