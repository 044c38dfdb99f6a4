/* static.c -- static:text and static:{text with blanks}: every key has this value. */
#include "dict_impl.h"

static void *
static_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct str *value = arena_alloc(d->arena, sizeof *value);

	*value = str_c(d->name);
	if (d->name[0] != '{' || braces_strip(*value, value))
		return value;
	return dict_fails(why,
		"bad static:name syntax: need a '}' at the end, and nothing behind it, "
		"in "
		"\"%s\"",
		d->name);
}

static void
static_close(void *state UNUSED)
{
}

static enum dict_result
static_find(struct dict *d, struct str key UNUSED, struct arena *arena, struct str *value,
	struct why *why UNUSED)
{
	*value = arena_str(arena, *(const struct str *)d->state);
	return DICT_FOUND;
}

const struct dict_ops dict_static = {
	.type = { "static", false, false },
	.open = static_open,
	.close = static_close,
	.find = static_find,
};
