/* table.c -- see table.h. */
#include "table.h"
#include "cache.h"
#include "dict.h"
#include "log.h"
#include "service.h"
#include <unistd.h>

#define MODE 0600

static struct str spec; /* lives as long as the process */

struct str
table_spec(void)
{
	return spec;
}

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

static bool
read_entry(struct str key, struct str value, void *arg)
{
	size_t *bad = arg;

	*bad += !cache_entry_get(key, value); /* is asked for again */
	return true;
}

static void
read_all(const struct conf *c)
{
	struct why why = { "", "" };
	struct dict *d = dict_open(spec, 0, c, &why);
	size_t bad = 0;

	/* The first time there is none. */
	if (d && !why.text[0] && dict_each(d, read_entry, &bad) < 0)
		log_warn("table %.*s: cannot be read as a whole: the cache begins empty",
			STR_ARG(spec));
	if (bad > 0)
		log_warn("table %.*s: %zu entries cannot be used", STR_ARG(spec), bad);
	if (d)
		dict_close(d);
}

void
table_open(const struct conf *c)
{
	static struct arena *arena;
	struct str wanted = c->p.address_verify_map;
	ssize_t colon;

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
		log_warn("address_verify_map: table type \"%.*s\" cannot be written: the "
			 "cache is in memory only",
			STR_ARG(wanted));
		return;
	}
	spec = arena_str(arena, wanted);
	read_all(c);
	service_allow_write_of(str_from(spec, (size_t)colon + 1));
}

/* ---- writing ---- */

struct snapshot {
	struct arena *arena;
	VEC(struct str) keys, values;
};

static void
copy_entry(const struct address *a, void *arg)
{
	struct snapshot *s = arg;
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (a->status == VERIFY_UNKNOWN)
		return;
	cache_entry_put(a, &value);
	*vec_push(&s->keys) = arena_str(s->arena, str_c(a->name));
	*vec_push(&s->values) = arena_str(s->arena, buf_str(&value));
}

static void
write_snapshot(void *arg)
{
	struct snapshot *s = arg;
	struct why why = { "", "" };
	struct dict_builder *b = dict_build(spec, MODE, &why);
	bool ok = b != NULL;

	for (size_t i = 0; ok && i < s->keys.n; i++)
		ok = dict_build_add(
			     b, s->keys.items[i], s->values.items[i], true, &why) >= 0;
	if (b && ok)
		ok = dict_build_finish(b, &why) == 0;
	else if (b)
		dict_build_abort(b);
	if (!ok)
		log_warn("table %.*s: cannot be written: %s", STR_ARG(spec), why.text);
}

void
table_write(void)
{
	struct snapshot s = { .arena = arena_new() };

	if (spec.len) {
		cache_each(copy_entry, &s);
		event_offload(write_snapshot, &s);
	}
	vec_free(&s.keys);
	vec_free(&s.values);
	arena_free(s.arena);
}
