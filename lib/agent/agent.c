/* agent.c -- see agent.h. */
#include "agent.h"
#include "explain.h"
#include "log.h"
#include "mailbox.h"
#include <errno.h>
#include <stdio.h>

/* Between two tries to reach a qmgr that is not there. */
#define QMGR_RETRY ((msec_t)1000)

static struct {
	SWITCHES void (*fn)(struct delivery *d);
	uint32_t slots; /* 0: takes no more */
	uint32_t most;
	struct ipc_link *link; /* NULL: lost */
	struct co_queue lost;
	unsigned running; /* deliveries in hand */
} agent;

/* ---- the link to qmgr ---- */

static void
agent_announce(uint32_t slots)
{
	struct agent_ready_note ready = { .transport = str_c(service_name()),
		.slots = slots };

	if (agent.link)
		agent_ready_send(agent.link, &ready);
}

static void
agent_link_closed(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	agent.link = NULL;
	co_wake_all(&agent.lost);
}

/* qmgr closed the link because it got all its answers, or is gone itself. */
static void
agent_leave_if_done(void)
{
	if (service_draining() && !agent.link && agent.running == 0)
		service_leave();
}

/* Keeps the registration alive until this process has to end. */
static void
agent_stay_registered(void *arg)
{
	(void)arg;
	co_name("agent registration");
	while (!service_draining()) {
		int fd = service_connect_peer("qmgr", deadline_in(10 * QMGR_RETRY));

		if (fd < 0) {
			if (co_sleep(deadline_in(QMGR_RETRY)) < 0)
				return;
			continue;
		}
		agent.link = ipc_link_open(
			fd, agent_handlers, NULL, agent_link_closed, "qmgr");
		agent_announce(agent.slots);
		while (agent.link)
			if (co_wait(&agent.lost, DEADLINE_NEVER) < 0)
				return;
	}
	agent_leave_if_done();
}

void
agent_run(SWITCHES void (*fn)(struct delivery *d), uint32_t slots)
{
	uint32_t limit = service_limit();

	agent.fn = fn;
	agent.slots = agent.most = limit ? MIN(slots, limit) : slots;
	co_spawn(agent_stay_registered, NULL, CO_STACK_SMALL);
}

void
agent_drain(void)
{
	agent.slots = 0; /* also for a link that is being made */
	agent_announce(0);
}

/* ---- the delivery record ---- */

/* a: before the queue manager took it up; b: until this agent began; c: connecting;
 * d: transmission. */
static struct str
delays_text(const struct delivery *d, int64_t now, int decimals)
{
	int64_t arrival = (int64_t)d->envelope.arrival_us;
	int64_t active = (int64_t)d->ask.active_us;
	int64_t sending = d->connected_us ? d->connected_us : d->started_us;

	return log_fmt("%.*s/%.*s/%.*s/%.*s",
		STR_ARG(log_delay(active - arrival, decimals)),
		STR_ARG(log_delay(d->started_us - active, decimals)),
		STR_ARG(log_delay(sending - d->started_us, decimals)),
		STR_ARG(log_delay(now - sending, decimals)));
}

static struct str
status_text(const struct judgement *j, bool probe)
{
	if (probe)
		return j->verdict == ACCEPT ? STR("deliverable") : STR("undeliverable");
	if (j->softened)
		return STR("SOFTBOUNCE");
	return j->verdict == ACCEPT     ? STR("sent")
	       : j->verdict == TEMPFAIL ? STR("deferred")
					: STR("bounced");
}

void
delivery_record(const struct delivery *d, struct str address, struct str original,
	const struct judgement *j, struct str relay)
{
	int decimals = d->conf->p.delay_logging_resolution_limit;
	int64_t now = time_wall_us();
	struct str total = log_delay(now - (int64_t)d->envelope.arrival_us, decimals);
	struct str conn_use = d->conn_use > 1 ? log_num(d->conn_use) : STR_NONE;

	if (explain_on) {
		explain_step("delivery", STR_NONE, address, explain_verdict(j->verdict),
			j->text);
		return;
	}
	log_line(DELIVERY, d->envelope.queue_id, address,
		str_case_eq(original, address) ? STR_NONE : original, relay, conn_use,
		total, delays_text(d, now, decimals), d->tls, str_c(j->code),
		status_text(j, d->ask.probe), j->text);
}

/* ---- outcomes ---- */

bool
delivery_decided(const struct delivery *d, size_t rcpt)
{
	return d->outcomes[rcpt].code.len > 0;
}

static void
settle(struct delivery *d, size_t rcpt, enum verdict verdict, const char *code,
	struct str text)
{
	struct outcome *o = &d->outcomes[rcpt];

	ensure(!delivery_decided(d, rcpt));
	o->verdict = (uint8_t)verdict;
	o->code = arena_str(d->arena, str_c(code));
	o->text = arena_str(d->arena, text);
}

void
delivery_settle(
	struct delivery *d, size_t rcpt, const struct judgement *j, struct str relay)
{
	struct str text = j->text;

	/* What the sender is told says more than the log line. */
	if (j->verdict == ACCEPT && !str_is(relay, "none") &&
		((d->envelope.rcpts[rcpt].notify & NOTIFY_SUCCESS) ||
			(d->envelope.flags & (ENVELOPE_REPORT | ENVELOPE_VERIFY))))
		text = arena_printf(d->arena, "delivery via " STR_FMT ": " STR_FMT,
			STR_ARG(relay), STR_ARG(text));
	settle(d, rcpt, j->verdict, j->code, text);
}

void
delivery_done(struct delivery *d, size_t rcpt, enum verdict verdict, const char *code,
	struct str relay, struct str text)
{
	struct judgement j = delivery_judge(d, verdict, code, text);

	delivery_settle(d, rcpt, &j, relay);
	delivery_record(d, d->envelope.rcpts[rcpt].address,
		rcpt_original(&d->envelope.rcpts[rcpt]), &j, relay);
}

void
delivery_all(struct delivery *d, enum verdict verdict, const char *code, struct str relay,
	struct str text)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		if (!delivery_decided(d, i))
			delivery_done(d, i, verdict, code, relay, text);
}

bool
delivery_was_here(const struct delivery *d, struct str address)
{
	address = address_quote(address, d->arena); /* as the field has it */
	for (size_t i = 0; i < d->envelope.attributes.n; i++) {
		struct str at = d->envelope.attributes.items[i];

		if (str_starts(at, STR(ATTRIBUTE_DELIVERED)) &&
			str_case_eq(
				str_from(at, sizeof(ATTRIBUTE_DELIVERED) - 1), address))
			return true;
	}
	return false;
}

void
delivery_headers(const struct delivery *d, const struct rcpt *rcpt, struct str sender,
	unsigned which, struct buf *out)
{
	if (which & HEADER_RETURN_PATH) {
		buf_addz(out, "Return-Path: <");
		address_put(out, sender);
		buf_addz(out, ">\n");
	}
	if ((which & HEADER_ORIGINAL_TO) && d->conf->p.enable_original_recipient) {
		buf_addz(out, "X-Original-To: ");
		address_put(out, rcpt_original(rcpt));
		buf_addc(out, '\n');
	}
	if (which & HEADER_DELIVERED_TO) {
		buf_addz(out, "Delivered-To: ");
		address_put(out, rcpt->address);
		buf_addc(out, '\n');
	}
}

void
delivery_pass(struct delivery *d, size_t rcpt, struct str to)
{
	settle(d, rcpt, TEMPFAIL, "4.3.0", STR("not delivered here"));
	d->outcomes[rcpt].pass_to = arena_str(d->arena, to);
}

static void
set_detail(struct delivery *d, size_t rcpt, const struct dsn_detail *detail)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	dsn_detail_put(&bytes, detail);
	d->outcomes[rcpt].detail = arena_str(d->arena, buf_str(&bytes));
}

void
delivery_remote(struct delivery *d, size_t rcpt, struct str mta, struct str reply)
{
	set_detail(d, rcpt,
		&(struct dsn_detail){
			.remote_mta = mta,
			.diagnostic = reply,
			.diagnostic_is_smtp = 1,
			.when_us = (uint64_t)time_wall_us(),
		});
}

void
delivery_relayed(struct delivery *d, size_t rcpt)
{
	set_detail(d, rcpt, &(struct dsn_detail){ .expanded = false });
}

void
delivery_expanded(struct delivery *d, size_t rcpt)
{
	set_detail(d, rcpt, &(struct dsn_detail){ .expanded = true });
}

/* ---- one delivery ---- */

static void
delivery_reply(struct ipc_request *rq, struct delivery *d)
{
	struct deliver_reply say = {
		.outcomes = d->outcomes,
		.n_outcomes = d->envelope.n_rcpts,
		.site_down = d->site_down,
		.site_code = d->site_code,
		.site_text = d->site_text,
		.exchangers = d->exchangers,
	};

	deliver_answer(rq, &say);
}

/* All that this process may have are in hand, or were until now: the line may have more
 * processes. */
static void
tell_limit(int change)
{
	if (agent.running == agent.most)
		service_full(change > 0);
}

static void
agent_deliver(struct ipc_request *rq)
{
	struct delivery d = { .arena = rq->arena,
		.conf = service_conf(),
		.rest_fd = rq->fd,
		.started_us = time_wall_us() };

	if (deliver_request_get(rq->payload, &d.ask, rq->arena) < 0 ||
		envelope_get(d.ask.envelope, &d.envelope, rq->arena) < 0 ||
		d.envelope.n_rcpts == 0 || (d.ask.rest > 0 && rq->fd < 0)) {
		log_warn("qmgr sent a malformed delivery request: dropping the link");
		ipc_link_close(rq->link);
		ipc_done(rq);
		return;
	}
	/* Its lines can be told from those of others, as with a process for each. */
	log_session(service_next_session());
	service_busy(+1);
	agent.running++;
	tell_limit(+1);
	d.outcomes = arena_alloc(rq->arena, d.envelope.n_rcpts * sizeof(*d.outcomes));
	service_renew_tables();
	agent.fn(&d);
	delivery_all(&d, TEMPFAIL, "4.3.0", STR("none"), STR("delivery was interrupted"));
	delivery_reply(rq, &d);
	tell_limit(-1);
	agent.running--;
	service_busy(-1);
	agent_leave_if_done();
}

const struct ipc_handler agent_handlers[] = {
	{ .type = deliver_TYPE, .run = agent_deliver, .stack = CO_STACK_LARGE },
	{ 0 },
};
