/* map.c -- strings to pointers: open addressing, linear probing, a keyed hash.
 *
 * A removed entry leaves a mark in its slot, so that a walk may remove as it goes; the
 * marks disappear when the slots are laid out again, which only storing a new key does.
 */
#include "base.h"

struct entry {
	void *value;
	size_t len;
	char key[];
};

struct slot {
	uint64_t hash;
	struct entry *entry; /* NULL: never used; &removed: used once */
};

struct map {
	struct slot *slots;
	size_t room;  /* a power of two, or 0 */
	size_t taken; /* slots that are not NULL */
	size_t count;
};

static struct entry removed;

struct map *
map_new(void)
{
	return mem_alloc(sizeof(struct map));
}

void
map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->room; i++)
		if (m->slots[i].entry != &removed)
			mem_free(m->slots[i].entry);
	mem_free(m->slots);
	mem_free(m);
}

/* The slot that holds key, or NULL. */
static struct slot *
slot_find(const struct map *m, struct str key, uint64_t hash)
{
	if (m->room == 0)
		return NULL;
	for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
		struct slot *s = &m->slots[i];

		if (!s->entry)
			return NULL;
		if (s->entry != &removed && s->hash == hash &&
			str_eq(str_of(s->entry->key, s->entry->len), key))
			return s;
	}
}

static struct slot *
slot_unused(const struct map *m, uint64_t hash)
{
	size_t i = hash & (m->room - 1);

	while (m->slots[i].entry)
		i = (i + 1) & (m->room - 1);
	return &m->slots[i];
}

/* At most three in four slots are taken; after this at most three in eight. */
static void
make_room(struct map *m)
{
	struct map old = *m;

	if ((m->taken + 1) * 4 <= m->room * 3)
		return;
	m->room = 8;
	while (m->room * 3 < (m->count + 1) * 8)
		m->room *= 2;
	m->slots = mem_alloc(m->room * sizeof(*m->slots));
	m->taken = m->count;
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].entry && old.slots[i].entry != &removed)
			*slot_unused(m, old.slots[i].hash) = old.slots[i];
	mem_free(old.slots);
}

void *
map_get(const struct map *m, struct str key)
{
	struct slot *s = slot_find(m, key, str_hash(key));

	return s ? s->entry->value : NULL;
}

static void
add(struct map *m, struct str key, uint64_t hash, void *value)
{
	struct entry *e = mem_resize(NULL, sizeof(*e) + key.len);

	e->value = value;
	e->len = key.len;
	if (key.len > 0)
		memcpy(e->key, key.data, key.len);
	make_room(m);
	*slot_unused(m, hash) = (struct slot){ hash, e };
	m->taken++;
	m->count++;
}

void *
map_set(struct map *m, struct str key, void *value)
{
	uint64_t hash = str_hash(key);
	struct slot *s = slot_find(m, key, hash);
	void *before = s ? s->entry->value : NULL;

	if (s && value) {
		s->entry->value = value;
	} else if (s) {
		mem_free(s->entry);
		s->entry = &removed;
		m->count--;
	} else if (value) {
		add(m, key, hash, value);
	}
	return before;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

bool
map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	while (*at < m->room) {
		struct entry *e = m->slots[(*at)++].entry;

		if (e && e != &removed) {
			*key = str_of(e->key, e->len);
			*value = e->value;
			return true;
		}
	}
	return false;
}
