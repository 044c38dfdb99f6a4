/* dns -- the suite's resolver (design.md section 8). */
#include "event.h"
#include "log.h"
#include "resolver.h"
#include "service.h"
#include <arpa/nameser.h>
#include <stdlib.h>

static struct resolver *resolver;
static struct hosts_file *hosts;
static struct resolver_options options;

/* One question in hand: a name, or what the search list makes of it. */
struct asked {
	struct ipc_request *rq;
	struct dns_request ask;
	struct strs names;
	size_t at;              /* which of them is asked now */
	struct dns_reply first; /* of the name as given, when there is none better */
	bool have_first;
};

static void ask_next(struct asked *a);

static bool
in_hosts(struct asked *a, struct dns_reply *reply)
{
	return (a->ask.flags & DNS_HOSTS) && hosts_file_find(hosts, a->names.items[a->at],
						     a->ask.type, a->rq->arena, reply);
}

static void
answer(void *arg, const struct dns_reply *reply)
{
	struct asked *a = arg;
	struct dns_reply say = *reply, found;

	/* hosts: files after dns, where nsswitch.conf asks for that order */
	if (reply->status != DNS_OK && in_hosts(a, &found))
		say = found;
	if (say.status == DNS_OK || say.status == DNS_TEMPFAIL) {
		dns_answer(a->rq, &say);
		return;
	}
	/* "There is such a host" outlives "there is none" of another name. */
	if (!a->have_first || say.status == DNS_NODATA)
		a->first = say;
	a->have_first = true;
	if (++a->at < a->names.n)
		ask_next(a);
	else
		dns_answer(a->rq, &a->first);
}

static void
ask_next(struct asked *a)
{
	struct dns_reply found;

	if ((a->ask.flags & DNS_HOSTS) && !hosts_dns_first(hosts) && in_hosts(a, &found))
		dns_answer(a->rq, &found);
	else
		resolver_ask(resolver, a->names.items[a->at], a->ask.type,
			(a->ask.flags & DNS_VALIDATE) != 0, a->rq->arena, answer, a);
}

static void
dns_ask(struct ipc_request *rq)
{
	struct asked *a = arena_alloc(rq->arena, sizeof(*a));

	a->rq = rq;
	if (dns_request_get(rq->payload, &a->ask, rq->arena) < 0) {
		struct dns_reply reply = { .status = DNS_TEMPFAIL,
			.reason = STR("malformed question") };

		log_warn("malformed question from %s", rq->caller->program);
		dns_answer(rq, &reply);
		return;
	}
	a->names = hosts_names(hosts, a->ask.name, a->ask.flags, rq->arena);
	ask_next(a);
}

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
	hosts = hosts_file_open("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf");
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
