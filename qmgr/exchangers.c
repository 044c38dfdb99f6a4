/* exchangers.c -- see exchangers.h. */
#include "exchangers.h"
#include <stdlib.h>

/* What an agent may tell of one domain: it is checked like a stranger. */
#define NAMES_MOST ((size_t)50)

static struct {
	struct map *young, *old; /* domain: a string that ends in NUL */
} memory;

static void
half_free(struct map *half)
{
	size_t at = 0;
	struct str key;
	void *text;

	if (!half)
		return;
	while (map_next(half, &at, &key, &text))
		mem_free(text);
	map_free(half);
}

void
exchangers_free(void)
{
	half_free(memory.young);
	half_free(memory.old);
	memory.young = memory.old = NULL;
}

struct str
exchangers_of(struct str domain)
{
	const char *text = memory.young ? map_get(memory.young, domain) : NULL;

	if (!text && memory.old)
		text = map_get(memory.old, domain);
	return str_c(text);
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str
joined(struct strs names, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	size_t n = MIN(names.n, NAMES_MOST);
	struct str *sorted = arena_alloc(arena, (n + 1) * sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = arena_lower(arena, names.items[i]);
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i].len == 0 || (i > 0 && str_eq(sorted[i], sorted[i - 1])) ||
			memchr(sorted[i].data, '\0', sorted[i].len))
			continue;
		if (text.len + sorted[i].len + 1 > EXCHANGERS_LENGTH)
			break;
		if (text.len)
			buf_addc(&text, ',');
		buf_add(&text, sorted[i]);
	}
	return arena_str(arena, buf_str(&text));
}

/* The younger half is full: it is the older one now, whose domains nobody told of since
 * are forgotten. */
static void
make_room(size_t most)
{
	if (memory.young && map_count(memory.young) < MAX(most / 2, 1))
		return;
	half_free(memory.old);
	memory.old = memory.young;
	memory.young = map_new();
}

bool
exchangers_learn(struct str domain, struct strs names, size_t most)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str fresh = joined(names, arena);
	bool changed = !str_eq(fresh, exchangers_of(domain));
	char *text;

	if (fresh.len == 0 || domain.len == 0)
		return false;
	if (!changed && map_get(memory.young, domain))
		return false;
	if (!memory.young || !map_get(memory.young, domain))
		make_room(most);
	text = mem_alloc(fresh.len + 1);
	memcpy(text, fresh.data, fresh.len);
	mem_free(map_set(memory.young, domain, text));
	return changed;
}
