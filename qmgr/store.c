/* store.c -- see store.h. */
#include "store.h"
#include "suspend.h"
#include "active.h"
#include "event.h"
#include "events.h"
#include "log.h"
#include "outside.h"
#include "service.h"
#include "ticker.h"
#include <errno.h>

/* Between two tries to reach spool. */
#define RETRY ((msec_t)200)
/* States in one update: a frame stays far below its limit. */
#define BATCH_BYTES ((size_t)512 * 1024)

/* States on their way. The first one of the queue is the oldest. */
struct batch {
	struct buf payload; /* encoded spool_update_request; its count comes first */
	uint32_t n;
	VEC(uint64_t) mids;
	bool sent;
	struct batch *next;
};

static struct {
	struct ipc_link *link;
	bool told;   /* spool has announced all it has, once */
	bool behind; /* what it knows of our pace */
	struct batch *first, *last;
	size_t pending;
	struct event_later later;
	struct timer retry;
	struct co_queue lost, telling;
} store;

bool
store_is_up(void)
{
	return store.link != NULL;
}

int
store_wait_told(deadline_t patience)
{
	while (!store.told)
		if (co_wait(&store.telling, patience) < 0)
			return -1;
	return 0;
}

size_t
store_pending(void)
{
	return store.pending;
}

/* ---- what happened goes out ---- */

/* Spool has a state of this message: it may be read again, or leave the index. */
static void
confirmed(uint64_t mid)
{
	struct message *m = index_find(&queue_index, mid);

	store.pending--;
	if (!m)
		return;
	if (m->pending > 0)
		m->pending--;
	if (m->queue != QUEUE_GONE || m->pending > 0)
		return;
	if (!m->told)
		log_line(QMGR_REMOVED, str_c(m->queue_id));
	m->confirmed = true;
	if (!m->worked_on)
		index_remove(&queue_index, m);
}

static void
batch_free(struct batch *b)
{
	buf_free(&b->payload);
	vec_free(&b->mids);
	mem_free(b);
}

static void
batch_remove(struct batch *b)
{
	struct batch **at = &store.first;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	if (store.last == b)
		for (store.last = store.first; store.last && store.last->next;)
			store.last = store.last->next;
}

static void store_flush(void *arg);

static void
batch_answered(void *arg, int error, struct str bytes)
{
	struct batch *b = arg;
	struct spool_update_reply said = { 0 };

	/* No lists in it: no arena. */
	if (!error && spool_update_reply_get(bytes, &said, NULL) < 0)
		error = EPROTO;
	if (error || said.error) {
		b->sent = false;
		if (!error) {
			log_warn("spool cannot write states: %s; trying again",
				strerror((int)said.error));
			timer_set(&store.retry, deadline_in(RETRY), store_flush, NULL);
		}
		return; /* a lost link: sent again over the next one */
	}
	batch_remove(b);
	for (size_t i = 0; i < b->mids.n; i++)
		confirmed(b->mids.items[i]);
	batch_free(b);
}

static void
store_flush(void *arg)
{
	(void)arg;
	if (!store.link)
		return;
	for (struct batch *b = store.first; b; b = b->next) {
		if (b->sent)
			continue;
		b->sent = true;
		put_u32(b->payload.data, b->n);
		ipc_link_call_then(store.link, spool_update_TYPE, buf_str(&b->payload),
			-1, batch_answered, b);
	}
}

static struct batch *
batch_open(void)
{
	struct batch *b = store.last;

	if (b && !b->sent && b->payload.len < BATCH_BYTES)
		return b;
	b = mem_alloc(sizeof(*b));
	ipc_put_u32(&b->payload, 0);
	if (store.last)
		store.last->next = b;
	else
		store.first = b;
	store.last = b;
	store.later.fn = store_flush;
	event_at_turn_end(&store.later);
	return b;
}

void
store_state(struct message *m, const struct spool_state *state)
{
	struct batch *b = batch_open();
	size_t at = ipc_item_open(&b->payload);

	spool_state_put(&b->payload, state);
	ipc_item_close(&b->payload, at);
	b->n++;
	*vec_push(&b->mids) = m->mid;
	m->pending++;
	store.pending++;
}

void
store_hold_damaged(struct message *m)
{
	struct spool_state hold = { .mid = m->mid, .kind = SPOOL_HOLD };

	log_error("%s: the message is damaged on the disk; it is placed on hold",
		m->queue_id);
	store_state(m, &hold);
	index_set_queue(&queue_index, m, QUEUE_ON_HOLD);
}

void
store_finish(struct message *m)
{
	struct spool_state end = { .mid = m->mid, .kind = SPOOL_FINISHED };

	index_set_queue(&queue_index, m, QUEUE_GONE);
	store_state(m, &end);
}

/* An empty answer reads as zeroes: no error, and no room taken either. */
static void
passed_on(void *arg, int error, struct str bytes)
{
	ipc_reply(arg, error ? STR_NONE : bytes, -1);
}

void
store_pass_on(struct ipc_request *rq)
{
	if (store.link)
		ipc_link_call_then(store.link, rq->type, rq->payload, -1, passed_on, rq);
	else
		ipc_reply(rq, STR_NONE, -1);
}

void
store_tell_pace(bool behind)
{
	if (behind == store.behind || !store.link)
		return;
	store.behind = behind;
	spool_pace_send(store.link, &(struct spool_pace_note){ .behind = behind });
}

/* ---- what is in the queue comes in ---- */

static void
place(struct message *m, const struct spool_message_note *note)
{
	m->arrival_us = note->arrival_us;
	m->size = note->size;
	m->expire = note->expire;
	/* Nobody has read yet what it waits for. */
	m->suspended = note->n_states > 0 && suspend_any();
	if (note->hold) {
		index_set_queue(&queue_index, m, QUEUE_ON_HOLD);
		return;
	}
	if (note->wake_us > (uint64_t)outside.now_us()) {
		index_sleep(
			&queue_index, m, (uint32_t)((note->wake_us + 999999) / 1000000));
		ticker_touch();
		return;
	}
	/* New mail comes with its envelope: nothing is read for it while there is room.
	 */
	if (note->envelope.data && note->n_states == 0 && active_has_room()) {
		struct arena *arena = active_arena();

		active_start(m, arena, arena_str(arena, note->envelope), NULL, 0);
		return;
	}
	if (note->envelope.data && !active_has_room())
		store_tell_pace(true);
	index_make_ready(&queue_index, m, note->n_states == 0 && note->wake_us == 0);
	outside.wake_loader();
}

static void
moved_to(struct message *m, uint32_t segment, uint32_t offset, uint32_t length,
	const struct spool_at *states, size_t n_states)
{
	m->where = (struct spool_where){ segment, offset, length };
	message_set_states(m, states, n_states);
}

static void
on_message(struct ipc_request *rq)
{
	struct spool_message_note note;
	struct message *m;

	if (spool_message_note_get(rq->payload, &note, rq->arena) < 0) {
		log_warn("malformed announcement from spool");
		ipc_done(rq);
		return;
	}
	m = index_find(&queue_index, note.mid);
	if (m) {
		m->seen = true;
		moved_to(m, note.segment, note.offset, note.length, note.states,
			note.n_states);
	} else if ((m = index_add(&queue_index, note.mid, note.queue_id))) {
		m->seen = true;
		moved_to(m, note.segment, note.offset, note.length, note.states,
			note.n_states);
		place(m, &note);
		if (note.envelope.len)
			events_accepted(m, note.envelope);
	} else {
		log_warn("spool announced a message with a bad queue id");
	}
	ipc_done(rq);
}

static void
on_moved(struct ipc_request *rq)
{
	struct spool_moved_note note;
	struct message *m;

	if (spool_moved_note_get(rq->payload, &note, rq->arena) == 0 &&
		(m = index_find(&queue_index, note.mid)))
		moved_to(m, note.segment, note.offset, note.length, note.states,
			note.n_states);
	ipc_done(rq);
}

/* Spool told all it has. What it did not name has ended while we could not hear it. */
static void
forget_unseen(void)
{
	size_t at = 0;
	struct message *m;
	VEC(struct message *) gone = { NULL, 0, 0 };

	while (index_next(&queue_index, &at, &m))
		if (!m->seen && m->queue != QUEUE_GONE)
			*vec_push(&gone) = m;
	for (size_t i = 0; i < gone.n; i++) {
		m = gone.items[i];
		if (m->worked_on) {
			index_set_queue(&queue_index, m, QUEUE_GONE);
			m->confirmed = true;
			if (m->active)
				active_cancel(m->active);
		} else {
			index_remove(&queue_index, m);
		}
	}
	vec_free(&gone);
}

static void
watched(void *arg, int error, struct str bytes)
{
	(void)arg, (void)bytes;
	if (error)
		return;
	store.told = true;
	co_wake_all(&store.telling);
	forget_unseen();
	outside.wake_loader();
}

/* ---- the link ---- */

static void
link_closed(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	store.link = NULL;
	store.behind = false;
	schedule_pause(true);
	co_wake_all(&store.lost);
}

static const struct ipc_handler handlers[] = {
	{ .type = spool_message_TYPE,
		.run = on_message,
		.direct = true,
		.in_place = true },
	{ .type = spool_moved_TYPE, .run = on_moved, .direct = true, .in_place = true },
	{ 0 },
};

void
store_attach(int fd)
{
	struct spool_watch_request ask = { 0 };
	struct buf payload CLEANUP(buf_free) = BUF_INIT;
	size_t at = 0;
	struct message *m;

	while (index_next(&queue_index, &at, &m))
		m->seen = false;
	store.link = ipc_link_open(fd, handlers, NULL, link_closed, "spool");
	spool_watch_request_put(&payload, &ask);
	ipc_link_call_then(
		store.link, spool_watch_TYPE, buf_str(&payload), -1, watched, NULL);
	store_flush(NULL);
	schedule_pause(false);
}

static void
stay_attached(void *arg)
{
	(void)arg;
	co_name("link to spool");
	for (;;) {
		int fd = service_connect_peer(
			"spool", deadline_in(outside.conf->p.qmgr_ipc_timeout));

		if (fd < 0) {
			if (co_sleep(deadline_in(RETRY)) < 0)
				return;
			continue;
		}
		store_attach(fd);
		while (store.link)
			if (co_wait(&store.lost, DEADLINE_NEVER) < 0)
				return;
	}
}

void
store_start(void)
{
	co_spawn(stay_attached, NULL, CO_STACK_SMALL);
}

void
store_reset(void)
{
	while (store.first) {
		struct batch *b = store.first;

		store.first = b->next;
		batch_free(b);
	}
	event_later_cancel(&store.later);
	timer_cancel(&store.retry);
	memset(&store, 0, sizeof(store));
}
