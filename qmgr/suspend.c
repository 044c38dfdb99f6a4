/* suspend.c -- see suspend.h. */
#include "suspend.h"
#include "active.h"
#include "control.h"
#include "log.h"
#include "messages.h"
#include "outside.h"
#include "ticker.h"
#include <errno.h>

static struct {
	struct arena *arena;
	struct suspensions *all;
} suspended;

/* A file that cannot be read leaves what was known. */
static int
read_again(void)
{
	struct arena *arena = arena_new();
	struct suspensions *all = arena_alloc(arena, sizeof(*all));
	struct str log = arena_printf(
		arena, STR_FMT "/log", STR_ARG(outside.conf->p.queue_directory));
	size_t bad;

	if (suspensions_load(log.data, arena, all, &bad) < 0) {
		log_warn("cannot read " STR_FMT "/suspended: %m", STR_ARG(log));
		arena_free(arena);
		return -1;
	}
	if (bad)
		log_warn(STR_FMT "/suspended: %zu lines that are no suspensions, or too "
				 "many",
			STR_ARG(log), bad);
	if (suspended.arena)
		arena_free(suspended.arena);
	suspended.arena = arena;
	suspended.all = all;
	return 0;
}

void
suspend_start(void)
{
	(void)read_again(); /* it has said so */
}

bool
suspend_any(void)
{
	return suspended.all && suspended.all->n > 0;
}

const struct suspensions *
suspend_list(void)
{
	return suspended.all;
}

const struct suspension *
suspend_why(struct str transport, struct str nexthop)
{
	return suspended.all ? suspension_of(suspended.all, transport, nexthop) : NULL;
}

struct str
suspend_text(const struct suspension *s, struct arena *arena)
{
	return s->reason.len ? arena_printf(arena, "destination is suspended: " STR_FMT,
				       STR_ARG(s->reason))
			     : STR("destination is suspended");
}

/* Mail that waited for a destination is due: all of it, for what is still suspended is
 * deferred again at little cost. Of what is worked on, the rest follows. */
static void
wake_waiting(void)
{
	size_t at = 0;
	struct message *m;

	while (index_next(&queue_index, &at, &m)) {
		if (!m->suspended)
			continue;
		if (m->worked_on && m->active)
			m->active->soon = true;
		else if (m->queue == QUEUE_DEFERRED && m->place)
			index_make_ready(&queue_index, m, false);
	}
	ticker_touch();
	outside.wake_loader();
}

void
suspend_changed(struct ipc_request *rq)
{
	struct suspensions_changed_reply say = { 0 };

	if (!control_caller_may(rq)) {
		say.error = EPERM;
	} else if (read_again() < 0) {
		say.error = EIO;
	} else {
		schedule_suspend();
		wake_waiting();
	}
	suspensions_changed_answer(rq, &say);
}
