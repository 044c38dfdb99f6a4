/* environment.c -- of what we were started with, a worker sees what import_environment
 * names (names, or name=value), and where our configuration is. */
#include "config.h"
#include "master.h"
#include <stdlib.h>

static char *
setting(struct arena *arena, struct str item)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	const char *value;

	if (str_chr(item, '=') >= 0)
		return arena_cstr(arena, item);
	buf_add(&name, item);
	value = getenv(buf_cstr(&name));
	return value ? arena_cstr(arena,
			       arena_printf(arena, STR_FMT "=%s", STR_ARG(item), value))
		     : NULL;
}

static bool
is_ours(struct str item)
{
	return str_starts(item, STR("MAIL_CONFIG")) || str_starts(item, STR(SPAWN_ENV));
}

char **
environment_for(const struct spawn *s, struct arena *arena)
{
	struct strs names = conf_list(master.conf->p.import_environment, arena);
	char **list = arena_alloc(arena, (names.n + 5) * sizeof(*list));
	struct buf spawn CLEANUP(buf_free) = BUF_INIT;
	size_t n = 0;

	buf_addz(&spawn, SPAWN_ENV "=");
	spawn_show(s, &spawn);
	list[n++] = arena_cstr(arena, buf_str(&spawn));
	list[n++] = arena_cstr(
		arena, arena_printf(arena, "MAIL_CONFIG=%s", master.directory));
	for (size_t i = 0; i < names.n; i++) {
		char *one =
			is_ours(names.items[i]) ? NULL : setting(arena, names.items[i]);

		if (one)
			list[n++] = one;
	}
#ifdef SANITIZED
	if ((list[n] = setting(arena, STR("ASAN_OPTIONS"))))
		n++;
#endif
	return list;
}
