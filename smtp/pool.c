/* pool.c -- sessions that wait a moment for the next message to the same destination.
 *
 * As with Postfix's demand caching, a session is kept only where mail for its destination
 * is coming in fast enough that somebody will want it. */
#include "smtp.h"

static struct session *idle; /* newest first */
static struct timer sweep;

/* When each destination was last delivered to; destinations that share a place only keep
 * each other's sessions a little too eagerly. */
#define DEMAND_PLACES 1024
#define LATELY        2000 /* milliseconds */
static struct {
	uint64_t key;
	deadline_t last;
} demand[DEMAND_PLACES];

static bool
demanded(struct str key)
{
	uint64_t hash = str_hash(key);
	size_t place = hash % DEMAND_PLACES;
	bool lately =
		demand[place].key == hash && event_now() - demand[place].last < LATELY;

	demand[place].key = hash;
	demand[place].last = event_now();
	return lately;
}

bool
pool_wants(struct str key, struct str destination, struct str host, const struct conf *c)
{
	struct str list = c->p.smtp_connection_cache_destinations, item;
	bool lately = demanded(key);

	if (lately && c->p.smtp_connection_cache_on_demand)
		return true;
	while (str_token(&list, " \t\r\n,", &item))
		if (str_case_eq(item, destination) || str_case_eq(item, host))
			return true;
	return false;
}

static void
session_end(void *arg)
{
	session_quit(arg, service_conf());
}

static void
pool_sweep(void *arg)
{
	struct session **at = &idle;

	(void)arg;
	while (*at) {
		struct session *s = *at;

		if (s->idle_until > event_now() && !s->conn->io.hangup) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		co_spawn(session_end, s, CO_STACK_LARGE);
	}
	if (idle)
		timer_set(&sweep, deadline_in(500), pool_sweep, NULL);
}

struct session *
pool_take(struct str key, const struct conf *c)
{
	for (struct session **at = &idle; *at; at = &(*at)->next) {
		struct session *s = *at;
		msec_t age = event_now() - s->opened;

		if (!str_eq(s->key, key) || s->conn->io.hangup)
			continue;
		if (c->p.smtp_connection_reuse_time_limit > 0 &&
			age > c->p.smtp_connection_reuse_time_limit)
			continue;
		*at = s->next;
		s->next = NULL;
		return s;
	}
	return NULL;
}

void
pool_give(struct session *s, uint32_t limit, const struct conf *c)
{
	int most = c->p.smtp_connection_reuse_count_limit;

	if (s->dead || (most > 0 && s->uses >= (unsigned)most) ||
		(limit > 0 && s->uses >= limit) || service_draining()) {
		session_quit(s, c);
		return;
	}
	conn_idle(s->conn);
	s->idle_until = deadline_in(c->p.smtp_connection_cache_time_limit);
	s->next = idle;
	idle = s;
	if (sweep.place == 0)
		timer_set(&sweep, deadline_in(500), pool_sweep, NULL);
}

void
pool_close(void)
{
	for (struct session *s = idle; s; s = s->next)
		s->idle_until = 0;
	if (idle)
		pool_sweep(NULL);
}
