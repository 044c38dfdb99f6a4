/* postscreen -- the doorman of smtpd: keeps out clients that are no mail servers, without
 * a process or a session for each of them (POSTSCREEN_README). */
#include "cache.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "session.h"
#include "site.h"

static struct timer clean_again;
static struct co_queue session_ended;

static void
clean(void *arg)
{
	(void)arg;
	co_name("cleaning");
	cache_clean(postscreen_site->enabled);
	service_busy(-1);
}

static void
clean_due(void *arg)
{
	service_busy(1);
	co_spawn(clean, NULL, CO_STACK_LARGE);
	timer_set(&clean_again,
		deadline_in(postscreen_site->p->postscreen_cache_cleanup_interval),
		clean_due, arg);
}

/* Tables that only root can read. */
static void
before_jail(void)
{
	cache_configure(service_conf());
	postscreen_site = site_open(service_conf(), service_conf_under_stress());
}

static void
start(void)
{
	msec_t interval = postscreen_site->p->postscreen_cache_cleanup_interval;

	cache_open(service_conf());
	certificates_start(&postscreen_site->tls);
	if (interval > 0)
		timer_set(&clean_again, deadline_in(interval), clean_due, NULL);
}

/* Who follows us asks the table for what we know: it is written at once, and again when
 * the last client has gone. */
static void
leave(void *arg)
{
	(void)arg;
	co_name("leaving");
	co_shield(1);
	cache_write();
	while (sessions_open() > 0)
		(void)co_wait(&session_ended, DEADLINE_NEVER);
	cache_write();
	service_leave();
}

static void
drain(void)
{
	timer_cancel(&clean_again);
	co_spawn(leave, NULL, CO_STACK_LARGE);
}

static void
session(struct conn *conn)
{
	postscreen_session(conn);
	co_wake_all(&session_ended);
}

static const char *const peers[] = { "smtpd", "dns", "tlsmgr", "proxymap", NULL };

static const struct service postscreen = {
	.name = "postscreen",
	.user = USER_MAIL_OWNER, /* whose the directory of the cache is */
	.sandbox = SANDBOX_TABLES | SANDBOX_PCRE | SANDBOX_DATA,
	.peers = peers,
	.before_jail = before_jail,
	.start = start,
	.session = session, /* one coroutine for each client */
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&postscreen, argc, argv);
}
