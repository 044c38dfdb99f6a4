/* environ.c -- environ:text, the variables of the process's environment. */
#include "dict_impl.h"
#include <stdlib.h>
#include <unistd.h>

static void *
environ_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why UNUSED)
{
	return d;
}

static void
environ_close(void *state UNUSED)
{
}

static enum dict_result
environ_find(struct dict *d UNUSED, struct str key, struct arena *arena,
	struct str *value, struct why *why UNUSED)
{
	const char *name = arena_cstr(arena, key), *found = name ? getenv(name) : NULL;

	if (!found)
		return DICT_NOTFOUND;
	*value = arena_str(arena, str_c(found));
	return DICT_FOUND;
}

static int
environ_each(struct dict *d UNUSED, bool (*fn)(struct str, struct str, void *), void *arg)
{
	for (char **entry = environ; entry && *entry; entry++) {
		struct str rest = str_c(*entry), name;

		if (!str_split(&rest, '=', &name) || name.len == 0)
			continue;
		if (!fn(name, rest, arg))
			break;
	}
	return 0;
}

const struct dict_ops dict_environ = {
	.type = { "environ", false, false },
	.open = environ_open,
	.close = environ_close,
	.find = environ_find,
	.each = environ_each,
};
