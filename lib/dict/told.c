/* told.c -- tables that have changed because somebody says so (`postern reload TABLE`),
 * whatever their files look like. A table knows how often anybody had said anything when
 * it was opened, so nobody has to keep a list of what is open. */
#include "dict_impl.h"

#define TOLD_MOST 1000 /* tables; then all that were opened before count as changed */

struct told {
	uint64_t call; /* the last one about this table */
};

static struct {
	struct map *tables; /* spec -> struct told */
	uint64_t all;       /* the last call that was about every table */
} told;

uint64_t dict_told_calls;

struct str
dict_without_proxy(struct str spec)
{
	while (str_starts(spec, STR("proxy:")))
		spec = str_from(spec, 6);
	return spec;
}

void
dict_must_reopen(struct str spec)
{
	struct told *t;

	if (!told.tables)
		told.tables = map_new();
	dict_told_calls++;
	t = map_get(told.tables, spec);
	if (!t && map_count(told.tables) == TOLD_MOST) {
		told.all = dict_told_calls;
		return;
	}
	if (!t) {
		t = mem_alloc(sizeof(*t));
		map_set(told.tables, spec, t);
	}
	t->call = dict_told_calls;
}

bool
dict_is_told(const struct dict *d)
{
	const struct told *t;

	if (d->opened == dict_told_calls)
		return false;
	t = map_get(told.tables, dict_without_proxy(d->spec));
	return d->opened < told.all || (t && d->opened < t->call);
}
