/* control.c -- see control.h. */
#include "control.h"
#include "active.h"
#include "log.h"
#include "outside.h"
#include "store.h"
#include "ticker.h"
#include <errno.h>
#include <unistd.h>

/* Entries of one listing, ids of one change. */
#define AT_MOST    5000
#define ID_LIMIT   31
#define PLAIN_WAIT ((msec_t)10000)
/* For spool to tell what there is. */
#define TOLD_WAIT ((msec_t)60000)

/* ---- what can be done to a message ---- */

static void
write_kind(struct message *m, enum spool_state_kind kind, uint64_t when_us)
{
	struct spool_state s = {
		.mid = m->mid, .kind = (uint8_t)kind, .when_us = when_us
	};

	store_state(m, &s);
}

static void
cancel(struct message *m)
{
	if (m->worked_on && m->active)
		active_cancel(m->active);
}

static void
delete_message(struct message *m)
{
	m->told = true; /* postsuper's line is the one Postfix logs */
	store_finish(m);
	cancel(m);
}

static void
hold_message(struct message *m)
{
	write_kind(m, SPOOL_HOLD, 0);
	index_set_queue(&queue_index, m, QUEUE_ON_HOLD);
	cancel(m);
}

static void
wake_message(struct message *m)
{
	if (m->queue == QUEUE_ON_HOLD || m->place)
		index_make_ready(&queue_index, m, false);
}

static void
release_message(struct message *m)
{
	write_kind(m, SPOOL_RELEASE, (uint64_t)outside.now_us());
	wake_message(m);
}

/* Deliveries under way end before it goes (requeue.h). */
static void
requeue_message(struct message *m)
{
	if (m->queue == QUEUE_ON_HOLD)
		write_kind(m, SPOOL_RELEASE, (uint64_t)outside.now_us());
	write_kind(m, SPOOL_REQUEUE, (uint64_t)outside.now_us());
	m->requeue = true;
	cancel(m);
	wake_message(m);
}

/* Deliveries under way end first, and what is on hold stays there. */
static void
reroute_message(struct message *m, struct str route)
{
	struct spool_state s = { .mid = m->mid,
		.kind = SPOOL_REROUTE,
		.when_us = (uint64_t)outside.now_us(),
		.reason = route };

	store_state(m, &s);
	m->rerouted = true;
	cancel(m);
	if (m->queue != QUEUE_ON_HOLD)
		wake_message(m);
}

static void
expire_message(struct message *m)
{
	write_kind(m, SPOOL_EXPIRE, 0);
	m->expire = true;
}

static void
flush_message(struct message *m)
{
	if (m->queue == QUEUE_ON_HOLD)
		return;
	m->flush = true;
	wake_message(m);
}

#define IN(queue) (1u << (queue))
static const struct {
	void (*apply)(struct message *m); /* QUEUE_REROUTE has a route besides */
	unsigned queues;                  /* unless others are named */
} actions[] = {
	[QUEUE_DELETE] = { delete_message, IN(QUEUE_INCOMING) | IN(QUEUE_ACTIVE) |
						   IN(QUEUE_DEFERRED) |
						   IN(QUEUE_ON_HOLD) },
	[QUEUE_HOLD] = { hold_message,
		IN(QUEUE_INCOMING) | IN(QUEUE_ACTIVE) | IN(QUEUE_DEFERRED) },
	[QUEUE_RELEASE] = { release_message, IN(QUEUE_ON_HOLD) },
	[QUEUE_REQUEUE] = { requeue_message, IN(QUEUE_INCOMING) | IN(QUEUE_ACTIVE) |
						     IN(QUEUE_DEFERRED) |
						     IN(QUEUE_ON_HOLD) },
	[QUEUE_EXPIRE] = { expire_message, IN(QUEUE_INCOMING) | IN(QUEUE_ACTIVE) |
						   IN(QUEUE_DEFERRED) |
						   IN(QUEUE_ON_HOLD) },
	[QUEUE_FLUSH] = { flush_message, IN(QUEUE_DEFERRED) },
	[QUEUE_REROUTE] = { NULL, IN(QUEUE_INCOMING) | IN(QUEUE_ACTIVE) |
					  IN(QUEUE_DEFERRED) | IN(QUEUE_ON_HOLD) },
};

static unsigned
queues_named(struct strs names)
{
	unsigned queues = 0;

	for (size_t i = 0; i < names.n; i++)
		for (unsigned q = QUEUE_INCOMING; q <= QUEUE_ON_HOLD; q++)
			if (str_is(names.items[i], queue_names[q]))
				queues |= IN(q);
	return queues;
}

/* A set of queue ids; NULL when all are meant. */
static struct map *
id_set(struct strs ids)
{
	struct map *set = ids.n ? map_new() : NULL;

	for (size_t i = 0; i < ids.n; i++)
		map_set(set, ids.items[i], set);
	return set;
}

static bool
in_set(const struct map *set, const struct message *m)
{
	return !set || map_get(set, str_c(m->queue_id));
}

static void
flush_all(void)
{
	size_t at = 0;
	struct message *m;

	schedule_revive();
	while (index_next(&queue_index, &at, &m))
		if (m->queue == QUEUE_DEFERRED)
			m->flush = true;
	index_wake_all(&queue_index);
	outside.wake_loader();
}

/* ---- asked by link: answered once spool has told what there is ---- */

bool
control_caller_may(const struct ipc_request *rq)
{
	return rq->caller->uid == 0 || rq->caller->uid == geteuid();
}

static bool
action_is_known(const struct queue_change_request *ask)
{
	if (ask->action == QUEUE_REROUTE)
		return str_chr(ask->route, ':') > 0;
	return ask->action < COUNT(actions) && actions[ask->action].apply;
}

/* The next that may be meant: of those that are named by mid, or else of all. Changing a
 * message moves it among lists and the heap, not in the table. */
static bool
next_meant(const struct queue_change_request *ask, size_t *at, struct message **m)
{
	if (ask->n_mids == 0)
		return index_next(&queue_index, at, m);
	while (*at < ask->n_mids)
		if ((*m = index_find(&queue_index, ask->mids[(*at)++].mid)))
			return true;
	return false;
}

static void
change_message(struct message *m, const struct queue_change_request *ask)
{
	if (ask->action == QUEUE_REROUTE)
		reroute_message(m, ask->route);
	else
		actions[ask->action].apply(m);
}

static void
change(const struct queue_change_request *ask, struct arena *arena,
	struct queue_change_reply *say)
{
	unsigned queues =
		ask->queues.n ? queues_named(ask->queues) : actions[ask->action].queues;
	struct map *ids = id_set(ask->queue_ids);
	size_t at = 0;
	struct message *m;
	VEC(struct str) changed = { NULL, 0, 0 };

	if (ask->action == QUEUE_FLUSH)
		schedule_revive(); /* else they would wait for their destination */
	while (next_meant(ask, &at, &m)) {
		if (!(queues & IN(m->queue)) || !in_set(ids, m) ||
			(ask->action == QUEUE_EXPIRE && m->expire))
			continue;
		change_message(m, ask);
		if (changed.n < AT_MOST)
			*vec_push(&changed) = arena_str(arena, str_c(m->queue_id));
	}
	say->changed.n = changed.n;
	say->changed.items = arena_alloc(arena, (changed.n + 1) * sizeof(struct str));
	if (changed.n)
		memcpy(say->changed.items, changed.items, changed.n * sizeof(struct str));
	vec_free(&changed);
	if (ids)
		map_free(ids);
	ticker_touch();
	outside.wake_loader();
}

void
control_change(struct ipc_request *rq)
{
	struct queue_change_request ask;
	struct queue_change_reply say = { 0 };

	if (!control_caller_may(rq))
		say.error = EPERM;
	else if (store_wait_told(deadline_in(TOLD_WAIT)) < 0)
		say.error = (uint32_t)errno;
	else if (queue_change_request_get(rq->payload, &ask, rq->arena) < 0 ||
		 !action_is_known(&ask))
		say.error = EINVAL;
	else if (ask.action == QUEUE_FLUSH && ask.queue_ids.n == 0)
		flush_all();
	else
		change(&ask, rq->arena, &say);
	queue_change_answer(rq, &say);
}

static struct queue_entry
entry_of(const struct message *m)
{
	return (struct queue_entry){ .mid = m->mid,
		.queue = str_c(queue_names[m->queue]),
		.queue_id = str_c(m->queue_id),
		.arrival_us = m->arrival_us,
		.size = m->size,
		.expire = m->expire,
		.segment = m->where.segment,
		.offset = m->where.offset,
		.length = m->where.length,
		.states = (struct spool_at *)(uintptr_t)message_states(m),
		.n_states = m->n_states };
}

/* Those with these ids, whatever their number; they are few. */
static size_t
list_named(struct strs queue_ids, uint64_t after, struct message **out, size_t most)
{
	struct map *ids = id_set(queue_ids);
	size_t n = 0, at = 0;
	struct message *m;

	while (n < most && index_next(&queue_index, &at, &m))
		if (m->queue != QUEUE_GONE && m->mid > after && in_set(ids, m))
			out[n++] = m;
	map_free(ids);
	return n;
}

void
control_list(struct ipc_request *rq)
{
	struct queue_list_request ask;
	struct queue_list_reply say = { 0 };
	struct message **found;
	size_t n, most;

	if (store_wait_told(deadline_in(TOLD_WAIT)) < 0) {
		if (rq->link)
			ipc_link_close(rq->link); /* no entries would mean none */
		ipc_done(rq);
		return;
	}
	if (!control_caller_may(rq) ||
		queue_list_request_get(rq->payload, &ask, rq->arena) < 0) {
		queue_list_answer(rq, &say);
		return;
	}
	most = ask.most ? MIN(ask.most, AT_MOST) : AT_MOST;
	found = arena_alloc(rq->arena, most * sizeof(struct message *));
	n = ask.queue_ids.n ? list_named(ask.queue_ids, ask.after, found, most)
			    : index_page(&queue_index, ask.after, found, most);
	say.n_entries = n;
	say.entries = arena_alloc(rq->arena, (n + 1) * sizeof(*say.entries));
	for (size_t i = 0; i < n; i++)
		say.entries[i] = entry_of(found[i]);
	queue_list_answer(rq, &say);
}

void
control_space(struct ipc_request *rq)
{
	if (control_caller_may(rq))
		store_pass_on(rq);
	else
		spool_space_answer(rq, &(struct spool_space_reply){ .error = EPERM });
}

/* ---- asked by anybody ---- */

static void
flush_id(struct str id)
{
	struct queue_change_request ask = { .action = QUEUE_FLUSH,
		.queue_ids = { .items = &id, .n = 1 } };
	struct queue_change_reply say = { 0 };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	change(&ask, arena, &say);
}

void
control_plain(struct conn *conn)
{
	deadline_t patience = deadline_in(PLAIN_WAIT);
	struct str bytes, line;

	if (store_wait_told(patience) < 0)
		return;
	conn->line_limit = ID_LIMIT + 1;
	while (conn_peek(conn, &bytes, patience) == CONN_OK && bytes.len) {
		char what = bytes.data[0];

		if (what == 'Q') { /* not one of Postfix's, from postkick or a script */
			if (conn_read_line(conn, &line, patience) != CONN_LINE)
				return;
			flush_id(str_from(line, 1));
			continue;
		}
		if (what == 'F')
			flush_all();
		conn_consume(conn, 1);
	}
	ticker_touch();
}
