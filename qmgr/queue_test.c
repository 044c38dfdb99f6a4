/* The whole queue manager against a spool, agents and a bounce of our own making, over
 * socket pairs and with a clock that we move. */
#include "test.h"
#include "active.h"
#include "control.h"
#include "delivery.h"
#include "event.h"
#include "loader.h"
#include "log.h"
#include "outside.h"
#include "resolver.h"
#include "schedule.h"
#include "store.h"
#include "ticker.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND    INT64_C(1000000)
#define START     (INT64_C(1700000000) * SECOND)
#define PATIENCE  ((msec_t)10000)
#define FAKE_MOST 64

struct outside outside;

static struct arena *arena; /* the test's */
static int64_t now;

/* ---- the fake spool: messages, and everything that was said about them ---- */

static struct fake_message {
	struct buf envelope, content;
	struct spool_message_note note;
	VEC(struct spool_state) states;
	bool ended;
} messages[FAKE_MOST];
static struct ipc_link *spool_link;
static struct buf said;    /* "1 FINISHED\n..." */
static bool spool_is_deaf; /* keeps updates unanswered */
static int read_error;     /* of the next read */

static const char *const kind_names[] = { "", "DONE", "FAILED", "DEFERRED", "NOTIFIED",
	"HOLD", "RELEASE", "EXPIRE", "WAKE", "FINISHED", "DELAY", "REQUEUE", "REROUTE" };

static struct fake_message *
fake(uint64_t mid)
{
	ensure(mid < FAKE_MOST);
	return &messages[mid];
}

static void
remember_state(const struct spool_state *s)
{
	struct fake_message *m = fake(s->mid);
	struct spool_state *copy = vec_push(&m->states);

	*copy = *s;
	copy->rcpts = arena_str(arena, s->rcpts);
	copy->status = arena_str(arena, s->status);
	copy->reason = arena_str(arena, s->reason);
	copy->detail = arena_str(arena, s->detail);
	m->ended |= s->kind == SPOOL_FINISHED;
	buf_printf(&said, "%d %s", (int)s->mid, kind_names[s->kind]);
	for (size_t i = 0; i + 4 <= s->rcpts.len; i += 4)
		buf_printf(&said, "%c%u", i ? ',' : ' ', get_u32(s->rcpts.data + i));
	if (s->reason.len)
		buf_printf(&said, " %.*s %.*s", STR_ARG(s->status), STR_ARG(s->reason));
	if (s->kind == SPOOL_DEFERRED)
		buf_printf(&said, " +%lld",
			((long long)s->when_us - (long long)now) / SECOND);
	buf_addc(&said, '\n');
}

/* Its states are "at" segment 1, one after the other. */
static void
announce(uint64_t mid, bool with_envelope)
{
	struct fake_message *m = fake(mid);
	struct spool_message_note note = m->note;

	note.envelope = with_envelope ? buf_str(&m->envelope) : STR_NONE;
	note.n_states = m->states.n;
	note.states = arena_alloc(arena, (m->states.n + 1) * sizeof(*note.states));
	for (size_t i = 0; i < m->states.n; i++)
		note.states[i] = (struct spool_at){ 1, (uint32_t)i, 1 };
	spool_message_send(spool_link, &note);
}

static void
tell_places(uint64_t mid)
{
	struct fake_message *m = fake(mid);
	struct spool_moved_note note = {
		.mid = mid, .length = 1, .n_states = m->states.n
	};

	note.states = arena_alloc(arena, (m->states.n + 1) * sizeof(*note.states));
	for (size_t i = 0; i < m->states.n; i++)
		note.states[i] = (struct spool_at){ 1, (uint32_t)i, 1 };
	spool_moved_send(spool_link, &note);
}

static void
on_update(struct ipc_request *rq)
{
	struct spool_update_request ask;
	struct spool_update_reply say = { 0 };

	if (spool_is_deaf) {
		ipc_reply(rq, STR_NONE, -1); /* dropped with the link, which goes first */
		return;
	}
	CHECK_INT(spool_update_request_get(rq->payload, &ask, rq->arena), 0);
	for (size_t i = 0; i < ask.n_states; i++)
		remember_state(&ask.states[i]);
	for (size_t i = 0; i < ask.n_states; i++)
		if (!fake(ask.states[i].mid)->ended)
			tell_places(ask.states[i].mid);
	spool_update_answer(rq, &say);
}

static void
on_watch(struct ipc_request *rq)
{
	struct spool_watch_reply say = { 0 };

	for (uint64_t mid = 1; mid < FAKE_MOST; mid++)
		if (fake(mid)->note.mid && !fake(mid)->ended)
			announce(mid, false);
	spool_watch_answer(rq, &say);
}

static void
on_pace(struct ipc_request *rq)
{
	struct spool_pace_note note;

	CHECK_INT(spool_pace_note_get(rq->payload, &note, rq->arena), 0);
	buf_addz(&said, note.behind ? "behind\n" : "caught up\n");
	ipc_done(rq);
}

static const struct ipc_handler spool_handlers[] = {
	{ .type = spool_pace_TYPE, .run = on_pace, .direct = true },
	{ .type = spool_update_TYPE, .run = on_update, .direct = true },
	{ .type = spool_watch_TYPE, .run = on_watch, .direct = true },
	{ 0 },
};

static void
spool_closed(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	if (spool_link == link)
		spool_link = NULL;
}

static void
spool_connect(void)
{
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	spool_link = ipc_link_open(pair[0], spool_handlers, NULL, spool_closed, "qmgr");
	store_attach(pair[1]);
}

static int
fake_read(uint64_t mid, struct spool_where at, bool envelope_only, struct arena *a,
	struct spool_content *out)
{
	struct fake_message *m = fake(mid);

	(void)at;
	if (read_error) {
		errno = read_error;
		read_error = 0;
		return -1;
	}
	*out = (struct spool_content){ .queue_id = m->note.queue_id,
		.envelope = arena_str(a, buf_str(&m->envelope)),
		.content = envelope_only ? STR("") : arena_str(a, buf_str(&m->content)),
		.size = m->content.len,
		.body_fd = -1,
		.arrival_us = m->note.arrival_us };
	return 0;
}

static int
fake_read_states(uint64_t mid, struct spool_where at, struct arena *a,
	struct spool_state **states, size_t *n)
{
	(void)a;
	*states = &fake(mid)->states.items[at.offset];
	*n = 1;
	return 0;
}

/* New mail: recipients separated by blanks; a trailing ! is NOTIFY=NEVER, and > says that
 * it is forwarded, as from SRS. */
static void
put_message(uint64_t mid, const char *sender, const char *rcpts)
{
	struct fake_message *m = fake(mid);
	struct rcpt list[32] = { { .notify = 0 } };
	struct envelope e = { .queue_id = arena_printf(arena, "ID%d", (int)mid),
		.arrival_us = (uint64_t)now,
		.sender = str_c(sender),
		.rcpts = list };
	struct str rest = str_c(rcpts), item, attribute = STR(ATTRIBUTE_SRS "SRS");

	while (str_token(&rest, " ", &item)) {
		bool never = str_ends(item, STR("!")), success = str_ends(item, STR("+"));
		bool forwarded = str_ends(item, STR(">"));

		if (forwarded)
			e.attributes = (struct strs){ &attribute, 1 };
		list[e.n_rcpts].forwarded = forwarded;

		list[e.n_rcpts].notify = never     ? NOTIFY_NEVER
					 : success ? NOTIFY_SUCCESS | NOTIFY_DELAY
						   : 0;
		list[e.n_rcpts++].address =
			str_sub(item, 0, item.len - (never || success || forwarded));
	}
	envelope_put(&m->envelope, &e);
	buf_addz(&m->content, "Subject: test\n\nbody\n");
	m->note = (struct spool_message_note){ .mid = mid,
		.length = 1,
		.size = m->content.len,
		.queue_id = e.queue_id,
		.arrival_us = e.arrival_us };
}

static void
new_mail(uint64_t mid, const char *sender, const char *rcpts)
{
	put_message(mid, sender, rcpts);
	announce(mid, true);
}

/* ---- fake agents: deliveries pile up until the test answers them ---- */

static struct fake_delivery {
	struct ipc_request *rq;
	struct deliver_request ask;
	struct envelope envelope;
	bool answered;
} deliveries[200];
static size_t n_deliveries;
static struct agent {
	struct ipc_link *link, *qmgr_side;
} agents[8];
static size_t n_agents;

static void
on_deliver(struct ipc_request *rq)
{
	struct fake_delivery *d = &deliveries[n_deliveries++];

	/* The test looks at it after the answer, too. */
	d->rq = rq;
	CHECK_INT(deliver_request_get(arena_str(arena, rq->payload), &d->ask, arena), 0);
	CHECK_INT(envelope_get(d->ask.envelope, &d->envelope, arena), 0);
}

static const struct ipc_handler agent_side[] = {
	{ .type = deliver_TYPE, .run = on_deliver, .direct = true },
	{ 0 },
};

static void
worker_link_closed(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	worker_gone(link);
}

static void
agent_closed(struct ipc_link *link, void *ctx)
{
	(void)link;
	((struct agent *)ctx)->link = NULL;
}

static void
agent_connect(const char *program, const char *transport, uint32_t slots)
{
	struct agent *a = &agents[n_agents++];
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	a->link = ipc_link_open(pair[0], agent_side, a, agent_closed, "qmgr");
	a->qmgr_side = ipc_link_open(pair[1], NULL, NULL, worker_link_closed, program);
	worker_ready(a->qmgr_side, program, str_c(transport), slots);
}

static void
answer(size_t n, enum verdict verdict, const char *code, const char *text, bool site_down)
{
	struct fake_delivery *d = &deliveries[n];
	struct deliver_reply say = { .site_down = site_down,
		.site_code = str_c(code),
		.site_text = str_c(text),
		.n_outcomes = d->envelope.n_rcpts };

	ensure(n < n_deliveries && !d->answered);
	d->answered = true;
	say.outcomes = arena_alloc(arena, say.n_outcomes * sizeof(*say.outcomes));
	for (size_t i = 0; i < say.n_outcomes; i++)
		say.outcomes[i] = (struct outcome){ .verdict = (uint8_t)verdict,
			.code = str_c(code),
			.text = str_c(text) };
	deliver_answer(d->rq, &say);
}

static void
delivered(size_t n)
{
	answer(n, ACCEPT, "2.0.0", "ok", false);
}

/* ---- the rest of the world ---- */

static size_t started;
static int start_error;
static VEC(struct active *) noticed;
static bool bounce_accepts, bounce_is_slow;

#define ALL_NOTICES (1u << NOTICE_FAILURE | 1u << NOTICE_DELAY | 1u << NOTICE_SUCCESS)

static void
fake_start(struct transport *t)
{
	started++;
	transport_started(t, start_error);
}

static void
fake_notice(struct active *a)
{
	static const char *const kinds[] = { "", "notice", "delay", "success" };

	for (unsigned kind = NOTICE_FAILURE; kind <= NOTICE_SUCCESS; kind++) {
		size_t before = said.len, n = 0;

		buf_printf(&said, "%s about %s:", kinds[kind], a->message->queue_id);
		for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
			if (active_notice_is_due(a, i, kind) && ++n)
				buf_printf(&said, " %.*s",
					STR_ARG(a->envelope.rcpts[i].address));
		buf_addc(&said, '\n');
		if (n == 0)
			said.len = before;
	}
	*vec_push(&noticed) = a;
	if (!bounce_is_slow)
		active_notices_ended(a, bounce_accepts ? ALL_NOTICES : 0);
}

/* pickup takes all but mail to refused@. */
static void
fake_requeue(struct active *a)
{
	bool bad = false;

	buf_printf(&said, "requeue %s:", a->message->queue_id);
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		struct str rcpt = a->envelope.rcpts[i].address;

		if (a->now[i].state != RCPT_TODO)
			continue;
		bad |= str_starts(rcpt, STR("refused@"));
		buf_printf(&said, " " STR_FMT, STR_ARG(rcpt));
	}
	buf_addc(&said, '\n');
	if (bad)
		active_requeued(a, PERMFAIL, "5.7.1", STR("not that"));
	else
		active_requeued(a, ACCEPT, "2.0.0", STR_NONE);
}

static int64_t
fake_now(void)
{
	return now;
}

static struct buf logged;

static void
remember_log(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&logged, line);
	buf_addc(&logged, '\n');
}

static bool
log_has(const char *text)
{
	return str_find(buf_str(&logged), str_c(text)) >= 0;
}

static const struct conf *
conf_with(const char *more)
{
	static unsigned number;
	char path[500];
	FILE *f;
	struct conf_issues issues;
	struct conf *c;

	snprintf(path, sizeof(path), "%s/c%u", test_dir(), number++);
	ensure(mkdir(path, 0755) == 0);
	strcat(path, "/main.cf");
	f = fopen(path, "w");
	fprintf(f,
		"myhostname = mail.example.org\nmydestination =\ninet_interfaces = "
		"127.0.0.1\n"
		"virtual_alias_maps =\nvirtual_mailbox_maps =\nrelay_domains =\n%s",
		more);
	fclose(f);
	*strrchr(path, '/') = '\0';
	conf_issues_init(&issues);
	c = conf_load(path, STR_NONE, &(struct strs){ NULL, 0 }, &issues);
	ensure(c);
	conf_issues_free(&issues);
	return c;
}

static void
world_begins(const char *more_conf)
{
	arena = arena_new();
	now = START;
	outside = (struct outside){
		.conf = conf_with(more_conf),
		.now_us = fake_now,
		.read_content = fake_read,
		.read_states = fake_read_states,
		.start_worker = fake_start,
		.send_notice = fake_notice,
		.requeue = fake_requeue,
		.where_tables_work = resolver_run,
		.wake_loader = loader_wake,
	};
	outside.route = route_open(outside.conf, ROUTE_TRANSPORT);
	bounce_accepts = true;
	bounce_is_slow = spool_is_deaf = false;
	start_error = read_error = 0;
	started = n_deliveries = n_agents = 0;
	log_capture(remember_log, NULL);
	index_init(&queue_index);
	schedule_init();
}

static bool
flights_are_over(void)
{
	return schedule_flights() == 0 && active_count() == 0;
}

/* Runs the loop until cond, or for as long as no test should take. */
#define UNTIL(cond) \
	do { \
		deadline_t patience_ = deadline_in(PATIENCE); \
		while (!(cond) && !deadline_passed(patience_)) \
			co_sleep(deadline_in(1)); \
		CHECK(cond); \
	} while (0)
/* Everything that is going to happen by itself has happened. */
static void
calm(void)
{
	for (int i = 0; i < 10; i++)
		co_sleep(deadline_in(1));
}

static void
world_ends(void)
{
	for (size_t i = 0; i < n_agents; i++)
		if (agents[i].link)
			ipc_link_close(agents[i].link);
	if (spool_link)
		ipc_link_close(spool_link);
	UNTIL(!store_is_up());
	calm();
	for (size_t i = 0; i < n_deliveries; i++)
		if (!deliveries[i].answered)
			ipc_reply(deliveries[i].rq, STR_NONE, -1);
	calm();
	/* What could not end without spool. */
	size_t at = 0;
	struct message *m;
	while (index_next(&queue_index, &at, &m))
		if (m->worked_on && m->active)
			active_cancel(m->active);
	calm(); /* the loader sees that nothing is left to do */
	store_reset();
	ticker_stop();
	schedule_free();
	index_free(&queue_index);
	route_close(outside.route);
	conf_free((struct conf *)outside.conf);
	log_capture(NULL, NULL);
	for (size_t i = 0; i < FAKE_MOST; i++) {
		buf_free(&messages[i].envelope);
		buf_free(&messages[i].content);
		vec_free(&messages[i].states);
	}
	memset(messages, 0, sizeof(messages));
	memset(deliveries, 0, sizeof(deliveries));
	vec_free(&noticed);
	buf_free(&said);
	buf_free(&logged);
	arena_free(arena);
}

/* ---- the tests run in a coroutine, with the loader beside them ---- */

static void
run_test(void *arg)
{
	((void (*)(void))arg)();
	event_stop();
}

static void
in_loop(void (*fn)(void))
{
	static bool initialised;

	if (!initialised) {
		event_init();
		loader_start();
	}
	initialised = true;
	co_spawn(run_test, (void *)fn, CO_STACK_LARGE);
	event_run();
}
#define QUEUE_TEST(id, conf) \
	static void body_##id(void); \
	static void run_##id(void) \
	{ \
		world_begins(conf); \
		body_##id(); \
		world_ends(); \
	} \
	TEST(id) \
	{ \
		in_loop(run_##id); \
	} \
	static void body_##id(void)

QUEUE_TEST(new_mail_goes_out_and_ends, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "r@far.example");
	UNTIL(n_deliveries == 1);
	CHECK_STR(deliveries[0].ask.nexthop, "far.example");
	CHECK_STR(deliveries[0].ask.content, "Subject: test\n\nbody\n");
	CHECK_INT((long long)deliveries[0].ask.rest, 0);
	CHECK_STR(deliveries[0].envelope.rcpts[0].address, "r@far.example");
	delivered(0);
	UNTIL(queue_index.n == 0);
	CHECK_STR(buf_str(&said), "1 FINISHED\n");
	CHECK(log_has("ID1: from=<s@x.example>, size=20, nrcpt=1 (queue active)\n"));
	CHECK(log_has("ID1: removed\n"));
	CHECK_INT((long long)started, 0);
}

QUEUE_TEST(recipients_of_a_destination_travel_together,
	"smtp_destination_recipient_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example",
		"a@one.example b@two.example c@one.example d@one.example");
	UNTIL(n_deliveries == 3);
	size_t rcpts = 0;
	for (size_t i = 0; i < 3; i++) {
		CHECK(deliveries[i].envelope.n_rcpts <= 2);
		rcpts += deliveries[i].envelope.n_rcpts;
	}
	CHECK_INT((long long)rcpts, 4);
	for (size_t i = 0; i < 3; i++)
		delivered(i);
	UNTIL(queue_index.n == 0);
	/* Who is done is written at once, but for the last, which ends it. */
	CHECK(str_find(buf_str(&said), STR("1 DONE 0,2\n")) >= 0);
	CHECK(str_ends(buf_str(&said), STR("1 FINISHED\n")));
}

QUEUE_TEST(whom_mail_is_forwarded_to_hears_of_another_sender, "")
{
	static const struct {
		const char *sender, *first;
		size_t n;
	} want[] = { { "s@x.example", "a@one.example", 2 }, { "SRS", "c@one.example", 1 },
		{ "s@x.example", "d@one.example", 1 } };

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example",
		"a@one.example b@one.example c@one.example> d@one.example");
	UNTIL(n_deliveries == COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		CHECK_STR(deliveries[i].envelope.sender, want[i].sender);
		CHECK_INT(
			(long long)deliveries[i].envelope.n_rcpts, (long long)want[i].n);
		CHECK_STR(deliveries[i].envelope.rcpts[0].address, want[i].first);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_destination_gets_its_concurrency_and_no_more,
	"smtp_destination_concurrency_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 5; mid++)
		new_mail(mid, "s@x.example", "r@one.example");
	new_mail(6, "s@x.example", "r@two.example");
	UNTIL(n_deliveries == 3);
	calm();
	CHECK_INT((long long)n_deliveries, 3);
	for (size_t i = 0; i < 6; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_single_letter_does_not_wait_behind_a_list,
	"smtp_destination_recipient_limit = 2\nsmtp_destination_concurrency_limit = 1\n")
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < 30; i++)
		buf_printf(&list, "r%d@one.example ", i);
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "list@x.example", buf_cstr(&list));
	new_mail(2, "s@x.example", "r@one.example");
	UNTIL(n_deliveries == 1);
	delivered(0);
	UNTIL(n_deliveries == 2);
	CHECK_STR(deliveries[1].envelope.sender, "s@x.example");
	delivered(1);
	for (size_t i = 2; i < 16; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(destinations_of_a_message_take_turns, "smtp_destination_recipient_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 1);
	new_mail(1, "s@x.example",
		"a@one.example b@one.example c@one.example d@one.example "
		"a@two.example b@two.example c@two.example d@two.example");
	for (size_t i = 0; i < 4; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
	for (size_t i = 1; i < 4; i++)
		CHECK(!str_eq(deliveries[i].ask.nexthop, deliveries[i - 1].ask.nexthop));
}

QUEUE_TEST(workers_of_a_transport_share_its_mail, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 2);
	agent_connect("smtp", "smtp", 2);
	for (uint64_t mid = 1; mid <= 6; mid++)
		new_mail(mid, "s@x.example",
			arena_printf(arena, "r@d%d.example", (int)mid).data);
	UNTIL(n_deliveries == 4);
	calm();
	CHECK_INT((long long)n_deliveries, 4);
	size_t first = 0;
	for (size_t i = 0; i < 4; i++)
		first += deliveries[i].rq->link == agents[0].link;
	CHECK_INT((long long)first, 2);
}

QUEUE_TEST(a_dead_destination_costs_the_others_nothing,
	"smtp_destination_concurrency_limit = 1\ninitial_destination_concurrency = 1\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 3; mid++)
		new_mail(mid, "s@x.example", "r@dead.example");
	new_mail(4, "s@x.example", "r@well.example");
	UNTIL(n_deliveries == 2);
	for (size_t i = 0; i < 2; i++)
		if (str_is(deliveries[i].ask.nexthop, "dead.example"))
			answer(i, TEMPFAIL, "4.4.1", "connect to dead.example: refused",
				true);
		else
			delivered(i);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)n_deliveries, 2);
	CHECK(str_find(buf_str(&said),
		      STR("1 DEFERRED 0 4.4.1 connect to dead.example: refused +300")) >=
		0);
	CHECK(str_find(buf_str(&said),
		      STR("2 DEFERRED 0 4.4.1 delivery temporarily suspended: "
			  "connect to dead.example: refused +300")) >= 0);
	CHECK(log_has("ID3: to=<r@dead.example>, relay=none, delay="));
	CHECK(log_has(
		"dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to "
		"dead.example: refused)"));
	/* New mail for it does not try either, until the time has passed. */
	new_mail(5, "s@x.example", "r@dead.example");
	UNTIL(str_find(buf_str(&said), STR("5 DEFERRED")) >= 0);
	CHECK_INT((long long)n_deliveries, 2);
	schedule_tick(event_now() + 300 * 1000);
	new_mail(6, "s@x.example", "r@dead.example");
	UNTIL(n_deliveries == 3);
}

QUEUE_TEST(what_failed_for_now_is_tried_again, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example b@two.example");
	UNTIL(n_deliveries == 2);
	for (size_t i = 0; i < 2; i++)
		if (str_is(deliveries[i].ask.nexthop, "one.example"))
			delivered(i);
		else
			answer(i, TEMPFAIL, "4.2.0", "greylisted", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_STR(buf_str(&said), "1 DONE 0\n1 DEFERRED 1 4.2.0 greylisted +300\n");
	now += 299 * SECOND;
	ticker_run();
	calm();
	CHECK_INT((long long)n_deliveries, 2);
	now += 1 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 3);
	CHECK_INT((long long)deliveries[2].envelope.n_rcpts, 1);
	CHECK_STR(deliveries[2].envelope.rcpts[0].address, "b@two.example");
	now += 300 * SECOND; /* older by now: waits longer */
	buf_clear(&said);
	answer(2, TEMPFAIL, "4.2.0", "still", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_STR(buf_str(&said), "1 DEFERRED 1 4.2.0 still +600\n");
}

QUEUE_TEST(failures_are_told_to_the_sender, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	bounce_is_slow = true;
	new_mail(1, "s@x.example", "a@one.example b@one.example!");
	UNTIL(n_deliveries == 1);
	answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(noticed.n == 1 && store_pending() == 0);
	CHECK_STR(buf_str(&said), "notice about ID1: a@one.example\n"
				  "1 FAILED 0,1 5.1.1 user unknown\n");
	CHECK_INT((long long)queue_index.n, 1); /* kept until bounce has it */
	active_notices_ended(noticed.items[0], ALL_NOTICES);
	UNTIL(queue_index.n == 0);
	CHECK(str_ends(buf_str(&said), STR("1 FINISHED\n")));
}

QUEUE_TEST(without_bounce_a_failure_waits_and_is_not_delivered_again, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	bounce_accepts = false;
	new_mail(1, "s@x.example", "a@one.example");
	UNTIL(n_deliveries == 1);
	answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)queue_index.n, 1);
	bounce_accepts = true;
	now += 300 * SECOND;
	ticker_run();
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)n_deliveries, 1);
	CHECK_INT((long long)noticed.n, 2);
}

QUEUE_TEST(notify_never_needs_no_notice, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example!");
	UNTIL(n_deliveries == 1);
	answer(0, PERMFAIL, "5.1.1", "user unknown", false);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)noticed.n, 0);
}

QUEUE_TEST(success_is_told_to_those_who_ask, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	bounce_is_slow = true;
	new_mail(1, "s@x.example", "a@one.example+ b@one.example");
	UNTIL(n_deliveries == 1);
	answer(0, ACCEPT, "2.0.0", "there", false);
	UNTIL(noticed.n == 1 && store_pending() == 0);
	CHECK(str_find(buf_str(&said), STR("success about ID1: a@one.example\n")) >= 0);
	CHECK(str_find(buf_str(&said), STR("1 FAILED 0 2.0.0 there\n")) >= 0);
	CHECK_INT((long long)queue_index.n, 1); /* kept until bounce has it */
	active_notices_ended(noticed.items[0], ALL_NOTICES);
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(nobody_is_told_that_a_notice_arrived, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "", "a@one.example+");
	UNTIL(n_deliveries == 1);
	answer(0, ACCEPT, "2.0.0", "there", false);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)noticed.n, 0);
}

QUEUE_TEST(a_delay_is_told_once, "delay_warning_time = 1h\nconfirm_delay_cleared = yes\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example b@one.example!");
	UNTIL(n_deliveries == 1);
	answer(0, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)noticed.n, 0);
	now += 3700 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 2);
	answer(1, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)noticed.n, 1);
	CHECK(str_find(buf_str(&said), STR("delay about ID1: a@one.example\n")) >= 0);
	CHECK(str_find(buf_str(&said), STR("1 DELAY")) >= 0);
	now += 5000 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 3);
	answer(2, TEMPFAIL, "4.2.0", "busy", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)noticed.n, 1);
	now += 5000 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 4);
	answer(3, ACCEPT, "2.0.0", "at last", false);
	UNTIL(queue_index.n == 0);
	CHECK(str_find(buf_str(&said), STR("success about ID1: a@one.example\n")) >= 0);
}

QUEUE_TEST(bad_addresses_fail_without_an_agent, "")
{
	spool_connect();
	new_mail(1, "s@x.example", "a@b..c");
	UNTIL(log_has("ID1: removed"));
	CHECK(log_has("ID1: to=<a@b..c>, relay=none, delay="));
	CHECK(log_has("dsn=5.1.3, status=bounced (bad address syntax)"));
	CHECK(str_find(buf_str(&said), STR("notice about ID1: a@b..c")) >= 0);
}

QUEUE_TEST(old_mail_expires, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "a@one.example");
	now += 5 * 86400 * SECOND - 2 * SECOND;
	announce(1, true);
	UNTIL(n_deliveries == 1);
	answer(0, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK_INT((long long)noticed.n, 0);
	now += 4000 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 2);
	answer(1, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(queue_index.n == 0);
	CHECK(log_has("ID1: from=<s@x.example>, status=expired, returned to sender\n"));
	CHECK_INT((long long)noticed.n, 1);
	CHECK(str_find(buf_str(&said), STR("1 FAILED 0 4.4.1 no\n")) >= 0);
}

QUEUE_TEST(a_bounce_with_no_lifetime_gets_one_try, "bounce_queue_lifetime = 0\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "", "a@one.example");
	UNTIL(n_deliveries == 1);
	answer(0, TEMPFAIL, "4.4.1", "no", false);
	UNTIL(queue_index.n == 0);
	CHECK(log_has("ID1: from=<>, status=expired, returned to sender\n"));
}

QUEUE_TEST(a_dead_agent_costs_a_retry, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example");
	UNTIL(n_deliveries == 1);
	ipc_link_close(agents[0].link);
	UNTIL(started == 1); /* another one is wanted */
	agent_connect("smtp", "smtp", 10);
	UNTIL(n_deliveries == 2);
	delivered(1);
	UNTIL(queue_index.n == 0);
	deliveries[0].answered = true;
	ipc_reply(deliveries[0].rq, STR_NONE, -1);
}

QUEUE_TEST(mail_that_kills_agents_is_deferred, "")
{
	spool_connect();
	new_mail(1, "s@x.example", "a@one.example");
	for (size_t i = 0; i < 3; i++) {
		agent_connect("smtp", "smtp", 10);
		UNTIL(n_deliveries == i + 1);
		ipc_link_close(agents[i].link);
		deliveries[i].answered = true;
		ipc_reply(deliveries[i].rq, STR_NONE, -1);
	}
	UNTIL(flights_are_over() && store_pending() == 0);
	CHECK(str_find(buf_str(&said),
		      STR("1 DEFERRED 0 4.3.0 unknown mail transport error +300")) >= 0);
}

QUEUE_TEST(a_transport_without_agents_defers,
	"transport_maps = inline:{nobody.example=gone:}\n")
{
	spool_connect();
	start_error = ENOENT;
	new_mail(1, "s@x.example", "a@nobody.example");
	UNTIL(str_find(buf_str(&said),
		      STR("1 DEFERRED 0 4.3.0 mail transport unavailable")) >= 0);
	CHECK(log_has(
		"warning: connect to transport private/gone: No such file or directory"));
	/* For a while nobody knocks again. */
	new_mail(2, "s@x.example", "a@nobody.example");
	UNTIL(str_find(buf_str(&said), STR("2 DEFERRED")) >= 0);
	CHECK_INT((long long)started, 1);
	schedule_tick(event_now() + 60 * 1000);
	new_mail(3, "s@x.example", "a@nobody.example");
	UNTIL(started == 2);
}

QUEUE_TEST(deferred_transports_wait_for_a_flush, "defer_transports = smtp\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example");
	UNTIL(str_find(buf_str(&said), STR("1 DEFERRED 0 4.3.2 deferred transport")) >=
		0);
	UNTIL(store_pending() == 0);
	CHECK_INT((long long)n_deliveries, 0);
	index_wake_all(&queue_index);
	loader_wake();
	UNTIL(n_deliveries == 1);
}

QUEUE_TEST(results_survive_a_lost_spool, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example");
	new_mail(2, "s@x.example", "a@two.example");
	UNTIL(n_deliveries == 2);
	ipc_link_close(spool_link);
	UNTIL(!store_is_up());
	delivered(0);
	UNTIL(store_pending() == 1);
	CHECK_INT((long long)said.len, 0);
	/* Spool tells all it has again; nothing in flight is delivered twice. */
	spool_connect();
	UNTIL(queue_index.n == 1 && store_pending() == 0);
	CHECK_STR(buf_str(&said), "1 FINISHED\n");
	delivered(1);
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)n_deliveries, 2);
}

QUEUE_TEST(what_spool_no_longer_has_is_forgotten, "")
{
	spool_connect();
	put_message(1, "s@x.example", "a@one.example");
	fake(1)->note.hold = true;
	announce(1, false);
	UNTIL(queue_index.n == 1);
	fake(1)->ended = true;
	ipc_link_close(spool_link);
	UNTIL(!store_is_up());
	spool_connect();
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_restart_goes_on_where_it_was, "")
{
	struct spool_state done = {
		.mid = 1, .kind = SPOOL_DONE, .rcpts = STR("\0\0\0\0")
	};

	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "a@one.example b@one.example");
	put_message(2, "s@x.example", "held@one.example");
	put_message(3, "s@x.example", "later@one.example");
	remember_state(&done);
	buf_clear(&said);
	fake(1)->note.wake_us = (uint64_t)now - 1;
	fake(2)->note.hold = true;
	fake(3)->note.wake_us = (uint64_t)(now + 60 * SECOND);
	spool_connect();
	UNTIL(n_deliveries == 1);
	calm();
	CHECK_INT((long long)n_deliveries, 1);
	CHECK_INT((long long)deliveries[0].envelope.n_rcpts, 1);
	CHECK_STR(deliveries[0].envelope.rcpts[0].address, "b@one.example");
	now += 61 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 2);
	CHECK_STR(deliveries[1].envelope.rcpts[0].address, "later@one.example");
	delivered(0);
	delivered(1);
	UNTIL(queue_index.n == 1);
}

QUEUE_TEST(more_mail_than_may_be_active_waits, "qmgr_message_active_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 5; mid++)
		new_mail(mid, "s@x.example",
			arena_printf(arena, "r@d%d.example", (int)mid).data);
	UNTIL(n_deliveries == 2);
	calm();
	CHECK_INT((long long)n_deliveries, 2);
	CHECK_INT((long long)active_count(), 2);
	for (size_t i = 0; i < 5; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(spool_hears_who_is_behind, "qmgr_message_active_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++)
		new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(said.len > 0);
	CHECK_STR(buf_str(&said), "behind\n");
	for (size_t i = 0; i < 4; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(str_find(buf_str(&said), STR("caught up\n")) > 0);
	UNTIL(queue_index.n == 0);
}

/* ---- recipients in parts ---- */

/* New mail to r0@d0.example, r1@d1.example ...; nexthop: all of them there. */
static void
new_mailing(uint64_t mid, const char *sender, int n, const char *nexthop)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&list, "r%d@%s ", i,
			nexthop ? nexthop
				: arena_printf(arena, "d%d.m%d.example", i, (int)mid)
					  .data);
	new_mail(mid, sender, buf_cstr(&list));
}

#define COUNTED(n) \
	UNTIL(n_deliveries >= (n)); \
	calm(); \
	CHECK_INT((long long)n_deliveries, n)

QUEUE_TEST(a_mailing_beyond_the_limit_holds_up_nobody,
	"qmgr_message_recipient_limit = 5\nsmtp_recipient_limit = 5\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 30, NULL);
	COUNTED(10); /* the minimum */
	new_mail(2, "s@x.example", "r@one.example");
	UNTIL(n_deliveries == 11);
	CHECK_STR(deliveries[10].envelope.sender, "s@x.example");
	for (size_t i = 0; i < 31; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
	CHECK(str_ends(buf_str(&said), STR("1 FINISHED\n")));
}

QUEUE_TEST(recipients_come_by_the_refill_limit,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 4\n"
	"smtp_recipient_limit = 0\nsmtp_recipient_refill_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 10, NULL);
	COUNTED(4);
	delivered(0);
	COUNTED(4);
	delivered(1);
	COUNTED(6);
	for (size_t i = 2; i < 10; i++) {
		UNTIL(n_deliveries > i);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(recipients_come_after_the_refill_delay,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 4\n"
	"smtp_recipient_limit = 0\nsmtp_recipient_refill_delay = 20s\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 10, NULL);
	COUNTED(4);
	now += 19 * SECOND;
	delivered(0);
	COUNTED(4);
	now += 2 * SECOND;
	delivered(1);
	COUNTED(6);
	/* When nothing is in hand any more, there is nothing to wait for. */
	for (size_t i = 2; i < 6; i++)
		delivered(i);
	COUNTED(10);
}

QUEUE_TEST(the_first_message_gets_what_the_transport_has,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 6\nsmtp_recipient_refill_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "one@x.example", 20, NULL);
	COUNTED(2);
	delivered(0);
	COUNTED(9); /* 8 at a time: the limit and the minimum */
	new_mailing(2, "two@x.example", 20, NULL);
	COUNTED(11);
	delivered(9);
	COUNTED(11);
	delivered(10);
	COUNTED(13); /* the minimum: the other one is before it */
	CHECK_STR(deliveries[12].envelope.sender, "two@x.example");
}

QUEUE_TEST(who_goes_before_gets_extra_recipients,
	"smtp_destination_recipient_limit = 1\nqmgr_message_recipient_limit = 20\n"
	"qmgr_message_recipient_minimum = 2\nsmtp_recipient_limit = 20\n"
	"smtp_extra_recipient_limit = 12\nsmtp_recipient_refill_limit = 2\n"
	"smtp_delivery_slot_cost = 2\nsmtp_delivery_slot_discount = 100\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 1);
	new_mailing(1, "big@x.example", 20, NULL);
	UNTIL(n_deliveries == 1);
	new_mailing(2, "small@x.example", 8, NULL);
	UNTIL(active_count() == 2);
	calm();
	for (size_t i = 0; i < 10; i++) {
		UNTIL(n_deliveries > i);
		CHECK_STR(deliveries[i].envelope.sender,
			i == 0 || i == 9 ? "big@x.example" : "small@x.example");
		delivered(i);
	}
}

QUEUE_TEST(recipients_that_wait_share_the_fate_of_their_next_hop,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 2\ninitial_destination_concurrency = 1\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 6, "one.example");
	COUNTED(1);
	answer(0, TEMPFAIL, "4.4.1", "connection refused", true);
	UNTIL(flights_are_over());
	CHECK_INT((long long)n_deliveries, 1);
	CHECK(str_find(buf_str(&said), STR("1 DEFERRED 0,1 ")) >= 0);
	CHECK(str_find(buf_str(&said), STR("1 DEFERRED 2,3,4,5 ")) >= 0);
}

QUEUE_TEST(a_mailing_in_parts_can_be_deleted,
	"qmgr_message_recipient_limit = 1\nqmgr_message_recipient_minimum = 2\n"
	"smtp_recipient_limit = 2\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 100);
	new_mailing(1, "list@x.example", 6, NULL);
	COUNTED(2);
	active_cancel(index_find(&queue_index, 1)->active);
	delivered(0);
	delivered(1);
	UNTIL(active_count() == 0);
	CHECK_INT((long long)n_deliveries, 2);
}

QUEUE_TEST(large_content_travels_in_a_descriptor, "")
{
	char first[8] = "";
	size_t size;

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "a@one.example b@two.example");
	while (fake(1)->content.len < 200000)
		buf_addz(&fake(1)->content, "0123456789012345678901234567890123456789\n");
	fake(1)->note.size = size = fake(1)->content.len;
	announce(1, true);
	UNTIL(n_deliveries == 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT((long long)deliveries[i].ask.content.len, 0);
		CHECK_INT((long long)deliveries[i].ask.rest, (long long)size);
		CHECK_INT(pread(deliveries[i].rq->fd, first, 7, 0), 7);
		CHECK_STR(str_c(first), "Subject");
		CHECK(write(deliveries[i].rq->fd, "x", 1) < 0);
	}
}

QUEUE_TEST(a_message_on_the_move_is_read_again, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	read_error = ESTALE;
	new_mail(1, "s@x.example", "a@one.example");
	UNTIL(str_ends(buf_str(&said), STR(" +1\n")) && store_pending() == 0);
	now += SECOND;
	ticker_run();
	UNTIL(n_deliveries == 1);
}

QUEUE_TEST(a_damaged_message_goes_on_hold, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "a@one.example");
	read_error = EBADMSG;
	announce(1, false);
	UNTIL(str_find(buf_str(&said), STR("1 HOLD\n")) >= 0);
	CHECK_INT((long long)n_deliveries, 0);
	CHECK_INT(index_find(&queue_index, 1)->queue, QUEUE_ON_HOLD);
}

/* Read only when an agent is there for it: the loader reads no content of this size. */
QUEUE_TEST(a_large_damaged_message_goes_on_hold, "")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "a@one.example b@two.example");
	while (fake(1)->content.len < 200000)
		buf_addz(&fake(1)->content, "0123456789012345678901234567890123456789\n");
	fake(1)->note.size = fake(1)->content.len;
	read_error = EBADMSG;
	announce(1, true);
	UNTIL(str_find(buf_str(&said), STR("1 HOLD\n")) >= 0 && active_count() == 0);
	CHECK_INT((long long)n_deliveries, 0);
	CHECK_INT(index_find(&queue_index, 1)->queue, QUEUE_ON_HOLD);
	CHECK(str_find(buf_str(&said), STR("DEFERRED")) < 0);
}

QUEUE_TEST(error_agents_get_no_content,
	"transport_maps = inline:{ {x.example=error:5.7.1 no} }\n")
{
	spool_connect();
	agent_connect("error", "error", 10);
	new_mail(1, "s@x.example", "a@x.example");
	UNTIL(n_deliveries == 1);
	CHECK_STR(deliveries[0].ask.nexthop, "5.7.1 no");
	CHECK_INT((long long)deliveries[0].ask.content.len, 0);
	CHECK_INT((long long)deliveries[0].ask.rest, 0);
}

/* ---- commands ---- */

static const struct ipc_handler control_handlers[] = {
	{ .type = queue_change_TYPE, .run = control_change, .stack = CO_STACK_SMALL },
	{ .type = queue_list_TYPE, .run = control_list, .stack = CO_STACK_SMALL },
	{ 0 },
};

static struct ipc_link *
command_connect(void)
{
	struct ipc_caller me = { .program = "command", .pid = getpid(), .uid = getuid() };
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ensure(ipc_hello(pair[1], &me) == 0);
	ensure(ipc_link_accept(pair[0], control_handlers, NULL, NULL, getuid()));
	return ipc_link_open(pair[1], NULL, NULL, NULL, "qmgr");
}

/* Asks for a change; gives the ids that were changed, separated by blanks. */
static struct str
command(struct ipc_link *link, enum queue_action action, const char *id)
{
	struct str ids = str_c(id);
	struct queue_change_request ask = { .action = (uint8_t)action,
		.queue_ids = { &ids, id ? 1 : 0 },
		.route = STR("other:there") };
	struct queue_change_reply reply;
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str got;

	queue_change_request_put(&bytes, &ask);
	CHECK_INT(ipc_link_call(link, queue_change_TYPE, buf_str(&bytes), -1, arena, &got,
			  NULL, deadline_in(PATIENCE)),
		0);
	CHECK_INT(queue_change_reply_get(got, &reply, arena), 0);
	CHECK_INT(reply.error, 0);
	for (size_t i = 0; i < reply.changed.n; i++)
		buf_printf(&out, "%s" STR_FMT, i ? " " : "",
			STR_ARG(reply.changed.items[i]));
	return arena_str(arena, buf_str(&out));
}

/* "queue:id" of each message, oldest first. */
static struct str
listing(struct ipc_link *link)
{
	struct queue_list_request ask = { .most = 3 };
	struct queue_list_reply reply;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str got;

	do {
		struct buf bytes CLEANUP(buf_free) = BUF_INIT;

		queue_list_request_put(&bytes, &ask);
		CHECK_INT(ipc_link_call(link, queue_list_TYPE, buf_str(&bytes), -1, arena,
				  &got, NULL, deadline_in(PATIENCE)),
			0);
		CHECK_INT(queue_list_reply_get(got, &reply, arena), 0);
		for (size_t i = 0; i < reply.n_entries; i++) {
			buf_printf(&out, "%s" STR_FMT ":" STR_FMT, out.len ? " " : "",
				STR_ARG(reply.entries[i].queue),
				STR_ARG(reply.entries[i].queue_id));
			ask.after = reply.entries[i].mid;
		}
	} while (reply.n_entries);
	return arena_str(arena, buf_str(&out));
}

QUEUE_TEST(commands_hold_release_and_delete, "")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++) {
		put_message(mid, "s@x.example", "r@one.example");
		fake(mid)->note.wake_us = (uint64_t)(now + 600 * SECOND);
		announce(mid, false);
	}
	UNTIL(queue_index.n == 4);
	CHECK_STR(listing(link), "deferred:ID1 deferred:ID2 deferred:ID3 deferred:ID4");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "ID2");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "");
	CHECK_STR(command(link, QUEUE_DELETE, "ID3"), "ID3");
	CHECK_STR(command(link, QUEUE_DELETE, "NOSUCH"), "");
	CHECK_STR(command(link, QUEUE_EXPIRE, "ID4"), "ID4");
	UNTIL(queue_index.n == 3 && store_pending() == 0);
	CHECK_STR(listing(link), "deferred:ID1 hold:ID2 deferred:ID4");
	CHECK(!log_has("ID3: removed")); /* that is postsuper's to say */
	CHECK_STR(buf_str(&said), "2 HOLD\n3 FINISHED\n4 EXPIRE\n");
	now += 700 * SECOND;
	ticker_run();
	UNTIL(n_deliveries == 2);
	answer(0, TEMPFAIL, "4.0.0", "no", false);
	answer(1, TEMPFAIL, "4.0.0", "no", false);
	UNTIL(active_count() == 0 && store_pending() == 0);
	CHECK(log_has(
		"ID4: from=<s@x.example>, status=force-expired, returned to sender"));
	CHECK_STR(listing(link), "deferred:ID1 hold:ID2");
	CHECK_STR(command(link, QUEUE_RELEASE, "ID2"), "ID2");
	now += SECOND; /* the release has to be in the log first */
	calm();
	ticker_run();
	UNTIL(n_deliveries == 3);
	CHECK_STR(listing(link), "deferred:ID1 active:ID2");
	ipc_link_close(link);
}

/* What comes off hold is tried like other mail: only a flush overrides defer_transports.
 */
QUEUE_TEST(released_mail_waits_with_its_transport, "defer_transports = smtp\n")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	put_message(1, "s@x.example", "r@one.example");
	fake(1)->note.wake_us = (uint64_t)(now + 600 * SECOND);
	announce(1, false);
	UNTIL(queue_index.n == 1);
	CHECK_STR(command(link, QUEUE_HOLD, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_RELEASE, "ID1"), "ID1");
	now += SECOND; /* the release has to be in the log first */
	calm();
	ticker_run();
	UNTIL(str_find(buf_str(&said), STR("1 DEFERRED 0 4.3.2 deferred transport")) >=
		0);
	UNTIL(active_count() == 0 && store_pending() == 0);
	CHECK_INT((long long)n_deliveries, 0);
	CHECK_STR(command(link, QUEUE_FLUSH, "ID1"), "ID1");
	UNTIL(n_deliveries == 1);
	ipc_link_close(link);
}

static void
connect_late(void *arg)
{
	(void)arg;
	calm();
	spool_connect();
}

/* A queue manager that has just started must not call the queue empty. */
QUEUE_TEST(commands_wait_for_what_spool_has, "")
{
	struct ipc_link *link = command_connect();

	for (uint64_t mid = 1; mid <= 2; mid++) {
		put_message(mid, "s@x.example", "r@one.example");
		fake(mid)->note.wake_us = (uint64_t)(now + 600 * SECOND);
	}
	co_spawn(connect_late, NULL, CO_STACK_SMALL);
	CHECK_STR(listing(link), "deferred:ID1 deferred:ID2");
	CHECK_STR(command(link, QUEUE_HOLD, "ID2"), "ID2");
	ipc_link_close(link);
}

QUEUE_TEST(commands_reach_mail_in_flight, "")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example b@two.example");
	new_mail(2, "s@x.example", "a@one.example");
	UNTIL(n_deliveries == 3);
	CHECK_STR(command(link, QUEUE_HOLD, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_DELETE, "ID2"), "ID2");
	for (size_t i = 0; i < 3; i++)
		if (str_is(deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			delivered(i);
	UNTIL(queue_index.n == 1 && store_pending() == 0 && active_count() == 0);
	CHECK_STR(listing(link), "hold:ID1");
	/* What was delivered is known when it goes on. */
	CHECK_STR(command(link, QUEUE_RELEASE, "ID1"), "ID1");
	calm();
	now += SECOND;
	ticker_run();
	UNTIL(n_deliveries == 4);
	CHECK_INT((long long)deliveries[3].envelope.n_rcpts, 1);
	CHECK_STR(deliveries[3].envelope.rcpts[0].address, "b@two.example");
	ipc_link_close(link);
}

/* What was delivered stays so; the rest has the new route, also when it is tried again.
 */
QUEUE_TEST(mail_in_flight_is_rerouted, "")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	agent_connect("smtp", "other", 10);
	new_mail(1, "s@x.example", "a@one.example b@two.example");
	UNTIL(n_deliveries == 2);
	CHECK_STR(command(link, QUEUE_REROUTE, "ID1"), "ID1");
	for (size_t i = 0; i < 2; i++)
		if (str_is(deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			delivered(i);
	UNTIL(store_pending() == 0 && active_count() == 0);
	for (size_t i = 2; i < 4; i++) {
		calm();
		now += 5000 * SECOND;
		ticker_run();
		UNTIL(n_deliveries == i + 1);
		CHECK_STR(deliveries[i].ask.nexthop, "there");
		CHECK_INT((long long)deliveries[i].envelope.n_rcpts, 1);
		CHECK_STR(deliveries[i].envelope.rcpts[0].address, "b@two.example");
		answer(i, TEMPFAIL, "4.0.0", "no", false);
		UNTIL(store_pending() == 0 && active_count() == 0);
	}
	ipc_link_close(link);
}

QUEUE_TEST(a_requeue_takes_what_is_left, "")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "a@one.example b@two.example");
	put_message(2, "s@x.example", "refused@one.example");
	fake(2)->note.hold = true;
	announce(2, false);
	UNTIL(n_deliveries == 2 && queue_index.n == 2);
	CHECK_STR(command(link, QUEUE_REQUEUE, "ID1"), "ID1");
	CHECK_STR(command(link, QUEUE_REQUEUE, "ID2"), "ID2");
	CHECK_STR(buf_str(&said), "1 REQUEUE\n2 RELEASE\n2 REQUEUE\n");
	buf_clear(&said);
	for (size_t i = 0; i < 2; i++) /* those are not called back */
		if (str_is(deliveries[i].envelope.rcpts[0].address, "b@two.example"))
			answer(i, TEMPFAIL, "4.0.0", "no", false);
		else
			delivered(i);
	UNTIL(active_count() == 0 && store_pending() == 0);
	now += SECOND;
	ticker_run();
	UNTIL(queue_index.n == 0);
	CHECK_INT((long long)n_deliveries, 2);
	CHECK(str_find(buf_str(&said), STR("requeue ID1: b@two.example\n")) >= 0);
	CHECK(!log_has("ID1: removed"));
	/* What cleanup refuses goes back to the sender. */
	CHECK(str_find(buf_str(&said), STR("notice about ID2: refused@one.example\n")) >=
		0);
	CHECK(log_has("ID2: to=<refused@one.example>, relay=none, "));
	CHECK(log_has("ID2: removed"));
	ipc_link_close(link);
}

QUEUE_TEST(a_flush_tries_everything_now, "")
{
	struct ipc_link *link = command_connect();

	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 3; mid++) {
		put_message(mid, "s@x.example", "r@one.example");
		fake(mid)->note.wake_us = (uint64_t)(now + 600 * SECOND);
		announce(mid, false);
	}
	UNTIL(queue_index.n == 3);
	CHECK_STR(command(link, QUEUE_FLUSH, "ID2"), "ID2");
	UNTIL(n_deliveries == 1);
	CHECK_STR(deliveries[0].envelope.queue_id, "ID2");
	CHECK_STR(command(link, QUEUE_FLUSH, NULL), "");
	UNTIL(n_deliveries == 3);
	ipc_link_close(link);
}

/* How often the log says so. */
static size_t
logged_times(const char *text)
{
	struct str rest = buf_str(&logged);
	size_t n = 0;

	for (ssize_t at; (at = str_find(rest, str_c(text))) >= 0; n++)
		rest = str_from(rest, (size_t)at + 1);
	return n;
}

#define CLOGGED "mail for one.example is using up "

QUEUE_TEST(who_fills_the_active_queue_is_named,
	"qmgr_message_active_limit = 10\nsmtp_destination_concurrency_limit = 1\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 4; mid++)
		new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(active_count() == 4);
	CHECK_INT((long long)logged_times(CLOGGED), 1);
	CHECK(log_has(CLOGGED "3 of 3 active queue entries\n"));
	CHECK(log_has("to turn off these warnings specify: qmgr_clog_warn_time = 0\n"));
	now += 301 * SECOND;
	new_mail(5, "s@x.example", "r@one.example");
	UNTIL(active_count() == 5);
	CHECK_INT((long long)logged_times(CLOGGED), 2);
	CHECK(log_has("you may need to increase the main.cf "
		      "smtp_destination_concurrency_limit from 1\n"));
}

static void
not_named(void)
{
	spool_connect();
	for (uint64_t mid = 1; mid <= 4; mid++)
		new_mail(mid, "s@x.example", "r@one.example");
	UNTIL(active_count() == 4);
	CHECK_INT((long long)logged_times(CLOGGED), 0);
}

QUEUE_TEST(nobody_is_named_with_a_time_of_zero,
	"qmgr_message_active_limit = 10\nqmgr_clog_warn_time = 0\n")
{
	not_named();
}

QUEUE_TEST(nobody_is_named_without_helpful_warnings,
	"qmgr_message_active_limit = 10\nhelpful_warnings = no\n")
{
	not_named();
}

QUEUE_TEST(rate_delays_space_deliveries, "smtp_destination_rate_delay = 1h\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "r@one.example");
	new_mail(2, "s@x.example", "r@one.example");
	UNTIL(n_deliveries == 1);
	delivered(0);
	UNTIL(queue_index.n == 1);
	calm();
	CHECK_INT((long long)n_deliveries, 1);
}

QUEUE_TEST(a_transport_rate_delay_spaces_all_its_deliveries,
	"slow_transport_rate_delay = 1h\ntransport_maps = "
	"inline:{{one.example = slow:} {two.example = slow:}}\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	agent_connect("smtp", "slow", 10);
	new_mail(1, "s@x.example", "r@one.example");
	new_mail(2, "s@x.example", "r@two.example");
	new_mail(3, "s@x.example", "r@far.example");
	UNTIL(n_deliveries == 2);
	calm();
	CHECK_INT((long long)n_deliveries, 2);
	for (size_t i = 0; i < 2; i++)
		delivered(i);
	UNTIL(queue_index.n == 1);
	calm();
	CHECK_INT((long long)n_deliveries, 2);
}

QUEUE_TEST(delays_below_a_second_end,
	"smtp_transport_rate_delay = 0.02s\nsmtp_destination_rate_delay = 0.01s\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	for (uint64_t mid = 1; mid <= 6; mid++)
		new_mail(mid, "s@x.example", mid % 2 ? "r@one.example" : "r@two.example");
	for (size_t i = 0; i < 6; i++) {
		UNTIL(n_deliveries == i + 1);
		delivered(i);
	}
	UNTIL(queue_index.n == 0);
}

QUEUE_TEST(a_window_is_logged_when_asked_for,
	"destination_concurrency_feedback_debug = yes\n"
	"smtp_destination_concurrency_positive_feedback = 1/concurrency\n")
{
	spool_connect();
	agent_connect("smtp", "smtp", 10);
	new_mail(1, "s@x.example", "r@one.example");
	UNTIL(n_deliveries == 1);
	delivered(0);
	UNTIL(queue_index.n == 0);
	CHECK(log_has("qmgr_queue_unthrottle: feedback 0.2\n"));
	CHECK(log_has(
		"qmgr_queue_unthrottle: queue one.example: limit 20 window 5 success "
		"0.2 failure 0 fail_cohorts 0\n"));
}

TEST_MAIN()
