/* directory.c -- names of services to sockets and programs, from master.cf and what
 * master adds to it. */
#include "broker.h"
#include "log.h"
#include <unistd.h>

struct directory {
	struct map *services; /* name -> struct destination */
	struct endpoints *endpoints;
	struct arena *arena;
};

static bool
is_missing(const struct conf *c, struct arena *arena, struct str program)
{
	return access(arena_cstr(arena,
			      arena_printf(arena, STR_FMT "/" STR_FMT,
				      STR_ARG(c->p.daemon_directory), STR_ARG(program))),
		       X_OK) < 0;
}

static void
add(struct directory *d, const struct conf *c, struct str name, struct str program,
	const char *where)
{
	struct destination *to = arena_alloc(d->arena, sizeof(*to));

	to->program = arena_str(d->arena, program);
	to->socket = arena_cstr(
		d->arena, arena_printf(d->arena, STR_FMT "/%s/" STR_FMT,
				  STR_ARG(c->p.queue_directory), where, STR_ARG(name)));
	to->missing = is_missing(c, d->arena, program);
	map_set(d->services, name, to);
}

struct directory *
directory_read(const struct conf *c)
{
	static const struct {
		const char *name, *program;
	} built_in[] = { { "spool", "spool" }, { "dns", "dns" }, { "tlsmgr", "tlsmgr" },
		{ "sasl", "sasl" }, { "dkimsign", "dkimsign" },
		{ "mailauth", "mailauth" }, { "mailauth-suspect", "mailauth" },
		{ "cleanup-suspect", "cleanup" }, { "greylistd", "greylistd" },
		{ "stsd", "stsd" } };
	struct conf_issues issues;
	struct master_conf *file;
	struct directory *d = NULL;

	conf_issues_init(&issues);
	file = master_conf_load(arena_cstr(c->arena, c->directory), c, &issues);
	conf_issues_log_fatal(&issues);
	conf_issues_free(&issues);
	if (!file)
		return NULL;
	d = mem_alloc(sizeof(*d));
	d->arena = arena_new();
	d->services = map_new();
	for (size_t i = 0; i < COUNT(built_in); i++)
		add(d, c, str_c(built_in[i].name), str_c(built_in[i].program), "private");
	for (size_t i = 0; i < file->services.n; i++) {
		const struct service_line *s = &file->services.items[i];

		if (s->type == SERVICE_UNIX || s->type == SERVICE_FIFO ||
			s->type == SERVICE_PASS)
			add(d, c, s->name, s->command,
				s->private_ ? "private" : "public");
	}
	d->endpoints = endpoints_new(c, file);
	master_conf_free(file);
	return d;
}

void
directory_free(struct directory *d)
{
	map_free(d->services);
	endpoints_free(d->endpoints);
	arena_free(d->arena);
	mem_free(d);
}

const struct destination *
directory_find(const struct directory *d, struct str service)
{
	return map_get(d->services, service);
}

bool
directory_is_spawned(const struct directory *d, const char *path)
{
	size_t at = 0;
	struct str name;
	void *value;

	while (map_next(d->services, &at, &name, &value)) {
		const struct destination *to = value;

		if (str_is(to->program, "spawn") && strcmp(to->socket, path) == 0)
			return true;
	}
	return false;
}

const struct endpoints *
directory_endpoints(const struct directory *d)
{
	return d->endpoints;
}
