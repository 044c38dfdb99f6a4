/* combine.c -- tables made of tables: unionmap:{a,b} (all results), pipemap:{a,b} (the
 * result of one is the key of the next), and randmap:{x,y} (one of the texts by chance).
 */
#include "dict_impl.h"
#include <sys/random.h>

struct parts {
	struct dict **tables;
	size_t n;
	struct strs texts; /* randmap */
};

static void
parts_close(void *state)
{
	struct parts *p = state;

	for (size_t i = 0; i < p->n; i++)
		dict_close(p->tables[i]);
	mem_free(p->tables);
	mem_free(p->texts.items);
	mem_free(p);
}

static bool
parts_changed(const void *state)
{
	const struct parts *p = state;

	for (size_t i = 0; i < p->n; i++)
		if (dict_changed(p->tables[i]))
			return true;
	return false;
}

static bool
parts_fixed(const void *state)
{
	const struct parts *p = state;

	for (size_t i = 0; i < p->n; i++)
		if (dict_has_fixed_keys(p->tables[i]))
			return true;
	return false;
}

static void *
bad_syntax(struct dict *d, const char *need, struct why *why)
{
	return dict_fails(why, "bad syntax: \"" STR_FMT "\"; need \"%s:{%s...}\"",
		STR_ARG(d->spec), d->ops->type.name, need);
}

static bool
part_open(struct parts *p, struct dict *d, struct str item, struct why *why)
{
	struct dict *table;

	if (str_chr(item, ':') < 0) {
		bad_syntax(d, "type:name", why);
		return false;
	}
	table = dict_open(item, d->flags, d->conf, why);
	if (!table)
		return false;
	p->tables[p->n++] = table;
	return !why->code[0];
}

static void *
parts_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct str items, item;
	struct parts *p;

	if (!braces_strip(str_c(d->name), &items) || items.len == 0)
		return bad_syntax(d, "type:name", why);
	p = mem_alloc(sizeof *p);
	p->tables = mem_alloc((items.len + 1) * sizeof *p->tables);
	*why = (struct why){ 0 };
	while (braces_item(&items, &item, why))
		if (!part_open(p, d, item, why))
			break;
	if (!why->code[0])
		return p;
	parts_close(p);
	return NULL;
}

static void
parts_paths(struct str name, void (*fn)(const char *, void *), void *arg)
{
	struct str items;

	if (braces_strip(name, &items))
		dict_paths(items, fn, arg);
}

static enum dict_result
unionmap_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	struct parts *p = d->state;
	struct str one;
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		switch (dict_lookup(p->tables[i], key, arena, &one, why)) {
		case DICT_ERROR:
			return DICT_ERROR;
		case DICT_NOTFOUND:
			continue;
		case DICT_FOUND:
			if (any)
				buf_addc(&all, ',');
			buf_add(&all, one);
			any = true;
		}
	}
	if (!any)
		return DICT_NOTFOUND;
	*value = arena_str(arena, buf_str(&all));
	return DICT_FOUND;
}

static enum dict_result
pipemap_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct parts *p = d->state;
	struct str found = key;

	for (size_t i = 0; i < p->n; i++) {
		enum dict_result got =
			dict_lookup(p->tables[i], found, arena, &found, why);

		if (got != DICT_FOUND)
			return got;
	}
	if (p->n == 0)
		return DICT_NOTFOUND;
	*value = found;
	return DICT_FOUND;
}

static void *
randmap_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct str items, item;
	struct parts *p;

	if (!braces_strip(str_c(d->name), &items) || items.len == 0)
		return bad_syntax(d, "value", why);
	p = mem_alloc(sizeof *p);
	p->texts.items = mem_alloc((items.len + 1) * sizeof *p->texts.items);
	*why = (struct why){ 0 };
	/* Braces around a text belong to it, as in Postfix. */
	while (braces_item(&items, &item, why))
		p->texts.items[p->texts.n++] = item;
	if (!why->code[0] && p->texts.n)
		return p;
	if (!why->code[0])
		bad_syntax(d, "value", why);
	parts_close(p);
	return NULL;
}

static enum dict_result
randmap_find(struct dict *d, struct str key UNUSED, struct arena *arena,
	struct str *value, struct why *why UNUSED)
{
	struct parts *p = d->state;
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
		chance = (uint32_t)time_monotonic_us();
	*value = arena_str(arena, p->texts.items[chance % p->texts.n]);
	return DICT_FOUND;
}

const struct dict_ops dict_unionmap = {
	.type = { "unionmap", false, false },
	.open = parts_open,
	.close = parts_close,
	.find = unionmap_find,
	.inner_changed = parts_changed,
	.inner_fixed = parts_fixed,
	.paths = parts_paths,
};

const struct dict_ops dict_pipemap = {
	.type = { "pipemap", false, false },
	.open = parts_open,
	.close = parts_close,
	.find = pipemap_find,
	.inner_changed = parts_changed,
	.inner_fixed = parts_fixed,
	.paths = parts_paths,
};

const struct dict_ops dict_randmap = {
	.type = { "randmap", false, false },
	.open = randmap_open,
	.close = parts_close,
	.find = randmap_find,
};
