/* entries.c -- keys and values in memory, in the order in which they came. */
#include "entries.h"

struct entry {
	struct str key, value;
	bool removed;
};

/* The map holds positions plus one, for the vector moves as it grows and a map keeps no
 * NULL. */
struct entries {
	struct arena *arena;
	struct map *positions;
	VEC(struct entry) list;
};

struct entries *
entries_new(void)
{
	struct entries *e = mem_alloc(sizeof *e);

	e->arena = arena_new();
	e->positions = map_new();
	return e;
}

void
entries_free(struct entries *e)
{
	if (!e)
		return;
	map_free(e->positions);
	vec_free(&e->list);
	arena_free(e->arena);
	mem_free(e);
}

static struct entry *
entry_of(const struct entries *e, struct str key)
{
	uintptr_t position = (uintptr_t)map_get(e->positions, key);

	return position ? &e->list.items[position - 1] : NULL;
}

bool
entries_add(struct entries *e, struct str key, struct str value, bool replace)
{
	struct entry *entry = entry_of(e, key);

	if (entry) {
		if (replace)
			entry->value = arena_str(e->arena, value);
		return false;
	}
	entry = vec_push(&e->list);
	entry->key = arena_str(e->arena, key);
	entry->value = arena_str(e->arena, value);
	map_set(e->positions, entry->key, (void *)(uintptr_t)e->list.n);
	return true;
}

bool
entries_find(const struct entries *e, struct str key, struct str *value)
{
	const struct entry *entry = entry_of(e, key);

	if (!entry)
		return false;
	*value = entry->value;
	return true;
}

bool
entries_remove(struct entries *e, struct str key)
{
	struct entry *entry = entry_of(e, key);

	if (!entry)
		return false;
	entry->removed = true;
	map_set(e->positions, key, NULL);
	return true;
}

void
entries_each(
	const struct entries *e, bool (*fn)(struct str, struct str, void *), void *arg)
{
	for (size_t i = 0; i < e->list.n; i++)
		if (!e->list.items[i].removed &&
			!fn(e->list.items[i].key, e->list.items[i].value, arg))
			return;
}
