/* watch.c -- qmgr: told of each message there is and each that comes, and telling what
 * became of them. There is one watcher, the one that asked last. */
#include "daemon.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>

enum {
	AT_ONCE = 1000,        /* old messages between two looks at the others' work */
	UNSENT_MOST = 1 << 20, /* bytes on their way before more are made */
};

static struct ipc_link *watcher;
static bool behind; /* so it says of itself */
static struct co_queue for_the_index;

/* Places as messages carry them. */
static struct spool_at *
places(const struct spool_entry *e, struct spool_at *room, size_t n)
{
	struct spool_at *at =
		e->n_states <= n ? room : mem_alloc(e->n_states * sizeof(*at));

	for (size_t i = 0; i < e->n_states; i++)
		at[i] = (struct spool_at){ e->states[i].segment, e->states[i].offset,
			e->states[i].length };
	return at;
}

static void
announce(const struct spool_entry *e)
{
	struct spool_at room[8], *at = places(e, room, COUNT(room));
	struct spool_message_note note = {
		.mid = e->mid,
		.segment = e->where.segment,
		.offset = e->where.offset,
		.length = e->where.length,
		.size = e->size,
		.queue_id = str_c(e->queue_id),
		.arrival_us = e->arrival_us,
		.wake_us = e->wake_us,
		.hold = e->hold,
		.expire = e->expire,
		.envelope = e->envelope,
		.states = at,
		.n_states = e->n_states,
	};

	spool_message_send(watcher, &note);
	if (at != room)
		mem_free(at);
}

void
watch_tell(const struct spool_entry *e)
{
	if (watcher)
		announce(e);
}

void
watch_moved(const struct spool_entry *e, void *arg)
{
	struct spool_at room[8], *at;
	struct spool_moved_note note = {
		.mid = e->mid,
		.segment = e->where.segment,
		.offset = e->where.offset,
		.length = e->where.length,
		.n_states = e->n_states,
	};

	(void)arg;
	if (!watcher)
		return;
	note.states = at = places(e, room, COUNT(room));
	spool_moved_send(watcher, &note);
	if (at != room)
		mem_free(at);
}

void
watch_link_closed(struct ipc_link *link)
{
	if (watcher != link)
		return;
	watcher = NULL;
	behind = false;
}

/* ---- what there is ---- */
struct mids {
	VEC(uint64_t) all;
};

static bool
add_mid(const struct spool_entry *e, void *arg)
{
	struct mids *m = arg;

	*vec_push(&m->all) = e->mid;
	return true;
}

static int
mid_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The watcher hears of new mail from the start; of what was there before, oldest first,
 * as fast as it reads. False: it is gone. */
SWITCHES static bool
announce_all(struct ipc_request *rq, const struct mids *m)
{
	for (size_t i = 0; i < m->all.n; i++) {
		struct spool_entry e;

		while (i % AT_ONCE == 0 && rq->link &&
			ipc_link_pending(rq->link) > UNSENT_MOST)
			if (co_sleep(deadline_in(2)) < 0)
				return false;
		if (i % AT_ONCE == 0)
			co_yield ();
		if (!rq->link || watcher != rq->link || !the_spool)
			return false;
		if (spool_find(the_spool, m->all.items[i], &e))
			announce(&e);
	}
	return true;
}

void
watch_indexed(void)
{
	co_wake_all(&for_the_index);
}

/* False: nobody watches any more. */
SWITCHES static bool
wait_for_index(struct ipc_request *rq)
{
	while (the_spool && rq->link && !spool_is_indexed(the_spool))
		if (co_wait(&for_the_index, DEADLINE_NEVER) < 0)
			return false;
	return the_spool && rq->link && watcher == rq->link;
}

void
run_watch(struct ipc_request *rq)
{
	struct spool_watch_reply say;
	struct mids m = { 0 };
	bool told_all = false;

	co_name("watch");
	if (!asked_by(rq, "qmgr"))
		return;
	watcher = rq->link;
	if (wait_for_index(rq)) {
		spool_each(the_spool, add_mid, &m);
		if (m.all.n)
			qsort(m.all.items, m.all.n, sizeof(*m.all.items), mid_cmp);
		told_all = announce_all(rq, &m);
	}
	say.messages = m.all.n;
	vec_free(&m.all);
	/* The answer means that there is nothing else: qmgr forgets what was not named.
	 */
	if (told_all)
		spool_watch_answer(rq, &say);
	else
		refuse(rq, EAGAIN);
}

void
run_space(struct ipc_request *rq)
{
	struct spool_space_reply say;

	if (!asked_by(rq, "qmgr"))
		return;
	spool_space(the_spool, &say);
	spool_space_answer(rq, &say);
}

void
run_pace(struct ipc_request *rq)
{
	struct spool_pace_note said;

	if (!asked_by(rq, "qmgr"))
		return;
	if (rq->link == watcher &&
		spool_pace_note_get(rq->payload, &said, rq->arena) == 0)
		behind = said.behind;
	ipc_done(rq);
}

bool
watch_is_behind(void)
{
	return behind;
}

/* ---- what became of messages ---- */
struct update {
	struct ipc_request *rq;
	size_t n;
	uint64_t mids[];
};

/* Where the states of those that live on are now, told before the answer. */
static void
updated(void *arg, int error)
{
	struct update *u = arg;
	struct spool_update_reply say = { .error = (uint32_t)error };

	for (size_t i = 0; i < u->n; i++) {
		struct spool_entry e;

		if (i > 0 && u->mids[i] == u->mids[i - 1])
			continue;
		if (spool_find(the_spool, u->mids[i], &e))
			watch_moved(&e, NULL);
	}
	spool_update_answer(u->rq, &say);
	requests_in_hand(-1);
	mem_free(u);
}

void
run_update(struct ipc_request *rq)
{
	struct spool_update_request ask;
	struct update *u;

	if (!asked_by(rq, "qmgr"))
		return;
	if (spool_update_request_get(rq->payload, &ask, rq->arena) < 0) {
		log_warn("malformed states from qmgr (process %d)", (int)rq->caller->pid);
		spool_update_answer(rq, &(struct spool_update_reply){ .error = EPROTO });
		return;
	}
	u = mem_alloc(sizeof(*u) + ask.n_states * sizeof(u->mids[0]));
	u->rq = rq;
	u->n = ask.n_states;
	for (size_t i = 0; i < u->n; i++)
		u->mids[i] = ask.states[i].mid;
	requests_in_hand(1);
	spool_update(the_spool, ask.states, ask.n_states, updated, u);
}
