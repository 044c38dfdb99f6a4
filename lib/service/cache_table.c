/* cache_table.c -- see cache_table.h. */
#include "cache_table.h"
#include "dict.h"
#include "log.h"
#include "service.h"

#define MODE        0600
#define WRITE_DELAY ((msec_t)60000) /* from a change to the table on the disk */

/* ---- reading ---- */

static bool
can_build(struct str type)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	for (size_t i = 0; i < n; i++)
		if (str_is(type, types[i].name))
			return types[i].builds;
	return false;
}

struct reading {
	const struct cache_table *table;
	size_t bad;
};

static bool
read_entry(struct str key, struct str value, void *arg)
{
	struct reading *r = arg;

	r->bad += !r->table->take(key, value); /* is found out again */
	return true;
}

static void
read_all(struct cache_table *t, struct str path, const struct conf *c)
{
	struct reading reading = { .table = t };
	struct why why = { "", "" };
	struct dict *d = dict_open(t->spec, 0, c, &why);

	/* The first time there is none. */
	if (d && !why.text[0] && dict_each(d, read_entry, &reading) < 0)
		log_warn("table %.*s: cannot be read as a whole: the cache begins empty",
			STR_ARG(t->spec));
	cache_journal_open(&t->journal, path, t->take, &reading.bad);
	if (reading.bad > 0)
		log_warn("table %.*s: %zu entries cannot be used", STR_ARG(t->spec),
			reading.bad);
	if (d)
		dict_close(d);
}

void
cache_table_open(struct cache_table *t, struct str wanted, const struct conf *c)
{
	static struct arena *arena; /* lives as long as the process */
	ssize_t colon;

	if (!arena)
		arena = arena_new();
	if (!dict_may_write(wanted, c)) {
		log_warn(
			"request for unapproved table: \"" STR_FMT "\"", STR_ARG(wanted));
		log_warn("to approve this table for read-write access, list " STR_FMT
			 " in main.cf:proxy_write_maps; the cache is in memory only",
			STR_ARG(wanted));
		return;
	}
	if (str_starts(wanted, STR("proxy:")))
		wanted = str_from(wanted, 6);
	colon = str_chr(wanted, ':');
	if (colon <= 0)
		return;
	if (!can_build(str_sub(wanted, 0, (size_t)colon))) {
		log_warn("%s: table type \"%.*s\" cannot be written: the cache is in "
			 "memory only",
			t->parameter, STR_ARG(wanted));
		return;
	}
	t->spec = arena_str(arena, wanted);
	read_all(t, str_from(t->spec, (size_t)colon + 1), c);
	service_allow_write_of(str_from(t->spec, (size_t)colon + 1));
}

/* ---- writing ---- */

struct cache_writer {
	struct str spec;
	struct arena *arena;
	VEC(struct str) keys, values;
	bool is_written;
};

void
cache_table_put(struct cache_writer *w, struct str key, struct str value)
{
	*vec_push(&w->keys) = arena_str(w->arena, key);
	*vec_push(&w->values) = arena_str(w->arena, value);
}

static void
write_snapshot(void *arg)
{
	struct cache_writer *w = arg;
	struct why why = { "", "" };
	struct dict_builder *b = dict_build(w->spec, MODE, &why);
	bool ok = b != NULL;

	for (size_t i = 0; ok && i < w->keys.n; i++)
		ok = dict_build_add(
			     b, w->keys.items[i], w->values.items[i], true, &why) >= 0;
	if (b && ok)
		ok = dict_build_finish(b, &why) == 0;
	else if (b)
		dict_build_abort(b);
	w->is_written = ok;
	if (!ok)
		log_warn("table %.*s: cannot be written: %s", STR_ARG(w->spec), why.text);
}

SWITCHES static void
write_all_of(struct cache_table *t)
{
	struct cache_writer w = { .spec = t->spec, .arena = arena_new() };

	t->dirty = false;
	cache_journal_turn(&t->journal);
	t->give(&w);
	event_offload(write_snapshot, &w);
	if (w.is_written)
		cache_journal_settle(&t->journal);
	vec_free(&w.keys);
	vec_free(&w.values);
	arena_free(w.arena);
}

static void
write_now(void *arg)
{
	struct cache_table *t = arg;

	co_name("cache table");
	write_all_of(t);
	t->writing = false;
	service_busy(-1);
}

static void
write_due(void *arg)
{
	struct cache_table *t = arg;

	if (t->writing) {
		timer_set(&t->write_later, deadline_in(WRITE_DELAY), write_due, t);
		return;
	}
	t->writing = true;
	co_spawn(write_now, t, CO_STACK_LARGE);
}

void
cache_table_changed(struct cache_table *t)
{
	if (t->dirty || !t->spec.len)
		return;
	t->dirty = true;
	service_busy(1);
	timer_set(&t->write_later, deadline_in(WRITE_DELAY), write_due, t);
}

void
cache_table_set(struct cache_table *t, struct str key, struct str value)
{
	if (!t->spec.len)
		return;
	cache_journal_add(&t->journal, key, value);
	cache_table_changed(t);
}

static void
leave(void *arg)
{
	struct cache_table *t = arg;

	co_name("cache table");
	co_shield(1);
	if (t->dirty)
		write_all_of(t);
	service_leave();
}

void
cache_table_leave(struct cache_table *t)
{
	timer_cancel(&t->write_later);
	co_spawn(leave, t, CO_STACK_LARGE);
}
