/* modules.c -- see modules.h. dynamicmaps.cf has a line for each type: its name, and the
 * file. Postfix's own lines, which go on with the name of a function, are for its
 * modules: a configuration that was copied may hold them. */
#include "modules.h"
#include "dict_impl.h"
#include "lines.h"
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MOST = 1024 * 1024 };

static struct str
module_directory(const struct conf *c)
{
	if (!c)
		return str_c(DAEMON_DIRECTORY);
	return str_is(c->p.shlib_directory, "no") ? c->p.daemon_directory
						  : c->p.shlib_directory;
}

/* The file that a list names for the type; none. */
static struct str
listed_in(const char *path, const char *type, struct arena *arena)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);
	struct str found = STR_NONE;

	conf_lines_open(&l, STR_NONE);
	if (read_file(path, FILE_MOST, &file) < 0)
		return found;
	conf_lines_open(&l, buf_str(&file));
	while (conf_lines_next(&l)) {
		struct str rest = l.text, name, module, more;

		if (str_token(&rest, " \t", &name) && str_is(name, type) &&
			str_token(&rest, " \t", &module) &&
			!str_token(&rest, " \t", &more))
			found = arena_str(arena, module);
	}
	return found;
}

static int
is_list(const struct dirent *entry)
{
	return str_ends(str_c(entry->d_name), STR(".cf"));
}

static struct str
listed(const char *type, const struct conf *c, struct arena *arena)
{
	const char *directory = arena_cstr(arena, c->directory);
	struct str found = listed_in(
		arena_printf(arena, "%s/dynamicmaps.cf", directory).data, type, arena);
	const char *below = arena_printf(arena, "%s/dynamicmaps.cf.d", directory).data;
	struct dirent **entries;
	int n = scandir(below, &entries, is_list, alphasort);

	for (int i = 0; i < n; i++) {
		struct str path = arena_printf(arena, "%s/%s", below, entries[i]->d_name);
		struct str later = listed_in(path.data, type, arena);

		if (later.data)
			found = later;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return found;
}

struct str
module_path(const char *type, const struct conf *c, struct arena *arena)
{
	struct str directory = module_directory(c);
	struct str file = c ? listed(type, c, arena) : STR_NONE;

	if (file.len && file.data[0] == '/')
		return file;
	if (!file.len)
		file = arena_printf(arena, "table-%s.so", type);
	return arena_printf(
		arena, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(file));
}

static const struct table_module *
load(const char *type, const char *path, struct why *why)
{
	const struct table_module *m;
	void *handle;

	if (access(path, F_OK) < 0)
		return dict_fails(why,
			"unsupported dictionary type: %s (its module %s: %s)", type, path,
			strerror(errno));
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return dict_fails(why, "load module of %s tables: %s", type, dlerror());
	m = dlsym(handle, TABLE_MODULE_SYMBOL);
	if (!m || m->version != TABLE_MODULE_VERSION) {
		dlclose(handle);
		return dict_fails(why,
			"load module of %s tables: %s is not for this Postern", type,
			path);
	}
	if (m->start)
		m->start();
	return m;
}

const struct table_module *
module_load(const char *type, const struct conf *c, struct why *why)
{
	static struct {
		const char *type;
		const struct table_module *module;
	} loaded[16];
	struct arena *arena CLEANUP(arena_free_at) = NULL;
	size_t n = 0;

	for (; n < COUNT(loaded) && loaded[n].type; n++)
		if (strcmp(loaded[n].type, type) == 0)
			return loaded[n].module;
	ensure(n < COUNT(loaded));
	arena = arena_new();
	loaded[n].module = load(type, module_path(type, c, arena).data, why);
	if (loaded[n].module)
		loaded[n].type = type;
	return loaded[n].module;
}
