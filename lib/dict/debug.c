/* debug.c -- debug:type:name, a table whose look-ups are logged. */
#include "dict_impl.h"
#include "log.h"

static void *
debug_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct dict *inner = dict_open(str_c(d->name), d->flags, d->conf, why);

	if (!inner || !why->code[0])
		return inner;
	dict_close(inner);
	return NULL;
}

static void
debug_close(void *state)
{
	dict_close(state);
}

static enum dict_result
debug_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	enum dict_result got = dict_lookup(d->state, key, arena, value, why);
	struct str shown = got == DICT_FOUND   ? *value
			   : got == DICT_ERROR ? STR("error")
					       : STR("not_found");

	log_info("%s lookup: \"" STR_FMT "\" = \"" STR_FMT "\"", d->name, STR_ARG(key),
		STR_ARG(shown));
	return got;
}

static int
debug_each(struct dict *d, bool (*fn)(struct str, struct str, void *), void *arg)
{
	return dict_each(d->state, fn, arg);
}

static bool
debug_changed(const void *state)
{
	return dict_changed(state);
}

static bool
debug_fixed(const void *state)
{
	return dict_has_fixed_keys(state);
}

static void
debug_paths(struct str name, void (*fn)(const char *, void *), void *arg)
{
	dict_paths(name, fn, arg);
}

const struct dict_ops dict_debug = {
	.type = { "debug", false, false },
	.open = debug_open,
	.close = debug_close,
	.find = debug_find,
	.each = debug_each,
	.inner_changed = debug_changed,
	.inner_fixed = debug_fixed,
	.paths = debug_paths,
};
