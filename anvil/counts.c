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

static struct table {
	struct map *clients;
	struct client *oldest, *newest; /* of the idle */
	msec_t unit;
	struct peaks peaks;
} tables[ANVIL_ABOUTS];

void
counts_start(enum anvil_about about, msec_t unit)
{
	if (!tables[about].clients)
		tables[about].clients = map_new();
	tables[about].unit = unit;
}

/* ---- clients ---- */

static void
idle_leave(struct table *t, struct client *c)
{
	*(c->older ? &c->older->newer : &t->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &t->newest) = c->older;
	c->older = c->newer = NULL;
}

static void
idle_join(struct table *t, struct client *c)
{
	c->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = c;
	t->newest = c;
}

static void
forget_oldest(struct table *t)
{
	struct client *c = t->oldest;

	idle_leave(t, c);
	map_set(t->clients, c->name, NULL);
	mem_free(c);
}

static bool
oldest_is_over(const struct table *t, deadline_t now)
{
	return t->oldest && now >= t->oldest->quiet_since + t->unit;
}

static struct client *
client_new(struct table *t, struct str name, deadline_t now)
{
	struct client *c;

	for (int i = 0; i < FORGOTTEN_FOR_EACH && oldest_is_over(t, now); i++)
		forget_oldest(t);
	if (map_count(t->clients) >= COUNTS_MOST) {
		if (!t->oldest)
			return NULL;
		forget_oldest(t);
	}
	c = mem_alloc(sizeof(*c) + name.len);
	memcpy(c + 1, name.data, name.len);
	c->name = str_of(c + 1, name.len);
	c->unit_ends = now + t->unit;
	map_set(t->clients, c->name, c);
	idle_join(t, c);
	return c;
}

static struct client *
client_find(struct table *t, struct str name, bool make, deadline_t now)
{
	struct client *c = map_get(t->clients, name);

	if (!c && make)
		c = client_new(t, name, now);
	if (c && now >= c->unit_ends) {
		memset(c->rate, 0, sizeof(c->rate));
		c->unit_ends = now + t->unit;
	}
	return c;
}

static deadline_t
table_forget(struct table *t, deadline_t now)
{
	while (oldest_is_over(t, now))
		forget_oldest(t);
	if (t->oldest)
		return t->oldest->quiet_since + t->unit;
	return map_count(t->clients) > 0 ? now + t->unit : DEADLINE_NEVER;
}

deadline_t
counts_forget(deadline_t now)
{
	deadline_t next = DEADLINE_NEVER;

	for (int i = 0; i < ANVIL_ABOUTS; i++)
		if (tables[i].clients)
			next = deadline_least(next, table_forget(&tables[i], now));
	return next;
}

/* ---- peaks ---- */

static void
peak_note(struct peak *p, uint32_t value, struct str client)
{
	if (value <= p->value)
		return;
	*p = (struct peak){ .value = value, .when_us = time_wall_us() };
	memcpy(p->client, client.data, MIN(client.len, sizeof(p->client) - 1));
}

struct peaks
counts_peaks(enum anvil_about about)
{
	struct peaks was = tables[about].peaks;

	tables[about].peaks = (struct peaks){ .clients.value = 0 };
	return was;
}

/* ---- events ---- */

static void
connected(struct counts_link *l, struct client *c)
{
	struct table *t = &tables[ANVIL_CLIENT];
	uintptr_t n = (uintptr_t)map_get(l->open, c->name);

	map_set(l->open, c->name, (void *)(n + 1));
	if (c->count++ == 0)
		idle_leave(t, c);
	peak_note(&t->peaks.count, c->count, c->name);
}

static void
disconnected(struct str name, uint32_t n, deadline_t now)
{
	struct table *t = &tables[ANVIL_CLIENT];
	struct client *c = map_get(t->clients, name);

	ensure(c && c->count >= n); /* who has connections is not forgotten */
	c->count -= n;
	c->quiet_since = now;
	if (c->count == 0)
		idle_join(t, c);
}

static void
happened(struct table *t, struct counts_link *l, struct client *c, uint8_t event,
	deadline_t now)
{
	c->rate[event] += c->rate[event] < UINT32_MAX;
	c->quiet_since = now;
	if (c->count == 0) {
		idle_leave(t, c);
		idle_join(t, c);
	}
	if (event == ANVIL_CONNECT)
		connected(l, c);
	peak_note(&t->peaks.rate[event], c->rate[event], c->name);
	peak_note(&t->peaks.clients, (uint32_t)map_count(t->clients), STR(""));
}

/* What a peer asks may be senseless. */
static bool
is_countable(const struct anvil_request *ask)
{
	return ask->event < ANVIL_EVENTS && ask->about < ANVIL_ABOUTS &&
	       tables[ask->about].clients && ask->client.len > 0 &&
	       ask->client.len < sizeof(((struct peak *)NULL)->client) &&
	       (ask->event != ANVIL_CONNECT || ask->about == ANVIL_CLIENT);
}

struct anvil_reply
counts_event(struct counts_link *l, const struct anvil_request *ask, deadline_t now)
{
	struct table *t = is_countable(ask) ? &tables[ask->about] : NULL;
	struct client *c = t ? client_find(t, ask->client, !ask->look, now) : NULL;

	if (!c)
		return (struct anvil_reply){ .rate = 0 };
	if (!ask->look)
		happened(t, l, c, ask->event, now);
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
