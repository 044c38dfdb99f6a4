/* smtpd -- receives mail by SMTP and hands it to cleanup (RFC 5321). */
#include "explained.h"
#include "service.h"
#include "session.h"
#include "site.h"
#include "starttls.h"

/* Maps that only root can read. */
static void
smtpd_open(void)
{
	smtpd_site = site_open(service_conf(), service_conf_under_stress());
}

static const char *const peers[] = { "cleanup", "cleanup-suspect", "dns", "proxymap",
	"flush", "anvil", "tlsmgr", "bounce", "verify", "sasl", "greylistd", "mailauth",
	"mailauth-suspect", NULL };

static const struct service smtpd = {
	.name = "smtpd",
	.user = USER_NET,
	.sandbox = SANDBOX_TABLES | SANDBOX_PCRE,
	.peers = peers,
	.before_jail = smtpd_open,
	.start = starttls_start,
	.session = smtpd_session, /* one coroutine for each client */
	.explain = smtpd_explain,
};

int
main(int argc, char **argv)
{
	return service_main(&smtpd, argc, argv);
}
