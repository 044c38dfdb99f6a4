/* dns -- the suite's resolver (design.md section 8). */
#include "event.h"
#include "log.h"
#include "answers.h"
#include "service.h"
#include <stdlib.h>

static struct resolver_options options;
static struct answers answers;

/* Read when the first question comes, and again when it changed: its directory, since a
 * rule on a file dies when another is renamed into its place. */
static void
allow_directory_of(const struct conf *c, const char *path)
{
	char *real = realpath(path, NULL);
	struct str at = str_c(real ? real : path);
	ssize_t slash = str_rchr(at, '/');

	if (slash > 0)
		service_allow_read(arena_cstr(c->arena, str_sub(at, 0, (size_t)slash)));
	free(real);
}

static void
dns_before_jail(void)
{
	const struct conf *c = service_conf();

	options.servers = conf_list(c->p.dns_servers, c->arena);
	options.resolv_conf = "/etc/resolv.conf";
	if (c->p.dns_trust_anchor.len > 0) {
		options.trust_anchor = arena_cstr(c->arena, c->p.dns_trust_anchor);
		allow_directory_of(c, options.trust_anchor);
	}
	service_allow_read("/etc");
	allow_directory_of(c, options.resolv_conf);
	answers.hosts =
		hosts_file_open("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf");
}

static void
dns_start(void)
{
	struct why why;

	answers.resolver = resolver_open(&options, &why);
	if (!answers.resolver)
		log_fatal("DNS resolver: %s", why.text);
}

static void
dns_ask(struct ipc_request *rq)
{
	answers_give(&answers, rq);
}

static const struct ipc_handler handlers[] = {
	{ .type = dns_TYPE, .run = dns_ask, .direct = true },
	{ 0 },
};

static const struct service dns = {
	.name = "dns",
	.user = USER_DNS,
	.sandbox = SANDBOX_INTERNET | SANDBOX_DNS_FILES,
	.before_jail = dns_before_jail,
	.start = dns_start,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&dns, argc, argv);
}
