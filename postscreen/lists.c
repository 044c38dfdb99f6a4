/* lists.c -- see lists.h. */
#include "lists.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include <arpa/nameser.h>

struct waiter {
	void (*fn)(void *arg);
	void *arg;
};
struct lists {
	struct arena *arena;
	struct client *client;
	const struct score_sites *sites;
	struct net_addr peer;
	deadline_t patience;
	size_t users;   /* sessions, and questions under way */
	size_t pending; /* questions */
	struct score score;
	uint32_t ttl; /* seconds; the shortest of all answers */
	VEC(struct waiter) waiters;
};
struct question {
	struct lists *lists;
	size_t domain;
};

static void
let_go(struct lists *l)
{
	if (--l->users > 0)
		return;
	if (l->client->lists == l)
		l->client->lists = NULL;
	vec_free(&l->waiters);
	arena_free(l->arena);
	cache_release(l->client);
	mem_free(l);
}

/* ---- one question ---- */

static void
take_answer(struct lists *l, size_t domain, const struct dns_reply *said)
{
	struct str name = l->sites->domains.items[domain];
	char address[NET_ADDR_TEXT];
	struct strs found = { .items = arena_alloc(l->arena,
				      (said->n_records + 1) * sizeof(struct str)) };

	net_addr_text(&l->peer, address);
	for (size_t i = 0; i < said->n_records; i++) {
		const struct dns_rr *rr = &said->records[i];

		if (rr->type != ns_t_a)
			continue;
		found.items[found.n++] = rr->data;
		l->ttl = MIN(l->ttl, rr->ttl);
		log_line(POSTSCREEN_DNSBLOG, str_c(address), name, rr->data);
	}
	if (found.n == 0)
		l->ttl = MIN(l->ttl, said->ttl);
	(void)score_add(l->sites, domain, &found, &l->score);
}

static void
ask(void *arg)
{
	struct question *q = arg;
	struct lists *l = q->lists;
	struct arena *arena = arena_new();
	struct str name =
		dnslist_reversed(&l->peer, l->sites->domains.items[q->domain], arena);
	struct dns_request question = { .name = name, .type = ns_t_a };
	struct dns_reply said;

	co_name("dns list");
	if (dns_call(service_peer("dns"), &question, &said, arena, l->patience) < 0)
		; /* a list that is silent counts nothing */
	else if (said.status == DNS_TEMPFAIL)
		log_warn("dnsblog_query: lookup error for DNS query %.*s: %.*s",
			STR_ARG(name), STR_ARG(said.reason));
	else
		take_answer(l, q->domain, &said);
	arena_free(arena);
	if (--l->pending == 0)
		for (size_t i = 0; i < l->waiters.n; i++)
			l->waiters.items[i].fn(l->waiters.items[i].arg);
	let_go(l);
}

/* ---- all of them ---- */

static struct lists *
begin(const struct score_sites *sites, struct client *client, const struct net_addr *peer,
	const struct params *p)
{
	struct lists *l = mem_alloc(sizeof(*l));

	l->arena = arena_new();
	l->client = cache_hold(client);
	l->sites = sites;
	l->peer = *peer;
	l->patience = deadline_in(p->postscreen_dnsbl_timeout);
	l->ttl = UINT32_MAX;
	client->lists = l;
	for (size_t i = 0; i < sites->domains.n; i++) {
		struct question *q = arena_alloc(l->arena, sizeof(*q));

		*q = (struct question){ l, i };
		l->users++;
		l->pending++;
		co_spawn(ask, q, CO_STACK_SMALL);
	}
	return l;
}

struct lists *
lists_ask(const struct score_sites *sites, struct client *client,
	const struct net_addr *peer, const struct params *p, void (*fn)(void *arg),
	void *arg)
{
	struct lists *l = client->lists;

	if (!l)
		l = begin(sites, client, peer, p);
	l->users++;
	*vec_push(&l->waiters) = (struct waiter){ fn, arg };
	return l;
}

void
lists_leave(struct lists *l, void *arg)
{
	for (size_t i = 0; i < l->waiters.n; i++)
		if (l->waiters.items[i].arg == arg) {
			l->waiters.items[i] = l->waiters.items[--l->waiters.n];
			break;
		}
	let_go(l);
}

bool
lists_answered(const struct lists *l)
{
	return l->pending == 0;
}

const struct score *
lists_score(const struct lists *l)
{
	return &l->score;
}

msec_t
lists_ttl(const struct lists *l, const struct params *p)
{
	msec_t ttl = l->ttl == UINT32_MAX ? 0 : (msec_t)l->ttl * 1000;

	return MAX(MIN(ttl, p->postscreen_dnsbl_max_ttl), p->postscreen_dnsbl_min_ttl);
}
