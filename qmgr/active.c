/* active.c -- see active.h. */
#include "active_impl.h"
#include "agent.h"
#include "events.h"
#include "log.h"
#include "outside.h"
#include "store.h"
#include "suspend.h"
#include "verp.h"

/* Agents that may die under a recipient in one attempt. */
#define LOST_LIMIT 2
/* How often one may be passed to another transport within an attempt. */
#define PASS_LIMIT 3

/* Envelopes are in memory whole: recipients without a destination are this much cheaper
 * than those that qmgr_message_recipient_limit counts. */
#define HELD_FACTOR 50

struct index queue_index;

static struct {
	size_t messages, recipients;
} count;

/* ---- taking up ---- */

bool
active_has_room(void)
{
	const struct params *p = &outside.conf->p;

	return count.messages < (size_t)p->qmgr_message_active_limit &&
	       count.recipients / HELD_FACTOR < (size_t)p->qmgr_message_recipient_limit;
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

void
active_free(struct active *a)
{
	struct arena *arena = a->arena;

	a->message->active = NULL;
	a->message->worked_on = false;
	count.messages--;
	count.recipients -= a->envelope.n_rcpts;
	refill_end(a);
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
		if (states[i].kind == SPOOL_REQUEUE)
			a->message->requeue = true;
		else if (states[i].kind == SPOOL_REROUTE)
			a->filter = states[i].reason;
		else if (states[i].kind == SPOOL_DONE || states[i].kind == SPOOL_FAILED ||
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
	const struct suspension *suspension;
	struct destination *d;

	suspension = suspend_why(transport, nexthop);
	if (suspension) {
		a->message->suspended = true;
		active_settle_here(
			a, n, TEMPFAIL, "4.3.2", suspend_text(suspension, a->arena));
		return;
	}
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

/* Mail to the address of last resort in a domain of ours goes nowhere, whichever
 * transport such a domain has (contract 10). */
static bool
is_last_resort(const struct route_result *to)
{
	struct str local, domain;

	address_split(to->recipient, &local, &domain);
	return to->class == CLASS_LOCAL &&
	       str_case_eq(local, outside.conf->p.double_bounce_sender);
}

/* Finds the destination of one recipient and queues it there, or decides it at once. */
static void
route_one(struct active *a, uint32_t n)
{
	struct rcpt *r = &a->envelope.rcpts[n];
	struct route_result to;
	struct why why = { 0 };
	enum verdict v;

	if (a->filter.len > 0 && !a->verifying) { /* a question is about the address */
		route_through(outside.route, a->filter, r->address, &to);
		queue_at(a, n, to.transport, to.nexthop);
		return;
	}
	v = route_resolve(outside.route,
		a->envelope.flags & ENVELOPE_PROBE ? ROUTE_FOR_PROBE : ROUTE_FOR_MAIL,
		a->envelope.sender, r->address, a->arena, &to, &why);
	if (a->cancelled)
		return; /* while a look-up waited */
	if (v != TEMPFAIL && !str_eq(to.recipient, r->address)) {
		if (!r->original.data && r->address.len > 0)
			r->original = r->address;
		r->address = arena_str(a->arena, to.recipient);
	}
	if (v != ACCEPT) {
		route_failed(a, n, v, &why);
		return;
	}
	if (is_last_resort(&to))
		active_settle_here(a, n, ACCEPT, "2.0.0",
			STR("undeliverable postmaster notification discarded"));
	else
		queue_at(a, n, to.transport, to.nexthop);
}

static void
route_batch(struct active *a)
{
	for (size_t most = refill_batch(a);
		most > 0 && a->unrouted > 0 && !a->cancelled;) {
		uint32_t n = a->routed++;

		if (a->now[n].state != RCPT_TODO)
			continue;
		a->unrouted--;
		most--;
		route_one(a, n);
	}
}

/* Settling the last recipient would end the attempt, and a, under our feet: `resolving`
 * holds that back. */
static void
route_some(void *arg)
{
	struct active *a = arg;

	do
		route_batch(a);
	while (a->unrouted > 0 && in_hand(a) == 0 && !a->cancelled);
	a->resolving = false;
	if (a->unrouted == 0)
		refill_end(a);
	if (a->cancelled || a->undecided == 0)
		attempt_ended(a);
}

void
active_refill(struct active *a)
{
	a->resolving = true;
	outside.where_tables_work(route_some, a);
}

static void
requeue(struct active *a)
{
	a->on_errand = true;
	outside.requeue(a);
}

/* The envelope in the log does not decode: never the mail's fault. */
static void
envelope_is_damaged(struct message *m, struct arena *arena)
{
	m->worked_on = false;
	store_hold_damaged(m);
	arena_free(arena);
}

struct str
active_filter(const struct envelope *e)
{
	return envelope_attribute(e, STR(ATTRIBUTE_FILTER));
}

void
active_start(struct message *m, struct arena *arena, struct str envelope,
	const struct spool_state *states, size_t n_states)
{
	static uint64_t number;
	struct active *a = arena_alloc(arena, sizeof(*a));

	a->message = m;
	a->number = ++number;
	a->arena = arena;
	a->content_fd = -1;
	if (envelope_get(envelope, &a->envelope, arena) < 0 || a->envelope.n_rcpts == 0 ||
		a->envelope.n_rcpts > UINT32_MAX) {
		envelope_is_damaged(m, arena);
		return;
	}
	a->filter = active_filter(&a->envelope);
	index_set_queue(&queue_index, m, QUEUE_ACTIVE);
	m->active = a;
	m->worked_on = true;
	m->suspended = false;
	count.messages++;
	count.recipients += a->envelope.n_rcpts;
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
		a->n_expanded += (a->envelope.rcpts[i].notify & NOTIFY_EXPANDED) != 0;
	a->now = arena_alloc(arena, a->envelope.n_rcpts * sizeof(*a->now));
	a->chain = arena_alloc(arena, a->envelope.n_rcpts * sizeof(*a->chain));
	a->taken_us = outside.now_us();
	a->verp = verp_delimiters(&a->envelope);
	a->srs = envelope_attribute(&a->envelope, STR(ATTRIBUTE_SRS));
	a->verifying = (a->envelope.flags & (ENVELOPE_VERIFY | ENVELOPE_PROBE)) != 0;
	a->reporting = a->verifying || (a->envelope.flags & ENVELOPE_REPORT);
	apply_states(a, states, n_states);
	if (m->requeue && a->undecided > 0) {
		requeue(a);
		return;
	}
	log_line(QMGR_ACTIVE, str_c(m->queue_id), a->envelope.sender,
		log_num((int64_t)m->size),
		log_num((int64_t)(a->envelope.n_rcpts - a->n_expanded)));
	refill_begin(a);
	active_refill(a);
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
	events_outcome(a, n, NULL, &outcome);
	active_settled(a, &n, 1);
	refill_look(a, NULL);
	if (a->undecided == 0 && a->flights == 0)
		attempt_ended(a);
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
active_flight_ended(struct active *a, struct transport *t)
{
	ensure(a->flights > 0);
	a->flights--;
	refill_look(a, t);
	if (a->flights == 0 && (a->undecided == 0 || a->cancelled))
		attempt_ended(a);
}
