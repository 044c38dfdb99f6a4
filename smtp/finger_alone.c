/* finger_alone.c -- what smtp asks of other processes, for a command that has none: this
 * takes the places of tls_cache.c and, beside lib/service/alone.c, of lib/service. Names
 * are looked up by the library of dns(8), over a link to ourselves; TLS sessions are kept
 * in memory. */
#include "answers.h"
#include "finger.h"
#include "log.h"
#include <stdlib.h>
#include <unistd.h>

/* ---- lib/service ---- */

const struct conf *
service_conf(void)
{
	return finger.conf;
}

const char *
service_name(void)
{
	return "posttls-finger";
}

int
service_connect(const char *endpoint, deadline_t patience)
{
	struct why why;

	(void)patience;
	return net_connect_unix(endpoint + strlen("unix:"), &why);
}

/* ---- dns ---- */

static struct answers answers;

static void
dns_ask(struct ipc_request *rq)
{
	answers_give(&answers, rq);
}

static void
dns_lost(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
}

static int
connect_dns(const char *name, deadline_t patience)
{
	static const struct ipc_handler handlers[] = {
		{ .type = dns_TYPE, .run = dns_ask, .direct = true },
		{ 0 },
	};
	struct ipc_caller us = {
		.program = "posttls-finger", .pid = getpid(), .uid = getuid()
	};
	int pair[2];

	(void)name, (void)patience;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (ipc_hello(pair[0], &us) == 0) {
		ipc_link_accept(pair[1], handlers, NULL, dns_lost, getuid());
		return pair[0];
	}
	close(pair[0]);
	close(pair[1]);
	return -1;
}

struct ipc_peer *
service_peer(const char *name)
{
	static struct ipc_peer *dns;

	ensure(strcmp(name, "dns") ==
		0); /* a session with a server asks for nothing else */
	if (!dns)
		dns = ipc_peer_new(name, connect_dns, NULL, NULL);
	return dns;
}

void
finger_alone(void)
{
	const struct conf *c = finger.conf;
	struct resolver_options options = {
		.servers = conf_list(c->p.dns_servers, c->arena),
		.resolv_conf = "/etc/resolv.conf",
		.trust_anchor = c->p.dns_trust_anchor.len > 0
					? arena_cstr(c->arena, c->p.dns_trust_anchor)
					: NULL,
	};
	struct why why;

	answers.hosts =
		hosts_file_open("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf");
	answers.resolver = resolver_open(&options, &why);
	if (!answers.resolver)
		log_fatal("DNS resolver: %s", why.text);
}

/* ---- tls_cache.c: the session with the one server that is asked ---- */

static struct buf kept = BUF_INIT;

static void
tell(const char *what, struct str key, const char *where)
{
	if (finger.show & SHOW_CACHE)
		log_info("%s session " STR_FMT " %s memory cache", what, STR_ARG(key),
			where);
}

bool
tls_cache_is_on(const struct conf *c)
{
	(void)c;
	return finger.again > 0;
}

struct str
tls_cache_key(const struct session *s, struct str server_name, const struct conf *c)
{
	(void)c;
	return arena_printf(s->arena, STR_FMT "&" STR_FMT, STR_ARG(s->namaddrport),
		STR_ARG(server_name));
}

struct str
tls_cache_find(struct session *s, const struct conf *c)
{
	if (!tls_cache_is_on(c))
		return STR_NONE;
	tell("looking for", s->tls_key, "in");
	if (kept.len > 0)
		tell("reloaded", s->tls_key, "from");
	return buf_str(&kept);
}

void
tls_cache_keep(struct session *s, const struct conf *c)
{
	if (tls_cache_is_on(c) && conn_tls_session(s->conn, &kept))
		tell("save", s->tls_key, "to");
}

void
tls_cache_forget(struct session *s, const struct conf *c)
{
	(void)s, (void)c;
	buf_wipe(&kept);
}
