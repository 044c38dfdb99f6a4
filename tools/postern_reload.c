/* postern_reload.c -- has both files read again, or tables opened again: everything, or
 * what is named. */
#include "postern.h"
#include "dict.h"
#include "log.h"
#include <signal.h>
#include <unistd.h>

/* ---- services ---- */

/* Those that are in no master.cf go by the names of their programs. */
static bool
is_service(const struct master_conf *services, struct str name)
{
	struct arena *a = postern.conf->arena;

	for (size_t i = 0; i < services->services.n; i++)
		if (service_line_is(&services->services.items[i], name))
			return true;
	return str_chr(name, '/') < 0 &&
	       access(postern_program(
			      postern.conf->p.daemon_directory, arena_cstr(a, name)),
		       X_OK) == 0;
}

/* ---- tables ---- */

struct search {
	struct str spec;
	bool found;
};

static void
compare(struct str spec, bool proxied, void *arg)
{
	struct search *s = arg;

	(void)proxied;
	s->found |= str_eq(spec, s->spec);
}

static void
search_settings(struct search *s)
{
	const struct conf *c = postern.conf;
	const struct conf_setting *own;
	size_t n;
	const struct param_info *params = conf_params(&n);

	for (size_t i = 0; i < n; i++)
		dict_each_named(conf_value(c, params[i].name), compare, s);
	for (size_t at = 0; (own = conf_next_setting(c, &at));)
		if (!own->param)
			dict_each_named(conf_value(c, arena_cstr(c->arena, own->name)),
				compare, s);
}

static void
search_services(const struct master_conf *services, struct search *s)
{
	for (size_t i = 0; i < services->services.n; i++) {
		const struct strs *given = &services->services.items[i].overrides;

		for (size_t j = 0; j < given->n; j++) {
			struct str text;
			struct why why;

			if (conf_expand(postern.conf, given->items[j],
				    postern.conf->arena, &text, &why) == 0)
				dict_each_named(text, compare, s);
		}
	}
}

/* A table that cannot be opened stays as it is in those who have it open. */
static void
check_table(const struct master_conf *services, struct str spec)
{
	struct search s = { .spec = spec };
	struct why why = { 0 };
	struct dict *d;

	search_settings(&s);
	search_services(services, &s);
	if (!s.found)
		log_fatal("reload: no setting names the table " STR_FMT, STR_ARG(spec));
	d = dict_open(spec, 0, postern.conf, &why);
	if (why.code[0])
		log_fatal("reload: %s", why.text);
	dict_close(d);
}

static bool
has_table_type(struct str name)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);
	ssize_t colon = str_chr(name, ':');

	for (size_t i = 0; colon > 0 && i < n; i++)
		if (str_is(str_sub(name, 0, (size_t)colon), types[i].name))
			return true;
	return false;
}

/* ---- which is which ---- */

static void
add(struct strs *list, struct str name)
{
	list->items[list->n++] = name;
}

static void
take_name(
	const struct master_conf *services, struct str name, struct instance_reload *what)
{
	struct str spec = name;

	if (is_service(services, name)) {
		add(&what->services, name);
		return;
	}
	while (str_starts(spec, STR("proxy:")))
		spec = str_from(spec, strlen("proxy:"));
	if (!has_table_type(spec))
		log_fatal("reload: %s/master.cf has no service \"" STR_FMT "\"; "
			  "`postconf -M` shows which there are",
			postern.directory, STR_ARG(name));
	check_table(services, spec);
	add(&what->tables, spec);
}

static void
take_names(struct instance_reload *what)
{
	size_t n = (size_t)postern.argc - 1;
	struct arena *a = postern.conf->arena;
	struct conf_issues issues;
	struct master_conf *services;

	conf_issues_init(&issues);
	services = master_conf_load(postern.directory, postern.conf, &issues);
	if (!services)
		conf_issues_die(&issues);
	what->services.items = arena_alloc(a, n * sizeof(struct str));
	what->tables.items = arena_alloc(a, n * sizeof(struct str));
	for (size_t i = 1; i <= n; i++)
		take_name(services, str_c(postern.argv[i]), what);
	master_conf_free(services);
	conf_issues_free(&issues);
}

int
postern_reload(void)
{
	pid_t pid = postern_must_run();
	struct instance_reload what = { .all = postern.argc == 1 };

	log_line(SCRIPT_REFRESHING);
	check_before_start();
	if (!what.all)
		take_names(&what);
	if (instance_ask_reload(postern.conf, &what) < 0)
		log_fatal("pid/reload: %m");
	postern_signal(pid, SIGHUP);
	return 0;
}
