/* postconf_warn.c -- settings that nothing reads, names that nothing defines, names that
 * are on their way out. */
#include "postconf.h"

struct scan {
	const struct names *names;
	const struct conf *conf;
	const struct service_rows *rows;
	struct str path; /* of the file whose values are looked at */
	struct map *warned;
	struct str wanted; /* service_uses: the name */
	bool found;
};

static bool
some_service_sets(const struct service_rows *rows, struct str name)
{
	for (size_t i = 0; i < rows->list.n; i++)
		for (size_t k = 0; k < rows->list.items[i].overrides.n; k++) {
			struct str rest = rows->list.items[i].overrides.items[k], set;

			if (str_split(&rest, '=', &set) && str_eq(set, name))
				return true;
		}
	return false;
}

static void
warn_undefined(struct str name, void *arg)
{
	struct scan *s = arg;

	if (conf_param(name) || names_get(s->names, name) ||
		conf_text(s->conf, name).data || some_service_sets(s->rows, name) ||
		map_set(s->warned, name, s))
		return;
	postconf_warn(STR_FMT ": undefined parameter: " STR_FMT, STR_ARG(s->path),
		STR_ARG(name));
}

static bool
is_read(const struct names *n, struct str name)
{
	const struct param_info *p = conf_param(name);

	return p ? p->type != PT_RAW && p->type != PT_REMOVED
		 : names_get(n, name) != NULL;
}

static void
look_for(struct str name, void *arg)
{
	struct scan *s = arg;

	s->found = s->found || str_eq(name, s->wanted);
}

/* Does any value of main.cf or of this service name it? */
static bool
is_named(struct scan *s, const struct service_row *row, struct str name)
{
	const struct conf_setting *set;

	s->wanted = name;
	s->found = false;
	for (size_t at = 0; (set = conf_next_setting(s->conf, &at));)
		if (is_read(s->names, set->name))
			conf_names(set->text, look_for, s);
	for (size_t k = 0; k < row->overrides.n; k++)
		conf_names(row->overrides.items[k], look_for, s);
	return s->found;
}

static void
warn_main(struct scan *s, const char *directory, struct arena *a)
{
	const struct conf_setting *set;

	s->path = arena_printf(a, "%s/main.cf", directory);
	for (size_t at = 0; (set = conf_next_setting(s->conf, &at));)
		if (is_read(s->names, set->name))
			conf_names(set->text, warn_undefined, s);
	for (size_t at = 0; (set = conf_next_setting(s->conf, &at));)
		if (!names_get(s->names, set->name) && set->line > 0)
			postconf_warn(STR_FMT ": unused parameter: " STR_FMT "=" STR_FMT,
				STR_ARG(set->file), STR_ARG(set->name),
				STR_ARG(set->text));
}

static void
warn_row(struct scan *s, const struct service_row *row)
{
	for (size_t k = 0; k < row->overrides.n; k++) {
		struct str text = row->overrides.items[k], name;

		str_split(&text, '=', &name);
		conf_names(text, warn_undefined, s);
		if (!conf_param(name) && !names_get(s->names, name) &&
			!is_named(s, row, name))
			postconf_warn(STR_FMT ": unused parameter: " STR_FMT "=" STR_FMT,
				STR_ARG(s->path), STR_ARG(name), STR_ARG(text));
	}
}

static void
warn_deprecated(const struct conf *c)
{
	struct conf_issues issues;

	conf_issues_init(&issues);
	conf_warn_deprecated(c, &issues);
	for (size_t i = 0; i < issues.list.n; i++) {
		const struct conf_issue *is = &issues.list.items[i];

		postconf_warn(STR_FMT "%s" STR_FMT, STR_ARG(is->file),
			is->file.len > 0 ? ": " : "", STR_ARG(is->text));
	}
	if (issues.list.n > 0)
		postconf_warn("postconf(5) tells more about each of these parameters");
	conf_issues_free(&issues);
}

void
names_warn(const struct names *n, const struct conf *c, const struct service_rows *rows,
	struct arena *a)
{
	struct scan s = { .names = n, .conf = c, .rows = rows, .warned = map_new() };

	warn_main(&s, c->directory.data, a);
	s.path = rows->path;
	for (size_t i = 0; i < rows->list.n; i++)
		warn_row(&s, &rows->list.items[i]);
	warn_deprecated(c);
	map_free(s.warned);
}
