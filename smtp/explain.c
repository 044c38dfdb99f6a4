/* explain.c -- which hosts would be asked to take a recipient (postern explain). Nobody
 * is: a connection is something that others notice. */
#include "explain.h"
#include "smtp.h"

/* Whom a host has to be; without TLSA records, and without MTA-STS, that is not told, as
 * it is the policy. */
static void
explain_tls(const struct host *host, const struct tls_policy *wanted,
	const struct sts *sts, struct delivery *d)
{
	struct tls_policy policy;
	struct why why;

	if (dane_policy(wanted, host, d->conf, d->arena, &policy, &why) != ACCEPT ||
		sts_policy(sts, host, d->conf, d->arena, &policy, &why) != ACCEPT)
		explain_step("TLS", STR_NONE, host->name, "fails for now",
			arena_str(d->arena, str_c(why.text)));
	else if (policy.terms.dane)
		explain_step("TLS", STR_NONE, host->name, "must match TLSA records at",
			arena_printf(d->arena, "_%u._tcp." STR_FMT, host->port,
				STR_ARG(policy.terms.dane->base)));
	else if (sts->mode == MTA_STS_ENFORCE)
		explain_step("TLS", STR_NONE, host->name,
			"must have a certificate by the MTA-STS policy of", sts->domain);
}

static void
explain_hosts(const struct hosts *h, const struct tls_policy *wanted,
	const struct sts *sts, struct delivery *d)
{
	const struct conf *c = d->conf;
	size_t n = h->list.n;

	if (c->p.smtp_mx_address_limit > 0)
		n = MIN(n, (size_t)c->p.smtp_mx_address_limit);
	for (size_t i = 0; i < n; i++) {
		const struct host *host = &h->list.items[i];
		struct buf at CLEANUP(buf_free) = BUF_INIT;
		char text[NET_ADDR_TEXT];

		buf_printf(&at, "[%s]:%u", net_addr_text(&host->addr, text), host->port);
		explain_step("host", STR_NONE, host->name, "is asked", buf_str(&at));
		explain_tls(host, wanted, sts, d);
	}
}

/* Can its addresses be told without the DNS? */
static bool
is_known(const struct nexthop *n)
{
	struct net_addr a;

	return n->literal && net_addr_parse(n->host, n->port, &a) == 0;
}

static enum verdict
explain_nexthop(struct delivery *d, struct why *why)
{
	struct hosts hosts = { 0 };
	struct tls_policy tls;
	struct nexthop n;
	struct source source;
	struct sts sts;
	enum verdict v = nexthop_parse(d->conf, d->ask.nexthop, smtp_port, &n, why);

	if (v != ACCEPT)
		return v;
	if (n.path.len > 0) {
		explain_step("socket", STR_NONE, n.path, "is asked", STR_NONE);
		return ACCEPT;
	}
	v = tls_policy_find(d->ask.nexthop, d->conf, d->arena, &tls, why);
	if (v != ACCEPT)
		return v;
	if (!is_known(&n) && !explain_may(EXPLAIN_DNS)) {
		explain_step("hosts", STR_NONE, n.host, "are not looked up",
			STR("the mail system does not run"));
		return ACCEPT;
	}
	v = sts_find(&n, d->conf, d->arena, &tls, &sts, why);
	if (v == ACCEPT)
		v = source_find(d, &n, &source, why);
	if (v == ACCEPT)
		v = hosts_find(&n, d->conf, d->arena, &hosts, why);
	if (v == ACCEPT)
		explain_hosts(&hosts, &tls, &sts, d);
	hosts_free(&hosts);
	return v;
}

/* smtp_generic_maps. False: a table failed. */
static bool
explain_addresses(struct delivery *d)
{
	struct str sender, *rcpts;

	rcpts = arena_alloc(d->arena, d->envelope.n_rcpts * sizeof(*rcpts));
	if (!edit_envelope(d, &sender, rcpts))
		return false;
	explain_rewrite("generic", d->envelope.sender, sender);
	explain_rewrite("generic", d->envelope.rcpts[0].address, rcpts[0]);
	return true;
}

static void
tell(struct delivery *d)
{
	struct str fallback = d->conf->p.smtp_fallback_relay;
	struct why why = { 0 };
	enum verdict v = TEMPFAIL;

	if (explain_addresses(d))
		v = explain_nexthop(d, &why);
	else
		why_set(&why, "4.3.0", "table lookup failure");
	if (fallback.len > 0)
		explain_step(
			"setting", STR("smtp_fallback_relay"), STR_NONE, "is", fallback);
	/* Whoever is asked behind them may well take it. */
	if (v != ACCEPT && (fallback.len == 0 || strcmp(why.code, "5.4.6") == 0))
		delivery_done(d, 0, why.code[0] == '5' ? PERMFAIL : TEMPFAIL, why.code,
			STR("none"), str_c(why.text));
	else
		delivery_done(d, 0, ACCEPT, "2.0.0", STR("none"),
			arena_printf(d->arena, "is sent to " STR_FMT,
				STR_ARG(d->ask.nexthop)));
}

void
smtp_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	agent_explain(tell, ask, say, arena);
}
