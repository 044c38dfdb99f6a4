/* cache.c -- see cache.h.
 *
 * Other than Postfix's, the table may be shared by several processes: each changes it in
 * a fresh file under a lock (lib/dict/build.c), and looks into it again when it was
 * changed. Changes are gathered, the longer the more a change costs. */
#include "cache.h"
#include "dict.h"
#include "event.h"
#include "log.h"
#include "service.h"

#define MODE        0600
#define WRITE_DELAY ((msec_t)1000)
#define WRITE_PART  20 /* a change may take so much of the time: 1/20 */

static struct {
	const struct conf *conf;
	struct arena *arena;
	struct str spec; /* empty: memory only */
	struct dict *table;
	struct map *clients;
	struct timer write_later;
	msec_t last_write; /* how long it took */
	bool writing;
	struct co_queue written;
} cache;

/* ---- clients ---- */

static void
forget(struct client *c)
{
	map_set(cache.clients, str_c(c->address), NULL);
	mem_free(c->address);
	mem_free(c);
}

/* Nobody holds them: which ones go does not matter much, also where the disk is full and
 * they could not be written. */
static void
make_room(void)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(cache.clients, &at, &key, &value);) {
		struct client *c = value;

		if (c->holders == 0)
			forget(c);
	}
}

struct client *
cache_client(struct str address)
{
	struct client *c;

	if (!cache.clients)
		cache.clients = map_new();
	c = map_get(cache.clients, address);
	if (!c) {
		if (map_count(cache.clients) >= CACHE_MOST)
			make_room();
		c = mem_alloc(sizeof(*c));
		c->address = mem_alloc(address.len + 1);
		memcpy(c->address, address.data, address.len);
		map_set(cache.clients, address, c);
	}
	c->sessions++;
	return cache_hold(c);
}

struct client *
cache_hold(struct client *c)
{
	c->holders++;
	return c;
}

void
cache_release(struct client *c)
{
	bool in_table = cache.spec.len && !c->changed;

	if (--c->holders == 0 && (in_table || !c->remembered))
		forget(c);
}

void
cache_leave(struct client *c)
{
	if (--c->sessions == 0)
		c->passed_new = false;
	cache_release(c);
}

SWITCHES bool
cache_recall(struct client *c)
{
	struct arena *arena;
	struct stamps found;
	struct str value;
	struct why why;

	if (c->recalled || !cache.table)
		return c->remembered;
	c->recalled = true;
	if (dict_changed(cache.table))
		(void)dict_reopen(cache.table);
	arena = arena_new();
	switch (dict_lookup(cache.table, str_c(c->address), arena, &value, &why)) {
	case DICT_FOUND:
		if (!c->remembered && stamps_read(value, &found)) {
			c->stamps = found;
			c->remembered = true;
		}
		break;
	case DICT_ERROR:
		log_warn("postscreen_cache_map: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	arena_free(arena);
	return c->remembered;
}

/* ---- the table ---- */

void
cache_configure(const struct conf *c)
{
	struct str spec = c->p.postscreen_cache_map;
	ssize_t colon;

	cache.arena = arena_new();
	cache.conf = c;
	if (str_starts(spec, STR("proxy:"))) /* we may share it as it is */
		spec = str_from(spec, 6);
	colon = str_chr(spec, ':');
	if (colon <= 0)
		return;
	if (!dict_build_changes(spec)) {
		log_warn("postscreen_cache_map: table %.*s cannot be changed: the cache "
			 "is in memory only",
			STR_ARG(spec));
		return;
	}
	cache.spec = arena_str(cache.arena, spec);
	service_allow_write_of(str_from(spec, (size_t)colon + 1));
}

/* An empty table, where there is none. */
static bool
make_table(struct why *why)
{
	struct dict_builder *b = dict_build(cache.spec, MODE, why);

	return b && dict_build_finish(b, why) == 0;
}

static struct dict_builder *
change_table(struct why *why)
{
	struct dict_builder *b = dict_build_change(cache.spec, why);

	if (b || errno != ENOENT)
		return b;
	return dict_build(cache.spec, MODE, why);
}

void
cache_open(const struct conf *c)
{
	struct why why = { "", "" };
	struct dict_builder *b;

	if (!cache.spec.len)
		return;
	b = dict_build_change(cache.spec, &why);
	if (b)
		dict_build_abort(b);
	else if (errno == ENOENT && !make_table(&why))
		log_warn("postscreen_cache_map: %.*s: %s", STR_ARG(cache.spec), why.text);
	why = (struct why){ "", "" };
	cache.table = dict_open(cache.spec, 0, c, &why);
	if (why.text[0])
		log_warn("postscreen_cache_map: %s", why.text);
}

/* ---- writing ---- */

struct change {
	struct arena *arena;
	VEC(struct str) keys, values;
	bool done;
};

static void
write_change(void *arg)
{
	struct change *change = arg;
	struct why why = { "", "" };
	struct dict_builder *b = change_table(&why);
	bool ok = b != NULL;

	for (size_t i = 0; ok && i < change->keys.n; i++)
		ok = dict_build_add(b, change->keys.items[i], change->values.items[i],
			     true, &why) >= 0;
	if (b && ok)
		ok = dict_build_finish(b, &why) == 0;
	else if (b)
		dict_build_abort(b);
	if (!ok)
		log_warn("postscreen_cache_map: %.*s: cannot be written: %s",
			STR_ARG(cache.spec), why.text);
	change->done = ok;
}

static void
gather(struct change *change)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(cache.clients, &at, &key, &value);) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;
		struct client *c = value;

		if (!c->changed)
			continue;
		c->changed = false;
		stamps_write(&c->stamps, &text);
		*vec_push(&change->keys) = arena_str(change->arena, str_c(c->address));
		*vec_push(&change->values) = arena_str(change->arena, buf_str(&text));
	}
}

/* What could be written is in the table; the rest is still to be written. */
static void
settle(const struct change *change)
{
	for (size_t i = 0; i < change->keys.n; i++) {
		struct client *c = map_get(cache.clients, change->keys.items[i]);

		if (!c)
			continue;
		if (!change->done)
			c->changed = true;
		else if (c->holders == 0 && !c->changed)
			forget(c);
	}
}

SWITCHES void
cache_write(void)
{
	struct change change = { .arena = arena_new() };
	msec_t began = time_monotonic();

	while (cache.writing)
		(void)co_wait(&cache.written, DEADLINE_NEVER);
	cache.writing = true;
	if (cache.spec.len && cache.clients)
		gather(&change);
	if (change.keys.n) {
		event_offload(write_change, &change);
		settle(&change);
		if (cache.table)
			(void)dict_reopen(cache.table);
		cache.last_write = time_monotonic() - began;
	}
	cache.writing = false;
	co_wake_all(&cache.written);
	vec_free(&change.keys);
	vec_free(&change.values);
	arena_free(change.arena);
}

static void
write_now(void *arg)
{
	(void)arg;
	co_name("postscreen cache");
	cache_write();
	service_busy(-1);
}

static void
write_due(void *arg)
{
	(void)arg;
	co_spawn(write_now, NULL, CO_STACK_LARGE);
}

void
cache_changed(struct client *c)
{
	c->recalled = c->remembered = true;
	if (!cache.spec.len || c->changed)
		return;
	c->changed = true;
	if (cache.write_later.place)
		return;
	service_busy(1);
	timer_set(&cache.write_later,
		deadline_in(MAX(WRITE_DELAY, cache.last_write * WRITE_PART)), write_due,
		NULL);
}

/* ---- cleaning ---- */

struct cleaning {
	unsigned enabled;
	int64_t before; /* what was due then goes */
	struct arena *arena;
	VEC(struct str) expired;
	size_t retained;
	bool done;
};

static bool
look_at(struct str key, struct str value, void *arg)
{
	struct cleaning *c = arg;
	struct stamps stamps;

	if (key.len && key.data[0] == '_') /* Postfix's own notes */
		return true;
	if (stamps_read(value, &stamps) && !stamps_due(&stamps, c->enabled, c->before))
		c->retained++;
	else
		*vec_push(&c->expired) = arena_str(c->arena, key);
	return true;
}

static void
clean_table(void *arg)
{
	struct cleaning *c = arg;
	struct why why = { "", "" };
	struct dict *table = dict_open(cache.spec, 0, cache.conf, &why);
	struct dict_builder *b = NULL;

	c->done = table && !why.text[0] && dict_each(table, look_at, c) >= 0;
	if (table)
		dict_close(table);
	if (c->done && c->expired.n) {
		b = dict_build_change(cache.spec, &why);
		c->done = b != NULL;
	}
	for (size_t i = 0; c->done && i < c->expired.n; i++)
		c->done = dict_build_remove(b, c->expired.items[i], &why) >= 0;
	if (b && c->done)
		c->done = dict_build_finish(b, &why) == 0;
	else if (b)
		dict_build_abort(b);
	if (!c->done)
		log_warn("postscreen_cache_map: %.*s: cannot be cleaned: %s",
			STR_ARG(cache.spec), why.text);
}

/* Without a table. */
static void
clean_memory(struct cleaning *cleaning)
{
	struct str key;
	void *value;

	for (size_t at = 0; map_next(cache.clients, &at, &key, &value);) {
		struct client *c = value;

		if (c->holders > 0 ||
			!stamps_due(&c->stamps, cleaning->enabled, cleaning->before)) {
			cleaning->retained++;
			continue;
		}
		*vec_push(&cleaning->expired) = STR_NONE;
		forget(c);
	}
}

SWITCHES void
cache_clean(unsigned enabled)
{
	struct cleaning c = { .enabled = enabled,
		.arena = arena_new(),
		.before = time_wall_us() / 1000000 -
			  cache.conf->p.postscreen_cache_retention_time / 1000 };

	while (cache.writing)
		(void)co_wait(&cache.written, DEADLINE_NEVER);
	cache.writing = true;
	if (cache.spec.len) {
		event_offload(clean_table, &c);
	} else if (cache.clients) {
		clean_memory(&c);
		c.done = true;
	}
	cache.writing = false;
	co_wake_all(&cache.written);
	if (c.done)
		log_info("cache %.*s full cleanup: retained=%zu dropped=%zu entries",
			STR_ARG(cache.spec.len ? cache.spec : STR("(memory)")),
			c.retained, c.expired.n);
	vec_free(&c.expired);
	arena_free(c.arena);
}
