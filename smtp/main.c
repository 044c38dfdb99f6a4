/* smtp -- delivers to other hosts (RFC 5321); called lmtp, to LMTP servers (RFC 2033). */
#include "smtp.h"
#include "log.h"
#include <libgen.h>

#define SLOTS 200

const struct own_addresses *smtp_own;
unsigned smtp_faults_wanted;
unsigned smtp_port;
bool smtp_lmtp;

/* lmtp has its own parameters, smtp_timeout as lmtp_timeout and so on. */
static void
use_lmtp_parameters(void)
{
	/* This process has no use for the values of the others. */
	struct conf *c = (struct conf *)(uintptr_t)service_conf();

	conf_adopt(c, "lmtp_", "smtp_");
	c->p.smtp_helo_name = c->p.lmtp_lhlo_name;
	c->p.smtp_helo_timeout = c->p.lmtp_lhlo_timeout;
	c->p.smtp_discard_ehlo_keywords = c->p.lmtp_discard_lhlo_keywords;
	c->p.smtp_discard_ehlo_keyword_address_maps =
		c->p.lmtp_discard_lhlo_keyword_address_maps;
}

static void
smtp_before_jail(void)
{
	const struct conf *c = service_conf();

	if (smtp_lmtp)
		use_lmtp_parameters();
	agent_filter(
		smtp_lmtp ? "lmtp_delivery_status_filter" : "smtp_delivery_status_filter",
		c->p.smtp_delivery_status_filter);
	smtp_own = own_addresses_new(c);
	smtp_port = nexthop_port(c, c->p.smtp_tcp_port);
	if (smtp_port == 0)
		log_fatal("parameter %s_tcp_port: \"%.*s\" is no port",
			smtp_lmtp ? "lmtp" : "smtp", STR_ARG(c->p.smtp_tcp_port));
	service_allow_read("/etc/services"); /* for ports with names */
	service_allow_read("/etc/nsswitch.conf");
	smtp_faults_wanted = faults_wanted(c);
	edit_prepare(c);
	quirks_prepare(c);
	source_prepare(c);
	starttls_prepare(c);
	sts_prepare(c);
	requiretls_prepare(c);
	auth_prepare(c);
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

static struct service smtp = {
	.name = "smtp",
	.user = USER_NET,
	.sandbox = SANDBOX_INTERNET | SANDBOX_TABLES,
	.peers = (const char *const[]){ "qmgr", "dns", "proxymap", "tlsmgr", "bounce",
		"stsd", NULL },
	.before_jail = smtp_before_jail,
	.start = smtp_start,
	.explain = smtp_explain,
	.drain = smtp_drain,
};

int
main(int argc, char **argv)
{
	smtp_lmtp = strcmp(basename(argv[0]), "lmtp") == 0;
	if (smtp_lmtp)
		smtp.name = "lmtp";
	return service_main(&smtp, argc, argv);
}
