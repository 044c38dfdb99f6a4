/* active.c -- see active.h. */
#include "active.h"
#include "agent.h"
#include "backoff.h"
#include "log.h"
#include "outside.h"
#include "store.h"
#include "ticker.h"
#include "verp.h"
#include <stdlib.h>

/* Agents that may die under a recipient in one attempt. */
#define LOST_LIMIT 2
/* How often one may be passed to another transport within an attempt. */
#define PASS_LIMIT 3

struct index queue_index;

static struct {
	size_t messages, recipients;
} count;

/* ---- taking up ---- */

bool
active_has_room(void)
{
	return count.messages < (size_t)outside.conf->p.qmgr_message_active_limit &&
	       count.recipients < (size_t)outside.conf->p.qmgr_message_recipient_limit;
}

size_t
active_count(void)
{
	return count.messages;
}

/* Arenas of messages that ended, for those that come. */
static struct {
	struct arena *spare[64];
	size_t n;
} arenas;

struct arena *
active_arena(void)
{
	return arenas.n ? arenas.spare[--arenas.n] : arena_new();
}

static void
leave_arena(struct arena *arena)
{
	if (arenas.n == COUNT(arenas.spare)) {
		arena_free(arena);
		return;
	}
	arena_reset(arena);
	arenas.spare[arenas.n++] = arena;
}

static void
active_free(struct active *a)
{
	struct arena *arena = a->arena;

	a->message->active = NULL;
	a->message->worked_on = false;
	count.messages--;
	count.recipients -= a->envelope.n_rcpts;
	fd_close(&a->content_fd);
	leave_arena(arena);
	outside.wake_loader();
}

/* The recipients that a state record is about; calls fn for each. */
static void
state_rcpts(struct active *a, const struct spool_state *s,
	void (*fn)(struct active *, uint32_t, const struct spool_state *))
{
	if (s->rcpts.len == 0)
		for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
			fn(a, i, s);
	for (size_t at = 0; at + 4 <= s->rcpts.len; at += 4) {
		uint32_t n = get_u32(s->rcpts.data + at);

		if (n < a->envelope.n_rcpts)
			fn(a, n, s);
	}
}

static void
apply_state(struct active *a, uint32_t n, const struct spool_state *s)
{
	struct rcpt_now *r = &a->now[n];

	if (s->kind == SPOOL_DEFERRED)
		a->reporting = a->verifying; /* sendmail -v is about the first attempt */
	else if (s->kind == SPOOL_DONE)
		r->state = RCPT_DONE;
	else if (s->kind == SPOOL_NOTIFIED)
		r->state = RCPT_NOTIFIED;
	else if (s->kind == SPOOL_FAILED && r->state != RCPT_NOTIFIED)
		*r = (struct rcpt_now){ .state = a->verifying || str_starts(s->status,
									 STR("2"))
							 ? RCPT_REPORTED
							 : RCPT_FAILED,
			.code = s->status,
			.text = s->reason,
			.detail = s->detail };
	else if (s->kind == SPOOL_DELAY_SENT)
		a->delay_sent = true;
}

/* Of an alias that became other recipients, only its notice is left to be sent. */
static void
decide_expanded(struct active *a)
{
	struct dsn_detail detail = { .expanded = true };
	struct buf coded CLEANUP(buf_free) = BUF_INIT;
	bool told = a->envelope.sender.len > 0;

	dsn_detail_put(&coded, &detail);
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if ((a->envelope.rcpts[i].notify & NOTIFY_EXPANDED) &&
			a->now[i].state == RCPT_TODO)
			a->now[i] = (struct rcpt_now){
				.state = told ? RCPT_REPORTED : RCPT_NOTIFIED,
				.code = STR("2.0.0"),
				.text = STR("alias expanded"),
				.detail = arena_str(a->arena, buf_str(&coded)),
			};
}

/* Those for which nothing is left to do but a notice, or not even that, are decided. */
static void
apply_states(struct active *a, const struct spool_state *states, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (states[i].kind == SPOOL_DONE || states[i].kind == SPOOL_FAILED ||
			states[i].kind == SPOOL_NOTIFIED ||
			states[i].kind == SPOOL_DEFERRED ||
			states[i].kind == SPOOL_DELAY_SENT)
			state_rcpts(a, &states[i], apply_state);
	if (a->n_expanded > 0)
		decide_expanded(a);
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		a->undecided += a->now[i].state == RCPT_TODO;
}

static void
route_failed(struct active *a, uint32_t n, enum verdict verdict, const struct why *why)
{
	active_settle_here(a, n, verdict, why->code, str_c(why->text));
}

/* Queues one recipient at a destination, or decides it where that cannot be. */
static void
queue_at(struct active *a, uint32_t n, struct str transport, struct str nexthop)
{
	struct transport *t = transport_get(transport);
	struct destination *d;

	if (t->deferred && !a->message->flush) {
		active_settle_here(a, n, TEMPFAIL, "4.3.2", STR("deferred transport"));
		return;
	}
	if (transport_is_dead(t)) {
		active_settle_here(
			a, n, TEMPFAIL, "4.3.0", STR("mail transport unavailable"));
		return;
	}
	d = destination_get(t, nexthop, a->envelope.rcpts[n].address);
	if (destination_is_dead(d))
		active_settle_here(a, n, TEMPFAIL, d->why.code,
			arena_printf(a->arena, "delivery temporarily suspended: %s",
				d->why.text));
	else
		schedule_add(a, d, n);
}

/* An agent may name another transport (mailbox_transport), but not send mail in circles.
 */
void
active_pass(struct active *a, uint32_t n, struct str to)
{
	struct str transport;

	if (a->cancelled || !str_split(&to, ':', &transport) || transport.len == 0 ||
		a->now[n].passed++ >= PASS_LIMIT)
		active_settle_here(
			a, n, TEMPFAIL, "4.3.5", STR("mail system configuration error"));
	else
		queue_at(a, n, transport, to);
}

/* Finds the destination of one recipient and queues it there, or decides it at once. */
static void
route_one(struct active *a, uint32_t n)
{
	struct rcpt *r = &a->envelope.rcpts[n];
	struct route_result to;
	struct why why = { 0 };
	enum verdict v;

	if (a->filter.len > 0) {
		route_through(outside.route, a->filter, r->address, &to);
		queue_at(a, n, to.transport, to.nexthop);
		return;
	}
	v = route_resolve(
		outside.route, a->envelope.sender, r->address, a->arena, &to, &why);
	if (a->cancelled)
		return; /* while a look-up waited */
	if (v != ACCEPT) {
		route_failed(a, n, v, &why);
		return;
	}
	if (!str_eq(to.recipient, r->address)) {
		if (!r->original.data && r->address.len > 0)
			r->original = r->address;
		r->address = arena_str(a->arena, to.recipient);
	}
	queue_at(a, n, to.transport, to.nexthop);
}

static void attempt_ended(struct active *a);

/* Settling the last recipient would end the attempt, and a, under our feet: `resolving`
 * holds that back. */
static void
route_all(void *arg)
{
	struct active *a = arg;

	for (uint32_t i = 0; i < a->envelope.n_rcpts && !a->cancelled; i++)
		if (a->now[i].state == RCPT_TODO)
			route_one(a, i);
	a->resolving = false;
	if (a->cancelled || a->undecided == 0)
		attempt_ended(a);
}

/* The envelope in the log does not decode: never the mail's fault. */
static void
envelope_is_damaged(struct message *m, struct arena *arena)
{
	m->worked_on = false;
	store_hold_damaged(m);
	arena_free(arena);
}

static struct str
find_filter(const struct envelope *e)
{
	for (size_t i = 0; i < e->attributes.n; i++)
		if (str_starts(e->attributes.items[i], STR(ATTRIBUTE_FILTER)))
			return str_from(
				e->attributes.items[i], sizeof(ATTRIBUTE_FILTER) - 1);
	return STR_NONE;
}

void
active_start(struct message *m, struct arena *arena, struct str envelope,
	const struct spool_state *states, size_t n_states)
{
	struct active *a = arena_alloc(arena, sizeof(*a));

	a->message = m;
	a->arena = arena;
	a->content_fd = -1;
	if (envelope_get(envelope, &a->envelope, arena) < 0 || a->envelope.n_rcpts == 0 ||
		a->envelope.n_rcpts > UINT32_MAX) {
		envelope_is_damaged(m, arena);
		return;
	}
	a->filter = find_filter(&a->envelope);
	index_set_queue(&queue_index, m, QUEUE_ACTIVE);
	m->active = a;
	m->worked_on = true;
	count.messages++;
	count.recipients += a->envelope.n_rcpts;
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		a->n_expanded += (a->envelope.rcpts[i].notify & NOTIFY_EXPANDED) != 0;
	a->now = arena_alloc(arena, a->envelope.n_rcpts * sizeof(*a->now));
	a->chain = arena_alloc(arena, a->envelope.n_rcpts * sizeof(*a->chain));
	a->taken_us = outside.now_us();
	a->verp = verp_delimiters(&a->envelope);
	a->verifying = (a->envelope.flags & ENVELOPE_VERIFY) != 0;
	a->reporting = a->verifying || (a->envelope.flags & ENVELOPE_REPORT);
	apply_states(a, states, n_states);
	log_line(QMGR_ACTIVE, str_c(m->queue_id), a->envelope.sender,
		log_num((int64_t)m->size),
		log_num((int64_t)(a->envelope.n_rcpts - a->n_expanded)));
	a->resolving = true;
	outside.where_tables_work(route_all, a);
}

/* ---- outcomes ---- */

/* RFC 3461 section 4.1 and 5.2: a host that does DSN itself takes the wish over. Who was
 * told of a delay hears of its end where confirm_delay_cleared says so. */
static bool
success_is_reported(const struct active *a, uint32_t n, const struct outcome *o)
{
	uint8_t notify = a->envelope.rcpts[n].notify;

	if (a->reporting)
		return true;
	if (o->relayed || a->envelope.sender.len == 0)
		return false;
	return (notify & NOTIFY_SUCCESS) ||
	       (a->delay_sent && outside.conf->p.confirm_delay_cleared &&
		       (notify == 0 || (notify & NOTIFY_DELAY)));
}

void
active_settle(struct active *a, uint32_t n, const struct outcome *o)
{
	struct rcpt_now *r = &a->now[n];

	ensure(r->state == RCPT_TODO && a->undecided > 0);
	a->undecided--;
	if (a->verifying)
		r->state = RCPT_REPORTED;
	else if (o->verdict == ACCEPT)
		r->state = success_is_reported(a, n, o) ? RCPT_REPORTED : RCPT_DONE;
	else
		r->state = o->verdict == PERMFAIL ? RCPT_FAILED : RCPT_DEFERRED;
	if (r->state == RCPT_DONE)
		return;
	r->code = arena_str(a->arena, o->code);
	r->text = arena_str(a->arena, o->text);
	r->detail = arena_str(a->arena, o->detail);
}

void
active_settle_here(struct active *a, uint32_t n, enum verdict verdict, const char *code,
	struct str text)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct outcome outcome = { 0 };
	struct delivery d = {
		.envelope = a->envelope,
		.outcomes = &outcome,
		.arena = scratch,
		.conf = outside.conf,
		.started_us = outside.now_us(),
	};

	d.envelope.rcpts = &a->envelope.rcpts[n];
	d.envelope.n_rcpts = 1;
	d.ask.active_us = (uint64_t)a->taken_us;
	d.ask.probe = a->verifying;
	delivery_done(&d, 0, verdict, code, STR("none"), text);
	active_settle(a, n, &outcome);
	active_settled(a, &n, 1);
	if (a->undecided == 0 && a->flights == 0)
		attempt_ended(a);
}

static void
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

static bool
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

static void
add_rcpt(struct buf *rcpts, uint32_t n)
{
	char at[4];

	put_u32(at, n);
	buf_add(rcpts, str_of(at, 4));
}

/* One record for the recipients of `list` in this state that share a reason; `list` loses
 * them (they become UINT32_MAX). */
static void
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

void
active_lost(struct active *a, struct destination *d, const uint32_t *rcpts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a->cancelled || a->now[rcpts[i]].lost++ >= LOST_LIMIT)
			active_settle_here(a, rcpts[i], TEMPFAIL, "4.3.0",
				STR("unknown mail transport error"));
		else
			schedule_add(a, d, rcpts[i]);
	}
}

void
active_flight_ended(struct active *a)
{
	ensure(a->flights > 0);
	a->flights--;
	if (a->flights == 0 && (a->undecided == 0 || a->cancelled))
		attempt_ended(a);
}

/* ---- the end of an attempt ---- */

static struct backoff_rules
backoff(void)
{
	const struct params *p = &outside.conf->p;

	return (struct backoff_rules){ .least = p->minimal_backoff_time,
		.most = p->maximal_backoff_time,
		.run_delay = p->queue_run_delay,
		.lifetime = p->maximal_queue_lifetime,
		.bounce_lifetime = p->bounce_queue_lifetime };
}

static msec_t
age_of(const struct active *a)
{
	int64_t age = (outside.now_us() - (int64_t)a->message->arrival_us) / 1000;

	return MAX(age, 0); /* a clock that was set back */
}

/* All recipients in a state, for write_alike. The caller frees it. */
static uint32_t *
rcpts_in(const struct active *a, enum rcpt_state state, size_t *n)
{
	uint32_t *list = mem_alloc((a->envelope.n_rcpts + 1) * sizeof(*list));

	*n = 0;
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		if (a->now[i].state == state)
			list[(*n)++] = i;
	return list;
}

/* What was deferred has been so for too long: it failed. */
static void
expire(struct active *a)
{
	size_t n;
	uint32_t *list = rcpts_in(a, RCPT_DEFERRED, &n);
	struct backoff_rules rules = backoff();

	if (n && !a->soon &&
		(a->message->expire || backoff_expired(&rules, age_of(a),
					       a->envelope.sender.len == 0))) {
		log_line(QMGR_EXPIRED, str_c(a->message->queue_id), a->envelope.sender,
			a->message->expire ? STR("force-expired") : STR("expired"));
		for (size_t i = 0; i < n; i++)
			a->now[list[i]].state = RCPT_FAILED;
		write_alike(a, list, n, RCPT_FAILED, SPOOL_FAILED, 0);
	}
	mem_free(list);
}

/* delay_warning_time: once for a message, when an attempt of it ends late. Nobody is told
 * of the delay of a notice. */
static bool
is_late(const struct active *a)
{
	msec_t limit = outside.conf->p.delay_warning_time;

	return limit > 0 && !a->delay_sent && !a->soon && a->envelope.sender.len > 0 &&
	       age_of(a) >= limit;
}

/* RFC 3461 section 4.1: no NOTIFY at all means that failures are reported, and delays
 * where that is done at all. */
bool
active_notice_is_due(const struct active *a, uint32_t n, unsigned kind)
{
	uint8_t notify = a->envelope.rcpts[n].notify;

	switch (kind) {
	case NOTICE_FAILURE:
		return a->now[n].state == RCPT_FAILED &&
		       (notify == 0 || (notify & NOTIFY_FAILURE));
	case NOTICE_SUCCESS:
		return a->now[n].state == RCPT_REPORTED ||
		       (a->reporting && (a->now[n].state == RCPT_FAILED ||
						a->now[n].state == RCPT_DEFERRED));
	default:
		return a->now[n].state == RCPT_DEFERRED && is_late(a) &&
		       (notify == 0 || (notify & NOTIFY_DELAY));
	}
}

static bool
any_notice_is_due(const struct active *a)
{
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		for (unsigned kind = NOTICE_FAILURE; kind <= NOTICE_SUCCESS; kind++)
			if (active_notice_is_due(a, i, kind))
				return true;
	return false;
}

/* What needs no notice, or whose notice was accepted, is over. */
static void
ends_are_over(struct active *a, unsigned accepted)
{
	struct buf rcpts CLEANUP(buf_free) = BUF_INIT;

	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		unsigned kind =
			a->now[i].state == RCPT_FAILED ? NOTICE_FAILURE : NOTICE_SUCCESS;

		if ((a->now[i].state != RCPT_FAILED &&
			    a->now[i].state != RCPT_REPORTED) ||
			(active_notice_is_due(a, i, kind) && !(accepted & 1u << kind)))
			continue;
		a->now[i].state = RCPT_NOTIFIED;
		add_rcpt(&rcpts, i);
	}
	if (rcpts.len && !all_over(a))
		write_state(a, SPOOL_NOTIFIED, &rcpts, NULL, 0);
}

static void
sleep_until_next(struct active *a)
{
	struct backoff_rules rules = backoff();
	msec_t delay = a->soon ? 1000 : backoff_delay(&rules, age_of(a));
	uint64_t when_us = (uint64_t)outside.now_us() + (uint64_t)delay * 1000;
	size_t n;
	uint32_t *list = rcpts_in(a, RCPT_DEFERRED, &n);
	struct message *m = a->message;

	write_alike(a, list, n, RCPT_DEFERRED, SPOOL_DEFERRED, when_us);
	mem_free(list);
	m->flush = false;
	active_free(a);
	index_sleep(&queue_index, m, (uint32_t)((when_us + 999999) / 1000000));
	ticker_touch();
}

static void
message_ends(struct active *a)
{
	struct message *m = a->message;

	active_free(a);
	store_finish(m);
}

static void
attempt_over(struct active *a)
{
	ends_are_over(a, 0);
	if (all_over(a))
		message_ends(a);
	else
		sleep_until_next(a);
}

/* The message was deleted or put on hold while it was worked on. */
static void
cancelled(struct active *a)
{
	struct message *m = a->message;
	enum queue_name queue = (enum queue_name)m->queue;

	if (queue != QUEUE_GONE && a->undecided == 0 && all_over(a)) {
		message_ends(a);
		return;
	}
	active_free(a);
	if (queue == QUEUE_GONE && m->confirmed)
		index_remove(&queue_index, m);
	else if (queue != QUEUE_GONE && queue != QUEUE_ON_HOLD) /* released again */
		index_make_ready(&queue_index, m, false);
}

static void
attempt_ended(struct active *a)
{
	if (a->resolving || a->noticing || a->flights > 0)
		return;
	if (a->cancelled) {
		cancelled(a);
		return;
	}
	expire(a);
	if (any_notice_is_due(a)) {
		a->noticing = true;
		outside.send_notice(a);
	} else {
		attempt_over(a);
	}
}

/* The record outlives a restart: nobody is told twice. */
static void
delay_was_told(struct active *a)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;

	a->delay_sent = true;
	write_state(a, SPOOL_DELAY_SENT, &all, NULL, 0);
}

void
active_notices_ended(struct active *a, unsigned accepted)
{
	a->noticing = false;
	ends_are_over(a, accepted);
	if (accepted & 1u << NOTICE_DELAY && !a->cancelled)
		delay_was_told(a);
	if (a->cancelled)
		cancelled(a);
	else
		attempt_over(a);
}

void
active_cancel(struct active *a)
{
	a->cancelled = true;
	schedule_cancel(a);
	attempt_ended(a);
}
