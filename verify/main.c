/* verify -- knows which addresses take mail, and finds it out by probes: messages that go
 * the way of mail, but for the last step (ADDRESS_VERIFICATION_README). */
#include "cache.h"
#include "cache_table.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "submit.h"

#define SUBMIT_TIME   ((msec_t)300000) /* cleanup waits for the disk */
#define PATIENCE_MOST ((msec_t)3600000)

static struct timer clean_again;

static int64_t
now(void)
{
	return time_wall_us() / 1000000;
}

static struct cache_times
times(void)
{
	const struct params *p = &service_conf()->p;

	return (struct cache_times){
		.positive_expire = p->address_verify_positive_expire_time / 1000,
		.positive_refresh = p->address_verify_positive_refresh_time / 1000,
		.negative_expire = p->address_verify_negative_expire_time / 1000,
		.negative_refresh = p->address_verify_negative_refresh_time / 1000,
		.keeps_negative = p->address_verify_negative_cache,
	};
}

/* ---- the table ---- */

static void
give_entry(const struct address *a, void *arg)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (a->status == VERIFY_UNKNOWN)
		return;
	cache_entry_put(a, &value);
	cache_table_put(arg, str_c(a->name), buf_str(&value));
}

static void
give(struct cache_writer *w)
{
	cache_each(give_entry, w);
}

static struct cache_table table = {
	.parameter = "address_verify_map",
	.take = cache_entry_get,
	.give = give,
};

static void
keep(const struct address *a)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	cache_entry_put(a, &value);
	cache_table_set(&table, str_c(a->name), buf_str(&value));
}

static void
clean_now(void *arg)
{
	struct cache_times t = times();
	msec_t interval = service_conf()->p.address_verify_cache_cleanup_interval;
	size_t retained, dropped;

	(void)arg;
	cache_clean(&t, now(), &retained, &dropped);
	log_info("cache %.*s full cleanup: retained=%zu dropped=%zu entries",
		STR_ARG(table.spec), retained, dropped);
	if (dropped > 0)
		cache_table_changed(&table);
	if (interval > 0)
		timer_set(&clean_again, deadline_in(interval), clean_now, NULL);
}

/* ---- probes ---- */

static struct str
probe_sender(const struct conf *c)
{
	struct str sender = c->p.address_verify_sender;

	return str_is(sender, "<>") ? STR("") : sender;
}

static bool
has_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

/* The sender and the date are all that it needs, and cleanup adds these. */
static void
submit_probe(struct str address)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct rcpt rcpt = { .address = address, .notify = NOTIFY_NEVER };
	struct envelope e = {
		.arrival_us = (uint64_t)time_wall_us(),
		.sender = probe_sender(service_conf()),
		.flags = ENVELOPE_PROBE | ENVELOPE_NO_CHECKS |
			 (has_8bit(address) ? ENVELOPE_SMTPUTF8 : 0),
		.rcpts = &rcpt,
		.n_rcpts = 1,
	};
	struct submit_request ask = { .origin = STR("local") };
	struct submit_reply said;
	struct submission *s;

	envelope_put(&envelope, &e);
	ask.envelope = buf_str(&envelope);
	s = submission_new(&ask);
	(void)submission_write(s, STR("Subject: Mail Delivery Status Report\n\n"),
		deadline_in(SUBMIT_TIME));
	if (submission_end(s, arena, &said, deadline_in(SUBMIT_TIME)) != ACCEPT)
		log_warn("probe for <%.*s>: %.*s", STR_ARG(address), STR_ARG(said.text));
}

static void
probe(void *arg)
{
	char *address = arg;

	co_name("probe");
	submit_probe(str_c(address));
	mem_free(address);
	service_busy(-1);
}

static void
start_probe(struct address *a)
{
	size_t most = (size_t)service_conf()->p.address_verify_pending_request_limit;
	size_t len = strlen(a->name);
	char *address;

	if (cache_probes() >= most) {
		log_warn("%zu probes are under way: <%s> is not probed now", most,
			a->name);
		return;
	}
	cache_probing(a, now());
	address = mem_alloc(len + 1);
	memcpy(address, a->name, len);
	service_busy(1);
	co_spawn(probe, address, CO_STACK_SMALL);
}

/* ---- requests ---- */

static void
wait_for(struct address *a, msec_t patience)
{
	deadline_t until = deadline_in(MIN(patience, PATIENCE_MOST));

	a->waiting++;
	while (a->status == VERIFY_UNKNOWN && co_wait(&a->learned, until) == 0)
		;
	a->waiting--;
}

static void
ask(struct ipc_request *rq)
{
	struct cache_times t = times();
	struct verify_request question;
	struct verify_reply say = { .status = VERIFY_UNKNOWN,
		.text = STR("Address verification in progress") };
	struct address *a = NULL;

	service_busy(1);
	if (verify_request_get(rq->payload, &question, rq->arena) == 0)
		a = cache_take(question.address, &t, now());
	if (a && cache_wants_probe(a, &t, now()))
		start_probe(a);
	if (a) {
		wait_for(a, (msec_t)MIN(question.patience, (uint64_t)PATIENCE_MOST));
		say.status = (uint8_t)a->status;
		say.text = arena_str(rq->arena, str_c(a->text));
	}
	verify_answer(rq, &say);
	service_busy(-1);
}

/* Without address_verify_negative_cache those who wait hear of a failure, and nobody
 * else. */
static void
learn(struct ipc_request *rq)
{
	struct cache_times t = times();
	struct probed_request said;
	struct probed_reply say = { .unused = 0 };

	const struct address *a = NULL;

	if (probed_request_get(rq->payload, &said, rq->arena) == 0 &&
		said.status <= VERIFY_BOUNCE)
		a = cache_learn(said.address, (enum verify_status)said.status, said.text,
			&t, now());
	if (a)
		keep(a);
	probed_answer(rq, &say);
}

static const struct ipc_handler handlers[] = {
	{ .type = verify_TYPE, .run = ask },
	{ .type = probed_TYPE, .run = learn, .direct = true },
	{ 0 },
};

/* ---- start and end ---- */

static void
before_jail(void)
{
	cache_table_open(&table, service_conf()->p.address_verify_map, service_conf());
}

static void
start(void)
{
	msec_t interval = service_conf()->p.address_verify_cache_cleanup_interval;

	if (interval > 0)
		timer_set(&clean_again, deadline_in(interval), clean_now, NULL);
}

static bool
reload(const struct conf *fresh)
{
	(void)fresh;
	timer_cancel(&clean_again);
	start();
	return false;
}

static void
drain(void)
{
	timer_cancel(&clean_again);
	cache_table_leave(&table);
}

static const char *const peers[] = { "cleanup", "cleanup-suspect", NULL };

static const struct service verify = {
	.name = "verify",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_DATA,
	.peers = peers,
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&verify, argc, argv);
}
