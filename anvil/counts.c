/* counts.c -- see counts.h. */
#include "counts.h"

/* Expired ones leave at least as fast as new ones come. */
#define FORGOTTEN_FOR_EACH 2

struct client {
	struct str name;
	deadline_t unit_ends, quiet_since;
	uint32_t rate[ANVIL_EVENTS], count;
	struct client *older, *newer; /* among the idle: those without a connection */
};

/* The number of its connections, for each client. */
struct counts_link {
	struct map *open;
};

static struct {
	struct map *clients;
	struct client *oldest, *newest; /* of the idle */
	msec_t unit;
	struct peaks peaks;
} counts;

void
counts_start(msec_t unit)
{
	if (!counts.clients)
		counts.clients = map_new();
	counts.unit = unit;
}

/* ---- clients ---- */

static void
idle_leave(struct client *c)
{
	*(c->older ? &c->older->newer : &counts.oldest) = c->newer;
	*(c->newer ? &c->newer->older : &counts.newest) = c->older;
	c->older = c->newer = NULL;
}

static void
idle_join(struct client *c)
{
	c->older = counts.newest;
	*(counts.newest ? &counts.newest->newer : &counts.oldest) = c;
	counts.newest = c;
}

static void
forget_oldest(void)
{
	struct client *c = counts.oldest;

	idle_leave(c);
	map_set(counts.clients, c->name, NULL);
	mem_free(c);
}

static bool
oldest_is_over(deadline_t now)
{
	return counts.oldest && now >= counts.oldest->quiet_since + counts.unit;
}

static struct client *
client_new(struct str name, deadline_t now)
{
	struct client *c;

	for (int i = 0; i < FORGOTTEN_FOR_EACH && oldest_is_over(now); i++)
		forget_oldest();
	if (map_count(counts.clients) >= COUNTS_MOST) {
		if (!counts.oldest)
			return NULL;
		forget_oldest();
	}
	c = mem_alloc(sizeof(*c) + name.len);
	memcpy(c + 1, name.data, name.len);
	c->name = str_of(c + 1, name.len);
	c->unit_ends = now + counts.unit;
	map_set(counts.clients, c->name, c);
	idle_join(c);
	return c;
}

static struct client *
client_find(struct str name, bool make, deadline_t now)
{
	struct client *c = map_get(counts.clients, name);

	if (!c && make)
		c = client_new(name, now);
	if (c && now >= c->unit_ends) {
		memset(c->rate, 0, sizeof(c->rate));
		c->unit_ends = now + counts.unit;
	}
	return c;
}

deadline_t
counts_forget(deadline_t now)
{
	while (oldest_is_over(now))
		forget_oldest();
	if (counts.oldest)
		return counts.oldest->quiet_since + counts.unit;
	return map_count(counts.clients) > 0 ? now + counts.unit : DEADLINE_NEVER;
}

/* ---- peaks ---- */

void
peak_note(struct peak *p, uint64_t value, struct str client)
{
	if (value <= p->value)
		return;
	*p = (struct peak){ .value = value, .when_us = time_wall_us() };
	memcpy(p->client, client.data, MIN(client.len, sizeof(p->client) - 1));
}

struct peaks
counts_peaks(void)
{
	struct peaks was = counts.peaks;

	counts.peaks = (struct peaks){ .clients.value = 0 };
	return was;
}

/* ---- events ---- */

static void
connected(struct counts_link *l, struct client *c)
{
	uintptr_t n = (uintptr_t)map_get(l->open, c->name);

	map_set(l->open, c->name, (void *)(n + 1));
	if (c->count++ == 0)
		idle_leave(c);
	peak_note(&counts.peaks.count, c->count, c->name);
}

static void
disconnected(struct str name, uint32_t n, deadline_t now)
{
	struct client *c = map_get(counts.clients, name);

	ensure(c && c->count >= n); /* who has connections is not forgotten */
	c->count -= n;
	c->quiet_since = now;
	if (c->count == 0)
		idle_join(c);
}

static void
happened(struct counts_link *l, struct client *c, uint8_t event, deadline_t now)
{
	c->rate[event] += c->rate[event] < UINT32_MAX;
	c->quiet_since = now;
	if (c->count == 0) {
		idle_leave(c);
		idle_join(c);
	}
	if (event == ANVIL_CONNECT)
		connected(l, c);
	peak_note(&counts.peaks.rate[event], c->rate[event], c->name);
	peak_note(&counts.peaks.clients, (uint32_t)map_count(counts.clients), STR(""));
}

struct anvil_reply
counts_event(struct counts_link *l, const struct anvil_request *ask, deadline_t now)
{
	struct client *c = NULL;

	if (ask->event < ANVIL_EVENTS && ask->client.len > 0 &&
		ask->client.len < sizeof(counts.peaks.count.client))
		c = client_find(ask->client, !ask->look, now);
	if (!c)
		return (struct anvil_reply){ .rate = 0 };
	if (!ask->look)
		happened(l, c, ask->event, now);
	return (struct anvil_reply){ .rate = c->rate[ask->event], .count = c->count };
}

void
counts_gone(struct counts_link *l, struct str client, deadline_t now)
{
	uintptr_t n = client.len ? (uintptr_t)map_get(l->open, client) : 0;

	if (n == 0)
		return; /* was not counted */
	map_set(l->open, client, n > 1 ? (void *)(n - 1) : NULL);
	disconnected(client, 1, now);
}

struct counts_link *
counts_link_new(void)
{
	struct counts_link *l = mem_alloc(sizeof(*l));

	l->open = map_new();
	return l;
}

void
counts_link_lost(struct counts_link *l, deadline_t now)
{
	struct str name;
	void *n;

	for (size_t at = 0; map_next(l->open, &at, &name, &n);)
		disconnected(name, (uint32_t)(uintptr_t)n, now);
	map_free(l->open);
	mem_free(l);
}
