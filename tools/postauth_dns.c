/* postauth_dns.c -- the library of dns(8), in a command. */
#include "command.h"
#include "log.h"
#include "postauth.h"
#include "net.h"
#include "resolver.h"
#include <netdb.h>

static struct resolver *resolver;

/* "localhost:5353", "[::1]:53", "192.0.2.1" as the resolver wants it. */
static struct str
server_of(const char *text, struct arena *arena)
{
	struct str host = str_c(text), port = STR("53");
	ssize_t colon = str_rchr(host, ':');
	struct addrinfo want = { .ai_socktype = SOCK_DGRAM }, *found = NULL;
	struct net_addr address = { 0 };
	char shown[NET_ADDR_TEXT], *node;

	if (colon >= 0 && !str_ends(host, STR("]"))) {
		port = str_from(host, (size_t)colon + 1);
		host = str_sub(host, 0, (size_t)colon);
	}
	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_sub(host, 1, host.len - 2);
	node = arena_cstr(arena, host);
	if (getaddrinfo(node, arena_cstr(arena, port), &want, &found) != 0)
		log_fatal("--dns %s: no such host and port", text);
	address.len = found->ai_addrlen;
	memcpy(&address.sa, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return arena_printf(arena, address.sa.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		net_addr_text(&address, shown), net_addr_port(&address));
}

/* An ordinary user may have no main.cf, or none that he can read. */
static struct strs
servers_of_main_cf(const char *directory)
{
	const struct conf *c;

	if (!postauth_site_exists(directory))
		return (struct strs){ 0 };
	c = command_conf(directory);
	return conf_list(c->p.dns_servers, c->arena);
}

void
postauth_dns_open(const char *server, const char *directory)
{
	struct arena *arena = arena_new();
	struct resolver_options options = { .resolv_conf = "/etc/resolv.conf" };
	struct str given;
	struct why why;

	if (server) {
		given = server_of(server, arena);
		options.servers = (struct strs){ arena_alloc(arena, sizeof(given)), 1 };
		options.servers.items[0] = given;
	} else {
		options.servers = servers_of_main_cf(directory);
	}
	event_init();
	resolver = resolver_open(&options, &why);
	if (!resolver)
		log_fatal("DNS resolver: %s", why.text);
}

struct job {
	void (*fn)(void *arg);
	void *arg;
};

static void
run_and_stop(void *arg)
{
	struct job *job = arg;

	job->fn(job->arg);
	event_stop();
}

void
postauth_run(void (*fn)(void *arg), void *arg)
{
	struct job job = { fn, arg };

	co_spawn(run_and_stop, &job, CO_STACK_LARGE);
	event_run();
}

/* An answer that comes too late still finds it: it is in the arena. */
struct question {
	struct co_queue answered;
	bool is_answered;
	struct dns_reply reply;
};

static void
take_answer(void *arg, const struct dns_reply *reply)
{
	struct question *q = arg;

	q->reply = *reply;
	q->is_answered = true;
	co_wake_all(&q->answered);
}

enum dns_status
postauth_ask(void *unused, struct str name, uint16_t type, struct arena *arena,
	deadline_t until, struct dns_reply *said)
{
	struct question *q = arena_alloc(arena, sizeof(*q));

	(void)unused;
	resolver_ask(resolver, name, type, false, arena, take_answer, q);
	while (!q->is_answered)
		if (co_wait(&q->answered, until) < 0) {
			*said = (struct dns_reply){ .status = DNS_TEMPFAIL };
			return DNS_TEMPFAIL;
		}
	*said = q->reply;
	return (enum dns_status)said->status;
}
