/* fail.c -- fail:text, whose look-ups fail (to test what defers), and internal:text, a
 * table of the process itself that is empty here. */
#include "dict_impl.h"

static void *
nothing_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why UNUSED)
{
	return d;
}

static void
nothing_close(void *state UNUSED)
{
}

static enum dict_result
fail_find(struct dict *d, struct str key UNUSED, struct arena *arena UNUSED,
	struct str *value UNUSED, struct why *why)
{
	dict_fails(why, "table " STR_FMT ": look-ups always fail", STR_ARG(d->spec));
	return DICT_ERROR;
}

static enum dict_result
internal_find(struct dict *d UNUSED, struct str key UNUSED, struct arena *arena UNUSED,
	struct str *value UNUSED, struct why *why UNUSED)
{
	return DICT_NOTFOUND;
}

static int
internal_each(struct dict *d UNUSED, bool (*fn)(struct str, struct str, void *) UNUSED,
	void *arg UNUSED)
{
	return 0;
}

const struct dict_ops dict_fail = {
	.type = { "fail", false, false },
	.open = nothing_open,
	.close = nothing_close,
	.find = fail_find,
};

const struct dict_ops dict_internal = {
	.type = { "internal", false, false },
	.open = nothing_open,
	.close = nothing_close,
	.find = internal_find,
	.each = internal_each,
};
