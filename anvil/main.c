/* anvil -- counts what clients do, for all processes that serve them: connections, and
 * events in a time unit. It decides nothing; who asks knows the limits. */
#include "counts.h"
#include "event.h"
#include "log.h"
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
report_about(enum anvil_about about, msec_t unit)
{
	static const char *const names[ANVIL_EVENTS] = {
		[ANVIL_CONNECT] = "connection",
		[ANVIL_MAIL] = "message",
		[ANVIL_RCPT] = "recipient",
		[ANVIL_NEWTLS] = "newtls",
		[ANVIL_AUTH] = "auth",
	};
	struct peaks peaks = counts_peaks(about);

	for (int i = 0; i < ANVIL_EVENTS; i++) {
		const struct peak *p = &peaks.rate[i];

		if (p->value > 0)
			log_line(ANVIL_RATE, str_c(names[i]), log_num(p->value),
				log_num(unit / 1000), str_c(p->client), when(p));
		/* Postfix's place for it. */
		if (i == ANVIL_CONNECT && peaks.count.value > 0)
			log_line(ANVIL_COUNT, log_num(peaks.count.value),
				str_c(peaks.count.client), when(&peaks.count));
	}
	if (about == ANVIL_CLIENT && peaks.clients.value > 0) /* as Postfix */
		log_line(ANVIL_CACHE, log_num(peaks.clients.value), when(&peaks.clients));
}

static msec_t
unit_of(const struct conf *c, int about)
{
	return about == ANVIL_CLIENT ? c->p.anvil_rate_time_unit
				     : c->p.anvil_quota_time_unit;
}

static void
report(void)
{
	for (int i = 0; i < ANVIL_ABOUTS; i++)
		report_about((enum anvil_about)i, unit_of(service_conf(), i));
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

static void
forget_now(void *arg)
{
	deadline_t next = counts_forget(event_now());

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

static const struct ipc_handler handlers[] = {
	{ .type = anvil_TYPE, .run = answer, .direct = true, .in_place = true },
	{ .type = anvil_gone_TYPE, .run = gone, .direct = true, .in_place = true },
	{ 0 },
};

/* ---- start and end ---- */

static void
configure(const struct conf *c)
{
	for (int i = 0; i < ANVIL_ABOUTS; i++)
		counts_start((enum anvil_about)i, unit_of(c, i));
}

static void
start(void)
{
	configure(service_conf());
	timer_set(&report_again, deadline_in(service_conf()->p.anvil_status_update_time),
		report_now, NULL);
}

static bool
reload(const struct conf *fresh)
{
	configure(fresh);
	timer_set(&report_again, deadline_in(fresh->p.anvil_status_update_time),
		report_now, NULL);
	return true;
}

static void
drain(void)
{
	report();
	service_leave();
}

static const struct service anvil = {
	.name = "anvil",
	.user = USER_MAIL_OWNER,
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
