/* clog.c -- qmgr_clog_warn_time: what a next hop does not take in time is in the way of
 * others when no more messages may be at work. The words are Postfix's, which people look
 * for. See schedule.h. */
#include "active.h"
#include "log.h"
#include "outside.h"
#include "schedule_impl.h"

/* Neither its limit nor ours is reached, and it is alone: the hosts are slow. */
static void
advise_speed(const struct transport *t)
{
	log_warn("you may need to reduce " STR_FMT " connect and helo timeouts",
		STR_ARG(t->name));
	log_warn("so that Postfix quickly skips unavailable hosts");
	log_warn("you may need to increase the main.cf minimal_backoff_time and "
		 "maximal_backoff_time");
	log_warn("so that Postfix wastes less time on undeliverable mail");
	log_warn("you may need to increase the master.cf " STR_FMT " process limit",
		STR_ARG(t->name));
}

static void
advise(const struct destination *d, double part)
{
	const struct transport *t = d->transport;
	int limit = outside.conf->p.qmgr_message_active_limit;

	if (part < 0.9)
		log_warn("this may slow down other mail deliveries");
	if (t->rules.limit > 0 && t->rules.limit <= d->busy + 1)
		log_warn("you may need to increase the main.cf " STR_FMT
			 "_destination_concurrency_limit from %d",
			STR_ARG(t->name), t->rules.limit);
	else if (d->window.size > limit * part)
		log_warn("you may need to increase the main.cf qmgr_message_active_limit "
			 "from %d",
			limit);
	else if (map_count(t->destinations) > 1)
		log_warn("you may need a separate master.cf transport for " STR_FMT,
			STR_ARG(d->nexthop));
	else
		advise_speed(t);
	log_warn("please avoid flushing the whole queue when you have");
	log_warn("lots of deferred mail, that is bad for performance");
	log_warn("to turn off these warnings specify: qmgr_clog_warn_time = 0");
}

void
destination_warn(struct destination *d)
{
	const struct params *p = &outside.conf->p;
	int64_t n = (int64_t)d->left + d->busy, now = outside.now_us();
	int64_t total = (int64_t)active_count();

	if (n <= p->qmgr_message_active_limit / 5 || !p->helpful_warnings ||
		p->qmgr_clog_warn_time == 0 || now < d->warn_us)
		return;
	d->warn_us = now + p->qmgr_clog_warn_time * 1000;
	log_line(QMGR_CLOGGED, d->nexthop, log_num(n), log_num(total));
	advise(d, (double)n / (double)MAX(total, 1));
}
