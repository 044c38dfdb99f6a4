/* smtp -- delivers to other hosts (RFC 5321). */
#include "smtp.h"
#include "log.h"

#define SLOTS 200

const struct own_addresses *smtp_own;
unsigned smtp_port;

static void
smtp_before_jail(void)
{
	const struct conf *c = service_conf();

	smtp_own = own_addresses_new(c);
	smtp_port = nexthop_port(c, c->p.smtp_tcp_port);
	if (smtp_port == 0)
		log_fatal("parameter smtp_tcp_port: \"%.*s\" is no port",
			STR_ARG(c->p.smtp_tcp_port));
	service_allow_read("/etc/services"); /* for ports with names */
	service_allow_read("/etc/nsswitch.conf");
	starttls_prepare(c);
}

static void
smtp_start(void)
{
	agent_run(attempt_run, SLOTS);
}

static void
smtp_drain(void)
{
	agent_drain();
	pool_close();
}

static const struct service smtp = {
	.name = "smtp",
	.user = USER_NET,
	.sandbox = SANDBOX_INTERNET | SANDBOX_TABLES,
	.peers = (const char *const[]){ "qmgr", "dns", NULL },
	.before_jail = smtp_before_jail,
	.start = smtp_start,
	.drain = smtp_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&smtp, argc, argv);
}
