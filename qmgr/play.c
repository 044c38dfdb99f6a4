/* play.c -- see play.h. */
#include "play.h"
#include "log.h"
#include "outside.h"
#include "resolver.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define START       (INT64_C(1700000000) * SECOND)
#define STORED_MOST 64

struct outside outside;

struct arena *play_arena;
int64_t play_now;
struct ipc_link *play_spool;
struct buf play_said, play_logged;
int play_read_error, play_start_error;
size_t play_started;
bool play_bounce_accepts, play_bounce_is_slow;
struct play_noticed play_noticed;

/* ---- the fake spool: messages, and everything that was said about them ---- */

static struct play_stored messages[STORED_MOST];

static const char *const kind_names[] = { "", "DONE", "FAILED", "DEFERRED", "NOTIFIED",
	"HOLD", "RELEASE", "EXPIRE", "WAKE", "FINISHED", "DELAY", "REQUEUE", "REROUTE" };

struct play_stored *
play_message(uint64_t mid)
{
	ensure(mid < STORED_MOST);
	return &messages[mid];
}

void
play_state(const struct spool_state *s)
{
	struct play_stored *m = play_message(s->mid);
	struct spool_state *copy = vec_push(&m->states);

	*copy = *s;
	copy->rcpts = arena_str(play_arena, s->rcpts);
	copy->status = arena_str(play_arena, s->status);
	copy->reason = arena_str(play_arena, s->reason);
	copy->detail = arena_str(play_arena, s->detail);
	m->ended |= s->kind == SPOOL_FINISHED;
	buf_printf(&play_said, "%d %s", (int)s->mid, kind_names[s->kind]);
	for (size_t i = 0; i + 4 <= s->rcpts.len; i += 4)
		buf_printf(&play_said, "%c%u", i ? ',' : ' ', get_u32(s->rcpts.data + i));
	if (s->reason.len)
		buf_printf(
			&play_said, " %.*s %.*s", STR_ARG(s->status), STR_ARG(s->reason));
	if (s->kind == SPOOL_DEFERRED)
		buf_printf(&play_said, " +%lld",
			((long long)s->when_us - (long long)play_now) / SECOND);
	buf_addc(&play_said, '\n');
}

/* Its states are "at" segment 1, one after the other. */
void
play_announce(uint64_t mid, bool with_envelope)
{
	struct play_stored *m = play_message(mid);
	struct spool_message_note note = m->note;

	note.envelope = with_envelope ? buf_str(&m->envelope) : STR_NONE;
	note.n_states = m->states.n;
	note.states = arena_alloc(play_arena, (m->states.n + 1) * sizeof(*note.states));
	for (size_t i = 0; i < m->states.n; i++)
		note.states[i] = (struct spool_at){ 1, (uint32_t)i, 1 };
	spool_message_send(play_spool, &note);
}

static void
tell_places(uint64_t mid)
{
	struct play_stored *m = play_message(mid);
	struct spool_moved_note note = {
		.mid = mid, .length = 1, .n_states = m->states.n
	};

	note.states = arena_alloc(play_arena, (m->states.n + 1) * sizeof(*note.states));
	for (size_t i = 0; i < m->states.n; i++)
		note.states[i] = (struct spool_at){ 1, (uint32_t)i, 1 };
	spool_moved_send(play_spool, &note);
}

static void
on_update(struct ipc_request *rq)
{
	struct spool_update_request ask;
	struct spool_update_reply say = { 0 };

	CHECK_INT(spool_update_request_get(rq->payload, &ask, rq->arena), 0);
	for (size_t i = 0; i < ask.n_states; i++)
		play_state(&ask.states[i]);
	for (size_t i = 0; i < ask.n_states; i++)
		if (!play_message(ask.states[i].mid)->ended)
			tell_places(ask.states[i].mid);
	spool_update_answer(rq, &say);
}

static void
on_watch(struct ipc_request *rq)
{
	struct spool_watch_reply say = { 0 };

	for (uint64_t mid = 1; mid < STORED_MOST; mid++)
		if (play_message(mid)->note.mid && !play_message(mid)->ended)
			play_announce(mid, false);
	spool_watch_answer(rq, &say);
}

static void
on_pace(struct ipc_request *rq)
{
	struct spool_pace_note note;

	CHECK_INT(spool_pace_note_get(rq->payload, &note, rq->arena), 0);
	buf_addz(&play_said, note.behind ? "behind\n" : "caught up\n");
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
	if (play_spool == link)
		play_spool = NULL;
}

void
play_spool_connect(void)
{
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	play_spool = ipc_link_open(pair[0], spool_handlers, NULL, spool_closed, "qmgr");
	store_attach(pair[1]);
}

static int
fake_read(uint64_t mid, struct spool_where at, bool envelope_only, struct arena *a,
	struct spool_content *out)
{
	struct play_stored *m = play_message(mid);

	(void)at;
	if (play_read_error) {
		errno = play_read_error;
		play_read_error = 0;
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
	*states = &play_message(mid)->states.items[at.offset];
	*n = 1;
	return 0;
}

/* New mail: recipients separated by blanks; a trailing ! is NOTIFY=NEVER, and > says that
 * it is forwarded, as from SRS. */
void
play_put(uint64_t mid, const char *sender, const char *rcpts)
{
	struct play_stored *m = play_message(mid);
	struct rcpt list[32] = { { .notify = 0 } };
	struct envelope e = { .queue_id = arena_printf(play_arena, "ID%d", (int)mid),
		.arrival_us = (uint64_t)play_now,
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

void
play_new_mail(uint64_t mid, const char *sender, const char *rcpts)
{
	play_put(mid, sender, rcpts);
	play_announce(mid, true);
}

/* ---- fake agents: deliveries pile up until the test answers them ---- */

struct play_delivery play_deliveries[PLAY_DELIVERIES];
size_t play_n_deliveries;
struct play_agent play_agents[PLAY_AGENTS];
static size_t n_agents;

static void
on_deliver(struct ipc_request *rq)
{
	struct play_delivery *d = &play_deliveries[play_n_deliveries++];

	/* The test looks at it after the answer, too. */
	d->rq = rq;
	CHECK_INT(deliver_request_get(
			  arena_str(play_arena, rq->payload), &d->ask, play_arena),
		0);
	CHECK_INT(envelope_get(d->ask.envelope, &d->envelope, play_arena), 0);
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
	((struct play_agent *)ctx)->link = NULL;
}

void
play_agent_connect(const char *program, const char *transport, uint32_t slots)
{
	struct play_agent *a = &play_agents[n_agents++];
	int pair[2];

	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	a->link = ipc_link_open(pair[0], agent_side, a, agent_closed, "qmgr");
	a->qmgr_side = ipc_link_open(pair[1], NULL, NULL, worker_link_closed, program);
	worker_ready(a->qmgr_side, program, str_c(transport), slots);
}

void
play_answer(size_t n, enum verdict verdict, const char *code, const char *text,
	bool site_down)
{
	struct play_delivery *d = &play_deliveries[n];
	struct deliver_reply say = { .site_down = site_down,
		.site_code = str_c(code),
		.site_text = str_c(text),
		.n_outcomes = d->envelope.n_rcpts };

	ensure(n < play_n_deliveries && !d->answered);
	d->answered = true;
	say.outcomes = arena_alloc(play_arena, say.n_outcomes * sizeof(*say.outcomes));
	for (size_t i = 0; i < say.n_outcomes; i++)
		say.outcomes[i] = (struct outcome){ .verdict = (uint8_t)verdict,
			.code = str_c(code),
			.text = str_c(text) };
	deliver_answer(d->rq, &say);
}

void
play_delivered(size_t n)
{
	play_answer(n, ACCEPT, "2.0.0", "ok", false);
}

/* ---- the rest of the world ---- */

static void
fake_start(struct transport *t)
{
	play_started++;
	transport_started(t, play_start_error);
}

static void
fake_notice(struct active *a)
{
	static const char *const kinds[] = { "", "notice", "delay", "success" };

	for (unsigned kind = NOTICE_FAILURE; kind <= NOTICE_SUCCESS; kind++) {
		size_t before = play_said.len, n = 0;

		buf_printf(&play_said, "%s about %s:", kinds[kind], a->message->queue_id);
		for (uint32_t i = 0; i < a->envelope.n_rcpts; i++)
			if (active_notice_is_due(a, i, kind) && ++n)
				buf_printf(&play_said, " %.*s",
					STR_ARG(a->envelope.rcpts[i].address));
		buf_addc(&play_said, '\n');
		if (n == 0)
			play_said.len = before;
	}
	*vec_push(&play_noticed) = a;
	if (!play_bounce_is_slow)
		active_notices_ended(a, play_bounce_accepts ? PLAY_ALL_NOTICES : 0);
}

/* pickup takes all but mail to refused@. */
static void
fake_requeue(struct active *a)
{
	bool bad = false;

	buf_printf(&play_said, "requeue %s:", a->message->queue_id);
	for (uint32_t i = 0; i < a->envelope.n_rcpts; i++) {
		struct str rcpt = a->envelope.rcpts[i].address;

		if (a->now[i].state != RCPT_TODO)
			continue;
		bad |= str_starts(rcpt, STR("refused@"));
		buf_printf(&play_said, " " STR_FMT, STR_ARG(rcpt));
	}
	buf_addc(&play_said, '\n');
	if (bad)
		active_requeued(a, PERMFAIL, "5.7.1", STR("not that"));
	else
		active_requeued(a, ACCEPT, "2.0.0", STR_NONE);
}

static int64_t
fake_now(void)
{
	return play_now;
}

static void
remember_log(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&play_logged, line);
	buf_addc(&play_logged, '\n');
}

bool
play_log_has(const char *text)
{
	return str_find(buf_str(&play_logged), str_c(text)) >= 0;
}

static const struct conf *
conf_with(const char *more)
{
	static unsigned number;
	char path[500];
	int len;
	FILE *f;
	struct conf_issues issues;
	struct conf *c;

	len = snprintf(path, sizeof(path), "%s/c%u", test_dir(), number++);
	ensure(mkdir(path, 0755) == 0);
	snprintf(path + len, sizeof(path) - (size_t)len, "/main.cf");
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

void
play_begins(const char *more_conf)
{
	play_arena = arena_new();
	play_now = START;
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
	play_bounce_accepts = true;
	play_bounce_is_slow = false;
	play_start_error = play_read_error = 0;
	play_started = play_n_deliveries = n_agents = 0;
	log_capture(remember_log, NULL);
	index_init(&queue_index);
	schedule_init();
}

bool
play_flights_are_over(void)
{
	return schedule_flights() == 0 && active_count() == 0;
}

/* Everything that is going to happen by itself has happened. */
void
play_calm(void)
{
	for (int i = 0; i < 10; i++)
		co_sleep(deadline_in(1));
}

void
play_ends(void)
{
	for (size_t i = 0; i < n_agents; i++)
		if (play_agents[i].link)
			ipc_link_close(play_agents[i].link);
	if (play_spool)
		ipc_link_close(play_spool);
	UNTIL(!store_is_up());
	play_calm();
	for (size_t i = 0; i < play_n_deliveries; i++)
		if (!play_deliveries[i].answered)
			ipc_reply(play_deliveries[i].rq, STR_NONE, -1);
	play_calm();
	/* What could not end without spool. */
	size_t at = 0;
	struct message *m;
	while (index_next(&queue_index, &at, &m))
		if (m->worked_on && m->active)
			active_cancel(m->active);
	play_calm(); /* the loader sees that nothing is left to do */
	store_reset();
	ticker_stop();
	schedule_free();
	index_free(&queue_index);
	route_close(outside.route);
	conf_free((struct conf *)outside.conf);
	log_capture(NULL, NULL);
	for (size_t i = 0; i < STORED_MOST; i++) {
		buf_free(&messages[i].envelope);
		buf_free(&messages[i].content);
		vec_free(&messages[i].states);
	}
	memset(messages, 0, sizeof(messages));
	memset(play_deliveries, 0, sizeof(play_deliveries));
	vec_free(&play_noticed);
	buf_free(&play_said);
	buf_free(&play_logged);
	arena_free(play_arena);
}

/* ---- the tests run in a coroutine, with the loader beside them ---- */

static void
run_test(void *arg)
{
	((void (*)(void))arg)();
	event_stop();
}

void
play_in_loop(void (*fn)(void))
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
