/* anvil -- counts what clients do, for all processes that serve them: connections, and
 * events in a time unit; and what logins and sender domains send. Who asks knows the
 * limits. */
#include "cache_table.h"
#include "counts.h"
#include "event.h"
#include "log.h"
#include "quotas.h"
#include "service.h"
#include <time.h>

static struct timer report_again, forget_again;

/* ---- the log ---- */

static struct str
when(const struct peak *p)
{
	time_t seconds = (time_t)(p->when_us / 1000000);
	struct tm tm;
	char text[32];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%b %e %H:%M:%S", &tm);
	return log_fmt("%s", text);
}

static void
report_rate(const char *what, const struct peak *p, msec_t unit)
{
	if (p->value > 0)
		log_line(ANVIL_RATE, str_c(what), log_num((int64_t)p->value),
			log_num(unit / 1000), str_c(p->client), when(p));
}

static void
report_clients(msec_t unit)
{
	static const char *const names[ANVIL_EVENTS] = {
		[ANVIL_CONNECT] = "connection",
		[ANVIL_MAIL] = "message",
		[ANVIL_RCPT] = "recipient",
		[ANVIL_NEWTLS] = "newtls",
		[ANVIL_AUTH] = "auth",
	};
	struct peaks peaks = counts_peaks();

	for (int i = 0; i < ANVIL_EVENTS; i++) {
		report_rate(names[i], &peaks.rate[i], unit);
		/* Postfix's place for it. */
		if (i == ANVIL_CONNECT && peaks.count.value > 0)
			log_line(ANVIL_COUNT, log_num((int64_t)peaks.count.value),
				str_c(peaks.count.client), when(&peaks.count));
	}
	if (peaks.clients.value > 0)
		log_line(ANVIL_CACHE, log_num((int64_t)peaks.clients.value),
			when(&peaks.clients));
}

static void
report_quotas(enum quota_about about, msec_t unit)
{
	static const char *const names[QUOTA_KINDS] = {
		[QUOTA_MESSAGES] = "message",
		[QUOTA_RECIPIENTS] = "recipient",
		[QUOTA_BYTES] = "byte",
	};
	struct quota_peaks peaks = quotas_peaks(about);

	for (int i = 0; i < QUOTA_KINDS; i++)
		report_rate(names[i], &peaks.of[i], unit);
}

static void
report(void)
{
	const struct params *p = &service_conf()->p;

	report_clients(p->anvil_rate_time_unit);
	for (int i = 0; i < QUOTA_ABOUTS; i++)
		report_quotas((enum quota_about)i, p->anvil_quota_time_unit);
}

static void
report_now(void *arg)
{
	report();
	timer_set(&report_again, deadline_in(service_conf()->p.anvil_status_update_time),
		report_now, arg);
}

/* ---- while somebody is remembered, there is something in hand ---- */

static bool remembers;

static int64_t
now(void)
{
	return time_wall_us() / 1000000;
}

static deadline_t
forget(void)
{
	deadline_t next = counts_forget(event_now());
	int64_t at = quotas_forget(now());

	return at > 0 ? deadline_least(next, event_now() + (at - now()) * 1000) : next;
}

static void
forget_now(void *arg)
{
	deadline_t next = forget();

	if (next != DEADLINE_NEVER) {
		timer_set(&forget_again, next, forget_now, arg);
		return;
	}
	remembers = false;
	service_busy(-1);
}

static void
remember(void)
{
	if (remembers)
		return;
	remembers = true;
	service_busy(1);
	timer_set(&forget_again, deadline_in(service_conf()->p.anvil_rate_time_unit),
		forget_now, NULL);
}

/* ---- the table of quotas ---- */

static void
give_entry(struct str key, struct str value, void *arg)
{
	cache_table_put(arg, key, value);
}

static void
give(struct cache_writer *w)
{
	(void)quotas_forget(now());
	quotas_write(give_entry, w);
}

static struct cache_table table = {
	.parameter = "anvil_quota_map",
	.take = quotas_take,
	.give = give,
};

static void
keep(struct str key, struct str value)
{
	cache_table_set(&table, key, value);
}

/* ---- requests ---- */

static struct counts_link *
counts_of(struct ipc_link *link)
{
	if (!ipc_link_own(link))
		ipc_link_set_own(link, counts_link_new());
	return ipc_link_own(link);
}

static void
link_closed(struct ipc_link *link)
{
	if (ipc_link_own(link))
		counts_link_lost(ipc_link_own(link), event_now());
}

static void
answer(struct ipc_request *rq)
{
	struct anvil_request ask;
	struct anvil_reply say = { .rate = 0 };

	if (rq->link && anvil_request_get(rq->payload, &ask, rq->arena) == 0) {
		remember();
		say = counts_event(counts_of(rq->link), &ask, event_now());
	}
	anvil_answer(rq, &say);
}

static void
gone(struct ipc_request *rq)
{
	struct anvil_gone_note note;

	if (rq->link && anvil_gone_note_get(rq->payload, &note, rq->arena) == 0)
		counts_gone(counts_of(rq->link), note.client, event_now());
	ipc_done(rq);
}

static void
answer_quota(struct ipc_request *rq)
{
	struct quota_request ask;
	struct quota_reply say = { .over = false };

	if (quota_request_get(rq->payload, &ask, rq->arena) == 0) {
		remember();
		say = quotas_ask(&ask, now());
	}
	quota_answer(rq, &say);
}

/* ---- commands ---- */

#define LISTED_MOST 10000 /* accounts in one answer */

struct listing {
	const struct quota_list_request *ask;
	struct quota_list_reply *say;
	struct arena *arena;
};

static bool
is_asked_for(const struct quota_list_request *ask, struct str name)
{
	for (size_t i = 0; i < ask->names.n; i++)
		if (str_case_eq(ask->names.items[i], name))
			return true;
	return ask->names.n == 0;
}

static void
list_one(const struct quota_account *a, void *arg)
{
	struct listing *l = arg;
	struct quota_account *to = &l->say->accounts[l->say->n_accounts];

	if (!is_asked_for(l->ask, a->name))
		return;
	if (l->say->n_accounts == LISTED_MOST) {
		l->say->left_out++;
		return;
	}
	*to = *a;
	to->spans = arena_alloc(l->arena, a->n_spans * sizeof(*to->spans));
	memcpy(to->spans, a->spans, a->n_spans * sizeof(*to->spans));
	l->say->n_accounts++;
}

static void
lift_all(const struct quota_list_reply *said)
{
	for (size_t i = 0; i < said->n_accounts; i++)
		if (quotas_lift(said->accounts[i].name, now()))
			log_line(ANVIL_LIFTED, said->accounts[i].name);
}

/* Processes that serve strangers come through broker, and may not. */
static bool
is_command(const struct ipc_request *rq)
{
	return rq->caller && strcmp(rq->caller->program, "command") == 0;
}

static void
list_quotas(struct ipc_request *rq)
{
	struct quota_list_request ask;
	struct quota_list_reply say = { .left_out = 0 };
	struct listing l = { &ask, &say, rq->arena };

	if (is_command(rq) && quota_list_request_get(rq->payload, &ask, rq->arena) == 0) {
		say.accounts =
			arena_alloc(rq->arena, LISTED_MOST * sizeof(*say.accounts));
		quotas_each(now(), list_one, &l);
		if (ask.lift && ask.names.n > 0)
			lift_all(&say);
	}
	quota_list_answer(rq, &say);
}

static const struct ipc_handler handlers[] = {
	{ .type = anvil_TYPE, .run = answer, .direct = true, .in_place = true },
	{ .type = anvil_gone_TYPE, .run = gone, .direct = true, .in_place = true },
	{ .type = quota_TYPE, .run = answer_quota, .direct = true, .in_place = true },
	{ .type = quota_list_TYPE, .run = list_quotas, .direct = true },
	{ 0 },
};

/* ---- start and end ---- */

static void
configure(const struct conf *c)
{
	counts_start(c->p.anvil_rate_time_unit);
	quotas_configure(c->p.anvil_quota_time_unit / 1000);
	timer_set(&report_again, deadline_in(c->p.anvil_status_update_time), report_now,
		NULL);
}

static void
before_jail(void)
{
	cache_table_open(&table, service_conf()->p.anvil_quota_map, service_conf());
	quotas_taken();
	quotas_tell(keep);
}

static void
start(void)
{
	configure(service_conf());
	if (quotas_forget(now()) > 0)
		remember();
}

static bool
reload(const struct conf *fresh)
{
	configure(fresh);
	return true;
}

static void
drain(void)
{
	report();
	cache_table_leave(&table);
}

static const struct service anvil = {
	.name = "anvil",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_DATA,
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.link_closed = link_closed,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&anvil, argc, argv);
}
