/* attempt.c -- one delivery on its way through the hosts. */
#include "smtp.h"
#include "log.h"
#include <netinet/in.h>
#include <stdio.h>

static bool
all_decided(const struct delivery *d)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		if (!delivery_decided(d, i))
			return false;
	return true;
}

/* ---- refusals ---- */

static void
refusal_final(struct attempt *a, size_t rcpt, enum verdict v, const struct refusal *r)
{
	if (r->mta.len > 0)
		delivery_remote(a->d, rcpt, r->mta, r->reply);
	a->d->tls = r->tls;
	delivery_done(a->d, rcpt, v, r->code, r->relay, r->text);
}

/* Under soft_bounce there is always another try, with another host even. */
static bool
is_for_good(const struct attempt *a, const struct refusal *r)
{
	return r->code[0] == '5' && !a->conf->p.soft_bounce;
}

void
attempt_refuse(struct attempt *a, size_t rcpt, const struct refusal *r)
{
	if (is_for_good(a, r)) {
		refusal_final(a, rcpt, PERMFAIL, r);
		return;
	}
	a->refusals[rcpt] = *r;
	a->unsure |= !r->unfit;
}

void
attempt_refuse_all(struct attempt *a, const struct refusal *r)
{
	for (size_t i = 0; i < a->d->envelope.n_rcpts; i++)
		if (!delivery_decided(a->d, i))
			attempt_refuse(a, i, r);
}

/* Somebody else is asked now: what the one before said is in no other line of the log. */
static void
refusals_log(struct attempt *a)
{
	struct str before = STR_NONE;

	for (size_t i = 0; i < a->d->envelope.n_rcpts; i++) {
		struct refusal *r = &a->refusals[i];

		if (delivery_decided(a->d, i) || r->logged || r->code[0] == '\0')
			continue;
		if (!str_eq(r->text, before))
			log_line(SMTP_HOST, a->d->envelope.queue_id, r->text);
		before = r->text;
		r->logged = true;
	}
}

/* A message with REQUIRETLS goes back when no host can do what it requires (RFC 8689
 * section 4.2.1); while one of them may, as far as we know, it waits. */
static void
judge_unfit(const struct attempt *a, struct refusal *r)
{
	if (r->unfit && a->requiretls == REQUIRETLS_ENFORCE && !a->unsure &&
		!a->conf->p.soft_bounce)
		r->code[0] = '5';
}

/* Nobody is left to ask. */
static void
refusals_final(struct attempt *a)
{
	for (size_t i = 0; i < a->d->envelope.n_rcpts; i++) {
		struct refusal *r = &a->refusals[i];

		if (delivery_decided(a->d, i) || r->code[0] == '\0')
			continue;
		judge_unfit(a, r);
		if (!a->talked && !a->d->site_down &&
			a->requiretls == REQUIRETLS_DISABLE) {
			a->d->site_down = true;
			a->d->site_code = arena_printf(a->d->arena, "4%s", r->code + 1);
			a->d->site_text = r->text;
		}
		refusal_final(a, i, r->code[0] == '5' ? PERMFAIL : TEMPFAIL, r);
	}
}

/* What concerns no host: a bad next hop, a look-up that failed. While there is another
 * next hop it is not the end, but for a loop, which the other one would make longer. */
static void
refuse_nexthop(struct attempt *a, const struct why *why)
{
	struct refusal r = { .text = arena_str(a->d->arena, str_c(why->text)),
		.relay = STR("none") };

	snprintf(r.code, sizeof(r.code), "%s", why->code);
	if (a->fallbacks.n > 0 && strcmp(why->code, "5.4.6") != 0)
		r.code[0] = '4';
	attempt_refuse_all(a, &r);
}

/* ---- hosts ---- */

/* The session goes on living where somebody may want it soon. */
static void
session_done(struct attempt *a, struct session *s)
{
	if (pool_wants(a->key, a->destination, a->nexthop.host, a->conf) && !s->dead) {
		if (s->key.len == 0)
			s->key = arena_str(s->arena, a->key);
		pool_give(s, a->d->ask.per_connection, a->conf);
	} else {
		session_quit(s, a->conf);
	}
}

/* A session that somebody else opened. It may have died since: then the same host is
 * asked again. */
static void
try_pooled(struct attempt *a)
{
	struct session *s = pool_take(a->key, a->conf);

	if (!s)
		return;
	transfer(s, a);
	if (!s->dead) {
		struct net_addr *had = arena_alloc(a->d->arena, sizeof(*had));

		*had = s->addr;
		a->had = had;
		a->talked = true;
	}
	session_done(a, s);
}

static bool
same_host(const struct net_addr *a, const struct net_addr *b)
{
	return b && a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

static void
try_host(struct attempt *a, const struct host *host, int *sessions)
{
	struct refusal r;
	struct session *s;

	refusals_log(a);
	s = session_open(host, a, &r);
	if (s) {
		++*sessions;
		a->talked = true;
		transfer(s, a);
		session_done(a, s);
		return;
	}
	*sessions += !str_is(r.relay, "none");
	attempt_refuse_all(a, &r);
}

/* best_mx_transport: who takes the mail for which we are the best mail exchanger. */
static void
pass_to_best_mx(struct attempt *a)
{
	struct str to = a->conf->p.best_mx_transport, local, domain;

	for (size_t i = 0; i < a->d->envelope.n_rcpts; i++) {
		if (delivery_decided(a->d, i))
			continue;
		address_split(a->d->envelope.rcpts[i].address, &local, &domain);
		delivery_pass(a->d, i,
			str_chr(to, ':') >= 0 ? to
					      : arena_printf(a->d->arena, "%.*s:%.*s",
							STR_ARG(to), STR_ARG(domain)));
	}
}

/* Domains with the same mail exchangers are one receiver's (qmgr(8), "Limits"). */
static void
tell_exchangers(struct attempt *a, const struct hosts *hosts)
{
	struct strs *out = &a->d->exchangers;

	if (!a->d->ask.learn || !str_eq(a->destination, a->d->ask.nexthop))
		return;
	out->n = 0;
	out->items = arena_alloc(a->d->arena, (hosts->list.n + 1) * sizeof(*out->items));
	for (size_t i = 0; i < hosts->list.n; i++)
		if (hosts->list.items[i].by)
			out->items[out->n++] = hosts->list.items[i].name;
}

static void
try_hosts(struct attempt *a)
{
	const struct conf *c = a->conf;
	int most = c->p.smtp_mx_session_limit, sessions = 0;
	struct hosts hosts = { 0 };
	struct why why;
	size_t n;

	if (hosts_find(&a->nexthop, c, a->d->arena, &hosts, &why) != ACCEPT) {
		if (strcmp(why.code, "5.4.6") == 0 && c->p.best_mx_transport.len > 0)
			pass_to_best_mx(a);
		else
			refuse_nexthop(a, &why);
	}
	tell_exchangers(a, &hosts);
	/* A mail exchanger for this domain leaves the rest to the better ones: a relay
	 * would bring the mail back here. */
	if (hosts.we_are_one)
		a->fallbacks.n = 0;
	n = hosts.list.n;
	if (c->p.smtp_mx_address_limit > 0)
		n = MIN(n, (size_t)c->p.smtp_mx_address_limit);
	for (size_t i = 0; i < n && !all_decided(a->d); i++) {
		if (same_host(&hosts.list.items[i].addr, a->had))
			continue;
		if (most > 0 && sessions >= most)
			break;
		try_host(a, &hosts.list.items[i], &sessions);
	}
	hosts_free(&hosts);
}

/* A session is for who would have opened the same one: the destination tells whose
 * password it has, unless the sender has one of his own; TLS must be what the policy
 * wants today, and our address what the message has. */
SWITCHES static enum verdict
find_key(struct attempt *a, struct why *why)
{
	struct auth_secret own CLEANUP(auth_secret_wipe) = { BUF_INIT, BUF_INIT };

	a->key = arena_printf(a->d->arena,
		STR_FMT " " STR_FMT " from " STR_FMT " " STR_FMT,
		STR_ARG(arena_lower(a->d->arena, a->destination)), STR_ARG(a->tls.text),
		STR_ARG(a->source.v4), STR_ARG(a->source.v6));
	switch (auth_secret_of_sender(a->d, &own)) {
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_ERROR:
		return why_set(why, "4.3.0", "local data error while talking to %.*s",
			STR_ARG(a->destination));
	case DICT_FOUND:
		break;
	}
	a->key = arena_printf(a->d->arena, STR_FMT " as " STR_FMT, STR_ARG(a->key),
		STR_ARG(buf_str(&own.user)));
	return ACCEPT;
}

static void
try_nexthop(struct attempt *a, struct str text)
{
	struct why why;

	a->had = NULL;
	a->destination = text;
	if (nexthop_parse(a->conf, text, smtp_port, &a->nexthop, &why) != ACCEPT ||
		tls_policy_find(text, a->conf, a->d->arena, &a->tls, &why) != ACCEPT ||
		requiretls_find(a, &why) != ACCEPT ||
		sts_find(&a->nexthop, a->conf, a->d->arena, &a->tls, &a->sts, &why) !=
			ACCEPT ||
		source_find(a->d, &a->nexthop, &a->source, &why) != ACCEPT ||
		find_key(a, &why) != ACCEPT) {
		refuse_nexthop(a, &why);
		return;
	}
	try_pooled(a);
	if (!all_decided(a->d))
		try_hosts(a);
}

/* smtp_fallback_relay: whom to ask when nobody at the destination took the mail. */
static void
try_fallbacks(struct attempt *a)
{
	while (a->fallbacks.n > 0 && !all_decided(a->d)) {
		struct str relay = a->fallbacks.items[0];

		a->fallbacks.items++;
		a->fallbacks.n--;
		refusals_log(a);
		try_nexthop(a, relay);
	}
}

void
attempt_run(struct delivery *d)
{
	const struct conf *c = d->conf;
	struct attempt a = { .d = d,
		.conf = c,
		.fallbacks = conf_list(c->p.smtp_fallback_relay, d->arena) };

	a.refusals = arena_alloc(d->arena, d->envelope.n_rcpts * sizeof(*a.refusals));
	try_nexthop(&a, d->ask.nexthop);
	try_fallbacks(&a);
	refusals_final(&a);
}
