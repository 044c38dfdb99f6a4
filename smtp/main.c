/* smtp -- delivers to other hosts (RFC 5321). */
#include "smtp.h"
#include "log.h"
#include <stdio.h>

#define SLOTS 200

struct tls_context *smtp_tls;
const struct own_addresses *smtp_own;

/* One delivery on its way through the hosts. */
struct attempt {
	struct delivery *d;
	struct nexthop nexthop;
	struct str key; /* of the pool */
	struct why why; /* of the last host that did not take all of it */
	bool talked;    /* some host did talk to us */
};

static bool
all_decided(const struct delivery *d)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		if (!delivery_decided(d, i))
			return false;
	return true;
}

/* The session goes on living where somebody may want it soon. */
static void
session_done(struct attempt *a, struct session *s)
{
	const struct conf *c = a->d->conf;

	if (c->p.smtp_connection_cache_on_demand && !s->dead && pool_demand(a->key)) {
		if (s->key.len == 0)
			s->key = arena_str(s->arena, a->key);
		pool_give(s, c);
	} else {
		session_quit(s, c);
	}
}

/* A session that somebody else opened. False: it was dead, and nobody read a word. */
static bool
try_pooled(struct attempt *a)
{
	struct session *s = pool_take(a->key, a->d->conf);

	if (!s)
		return false;
	transfer(s, a->d, &a->why);
	a->talked = !(s->dead && s->reply.code == 0);
	session_done(a, s);
	return a->talked;
}

static void
try_hosts(struct attempt *a)
{
	struct delivery *d = a->d;
	const struct conf *c = d->conf;
	struct hosts hosts = { 0 };
	char qid[64];
	enum verdict v = hosts_find(&a->nexthop, c, d->arena, &hosts, &a->why);
	int sessions = 0;

	snprintf(qid, sizeof(qid), "%.*s", STR_ARG(d->envelope.queue_id));
	for (size_t i = 0; v == ACCEPT && i < hosts.list.n && !all_decided(d); i++) {
		struct session *s;

		if (c->p.smtp_mx_address_limit > 0 &&
			i >= (size_t)c->p.smtp_mx_address_limit)
			break;
		if (c->p.smtp_mx_session_limit > 0 &&
			sessions >= c->p.smtp_mx_session_limit)
			break;
		if (a->talked && i > 0)
			log_line(SMTP_HOST, d->envelope.queue_id, str_c(a->why.text));
		s = session_open(&hosts.list.items[i], &a->nexthop, c, qid, &a->why);
		if (!s && a->why.code[0] == '5') {
			v = PERMFAIL;
			break;
		}
		if (!s)
			continue;
		sessions++;
		a->talked = true;
		transfer(s, d, &a->why);
		session_done(a, s);
	}
	hosts_free(&hosts);
	if (all_decided(d))
		return;
	if (v == ACCEPT)
		v = TEMPFAIL;
	if (v == TEMPFAIL && !a->talked) {
		d->site_down = true;
		d->site_code = arena_str(d->arena, str_c(a->why.code));
		d->site_text = arena_str(d->arena, str_c(a->why.text));
	}
	delivery_all(d, v, a->why.code, STR("none"), str_c(a->why.text));
}

static void
smtp_deliver(struct delivery *d)
{
	struct attempt a = { .d = d };
	enum verdict v = nexthop_parse(d->ask.nexthop, 25, &a.nexthop, &a.why);

	if (v != ACCEPT) {
		delivery_all(d, v, a.why.code, STR("none"), str_c(a.why.text));
		return;
	}
	a.key = arena_lower(d->arena, d->ask.nexthop);
	if (!try_pooled(&a) || !all_decided(d))
		try_hosts(&a);
}

/* Certificates and CA files are read while we may. */
static void
smtp_before_jail(void)
{
	const struct conf *c = service_conf();
	struct why why;
	struct tls_config tls = {
		.cert_file = c->p.smtp_tls_cert_file,
		.key_file = c->p.smtp_tls_key_file,
		.eccert_file = c->p.smtp_tls_eccert_file,
		.eckey_file = c->p.smtp_tls_eckey_file,
		.chain_files = conf_list(c->p.smtp_tls_chain_files, c->arena),
		.ca_file = c->p.smtp_tls_CAfile,
		.ca_path = c->p.smtp_tls_CApath,
		.protocols = smtp_tls_level(c) == TLS_MAY
				     ? c->p.smtp_tls_protocols
				     : c->p.smtp_tls_mandatory_protocols,
		.ciphers = smtp_tls_level(c) == TLS_MAY ? c->p.smtp_tls_ciphers
							: c->p.smtp_tls_mandatory_ciphers,
		.exclude_ciphers = c->p.smtp_tls_exclude_ciphers,
	};

	smtp_own = own_addresses_new(c);
	if (smtp_tls_level(c) == TLS_NONE)
		return;
	smtp_tls = tls_client_context(&tls, &why);
	if (!smtp_tls)
		log_warn("TLS is off: %s", why.text);
}

static void
smtp_start(void)
{
	agent_run(smtp_deliver, SLOTS);
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
