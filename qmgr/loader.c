/* loader.c -- see loader.h.
 *
 * A cold queue is on disk: reading happens in a helper thread, several messages at a
 * time, and new mail goes on meanwhile. The content is read along, so that it is in the
 * page cache when the delivery wants it. */
#include "loader.h"
#include "active.h"
#include "event.h"
#include "log.h"
#include "outside.h"
#include "store.h"
#include "ticker.h"
#include <errno.h>

#define AT_ONCE 16
/* Content up to this size is read ahead. */
#define READ_AHEAD ((uint64_t)64 * 1024)

struct loading {
	struct message *message;
	uint64_t mid, size;
	struct spool_where where;
	struct spool_at *places;
	size_t n_places;
	struct arena *arena;
	/* what was read */
	struct spool_content content;
	VEC(struct spool_state) states;
	int error;
};
struct load {
	struct loading items[AT_ONCE];
	size_t n;
};

static struct co_queue waiting;

void
loader_wake(void)
{
	co_wake_all(&waiting);
}

/* ---- in the helper thread ---- */

static int
read_states(struct loading *l)
{
	for (size_t i = 0; i < l->n_places; i++) {
		const struct spool_at *p = &l->places[i];
		struct spool_where at = { p->segment, p->offset, p->length };
		struct spool_state *states;
		size_t n;

		if (outside.read_states(l->mid, at, l->arena, &states, &n) < 0)
			return -1;
		for (size_t j = 0; j < n; j++)
			*vec_push(&l->states) = states[j];
	}
	return 0;
}

/* The content of a large message is looked at, not kept: what is damaged in it must not
 * be found out by those who get it. */
static int
check_large(const struct loading *l)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct spool_content c = { .body_fd = -1 };
	int result = outside.read_content(l->mid, l->where, false, scratch, &c);

	if (result == 0)
		result = spool_body_check(&c);
	fd_close(&c.body_fd);
	return result;
}

static void
read_all(void *arg)
{
	struct load *load = arg;

	for (size_t i = 0; i < load->n; i++) {
		struct loading *l = &load->items[i];
		bool ahead = l->size <= READ_AHEAD;

		l->content.body_fd = -1;
		if (outside.read_content(
			    l->mid, l->where, !ahead, l->arena, &l->content) < 0 ||
			read_states(l) < 0 || (!ahead && check_large(l) < 0))
			l->error = errno;
		fd_close(&l->content.body_fd);
	}
}

/* ---- before and after ---- */

static void
load_add(struct load *load, struct message *m)
{
	struct loading *l = &load->items[load->n++];
	struct arena *arena = arena_new();

	*l = (struct loading){
		.message = m, .mid = m->mid, .size = m->size, .arena = arena
	};
	l->where = m->where;
	l->n_places = m->n_states;
	l->places = arena_alloc(arena, (l->n_places + 1) * sizeof(*l->places));
	if (l->n_places)
		memcpy(l->places, message_states(m), l->n_places * sizeof(*l->places));
	m->worked_on = true;
	m->rerouted = false;
	m->active = NULL;
}

static void
load_fill(struct load *load)
{
	struct message *m;

	load->n = 0;
	while (load->n < AT_ONCE && store_is_up() && active_has_room() &&
		(m = index_take(&queue_index))) {
		/* What spool has not confirmed is not in the records we would read. */
		if (m->pending > 0)
			index_sleep(&queue_index, m, now_seconds() + 1);
		else
			load_add(load, m);
	}
}

static void
could_not_read(struct message *m, int error)
{
	msec_t wait = outside.conf->p.minimal_backoff_time;

	if (error == EBADMSG) {
		store_hold_damaged(m);
		return;
	}
	/* ESTALE: the cleaner moved it while we read; the new place is known in a moment.
	 */
	if (error == ESTALE)
		wait = 1000;
	else
		log_error(
			"%s: cannot read the message: %s", m->queue_id, strerror(error));
	index_sleep(&queue_index, m, now_seconds() + (uint32_t)(wait / 1000));
}

/* The message may have been deleted or put on hold while it was read. */
static void
load_use(struct loading *l)
{
	struct message *m = l->message;

	m->worked_on = false;
	if (m->queue == QUEUE_GONE) {
		if (m->confirmed)
			index_remove(&queue_index, m);
	} else if (m->queue == QUEUE_ON_HOLD) {
		/* stays there */
	} else if (m->rerouted) {
		index_make_ready(&queue_index, m, false);
	} else if (l->error) {
		could_not_read(m, l->error);
	} else {
		active_start(
			m, l->arena, l->content.envelope, l->states.items, l->states.n);
		l->arena = NULL;
	}
	vec_free(&l->states);
	arena_free_at(&l->arena);
}

static void
loader_run(void *arg)
{
	static struct load load; /* a small stack */

	(void)arg;
	co_name("loader");
	for (;;) {
		load_fill(&load);
		if (load.n == 0) {
			if (store_is_up() && active_has_room())
				store_tell_pace(false);
			ticker_touch();
			if (co_wait(&waiting, DEADLINE_NEVER) < 0)
				return;
			continue;
		}
		event_offload(read_all, &load);
		for (size_t i = 0; i < load.n; i++)
			load_use(&load.items[i]);
	}
}

void
loader_start(void)
{
	co_spawn(loader_run, NULL, CO_STACK_SMALL);
}
