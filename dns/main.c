/* dns -- the suite's resolver (design.md section 8). */
#include "event.h"
#include "log.h"
#include "resolver.h"
#include "service.h"
#include <arpa/nameser.h>

static struct resolver *resolver;
static struct hosts_file *hosts;
static struct resolver_options options;

/* One question in hand. */
struct asked {
	struct ipc_request *rq;
	struct dns_request ask;
};

static void
answer(void *arg, const struct dns_reply *reply)
{
	struct asked *a = arg;
	struct dns_reply say = *reply;

	/* hosts: files after dns, where nsswitch.conf asks for that order */
	if (reply->status != DNS_OK && (a->ask.flags & DNS_HOSTS) &&
		hosts_file_find(hosts, a->ask.name, a->ask.type, a->rq->arena, &say))
		reply = &say;
	dns_answer(a->rq, reply);
}

static void
dns_ask(struct ipc_request *rq)
{
	struct asked *a = arena_alloc(rq->arena, sizeof(*a));
	struct dns_reply reply = { .status = DNS_TEMPFAIL,
		.reason = STR("malformed question") };

	a->rq = rq;
	if (dns_request_get(rq->payload, &a->ask, rq->arena) < 0) {
		log_warn("malformed question from %s", rq->caller->program);
		dns_answer(rq, &reply);
		return;
	}
	if ((a->ask.flags & DNS_HOSTS) && !nsswitch_dns_first("/etc/nsswitch.conf") &&
		hosts_file_find(hosts, a->ask.name, a->ask.type, rq->arena, &reply)) {
		dns_answer(rq, &reply);
		return;
	}
	resolver_ask(resolver, a->ask.name, a->ask.type,
		(a->ask.flags & DNS_VALIDATE) != 0, rq->arena, answer, a);
}

static void
dns_before_jail(void)
{
	const struct conf *c = service_conf();

	options.servers = conf_list(c->p.dns_servers, c->arena);
	options.resolv_conf = "/etc/resolv.conf";
	if (c->p.dns_trust_anchor.len > 0)
		options.trust_anchor = arena_cstr(c->arena, c->p.dns_trust_anchor);
	service_allow_read("/etc");
	hosts = hosts_file_open("/etc/hosts");
}

static void
dns_start(void)
{
	struct why why;

	resolver = resolver_open(&options, &why);
	if (!resolver)
		log_fatal("DNS resolver: %s", why.text);
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
