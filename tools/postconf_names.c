/* postconf_names.c -- which names exist, and who reads them.
 *
 * A name that is not in the table is known when a delivery service of master.cf makes it
 * (slow_destination_rate_delay), or when main.cf sets it and a value that is read names
 * it: as $name, as a restriction class, or as the prefix of a table's own parameters
 * (mysql:users -> users_dbname). */
#include "postconf.h"
#include <stdlib.h>

struct finder {
	struct names *names;
	const struct conf *conf;
	struct arena *arena;
};

const struct name *
names_get(const struct names *n, struct str name)
{
	size_t at = (size_t)(uintptr_t)map_get(n->known, name);

	return at == 0 ? NULL : &n->list.items[at - 1];
}

static void
add_name(struct names *n, struct str name, enum name_class class, struct str preset)
{
	if (names_get(n, name))
		return;
	*vec_push(&n->list) = (struct name){ name, class, preset };
	map_set(n->known, name, (void *)(uintptr_t)n->list.n);
}

static enum name_class
class_of(const struct param_info *p)
{
	if (p->legacy)
		return NAME_USER;
	return p->service_defined ? NAME_SERVICE : NAME_BUILTIN;
}

/* Names that were removed are none; old ones are shown when somebody uses them. */
static void
add_table(struct names *n, const struct conf *c)
{
	size_t count;
	const struct param_info *p = conf_params(&count);

	for (size_t i = 0; i < count; i++) {
		struct str name = str_c(p[i].name);

		if (p[i].type != PT_REMOVED && (!p[i].legacy || conf_setting(c, name)))
			add_name(n, name, class_of(&p[i]), STR_NONE);
	}
}

/* ---- names that services make ---- */

static bool
delivers(struct str program, const char *used_by)
{
	static const char *const agents[] = { "local", "virtual", "smtp", "lmtp", "pipe",
		"error", "discard" };
	ssize_t slash = str_rchr(program, '/');
	struct str rest = str_c(used_by), item;

	program = str_from(program, (size_t)(slash + 1));
	if (!str_is(rest, "qmgr")) {
		while (str_token(&rest, ",", &item))
			if (str_eq(item, program))
				return true;
		return false;
	}
	for (size_t i = 0; i < COUNT(agents); i++)
		if (str_is(program, agents[i]))
			return true;
	return false;
}

static void
add_services(struct finder *f, const struct service_rows *rows)
{
	size_t count;
	const struct param_info *p = conf_patterns(&count);

	for (size_t r = 0; r < rows->list.n; r++) {
		const struct service_row *row = &rows->list.items[r];

		for (size_t i = 0; i < count; i++)
			if (delivers(row->column[COLUMN_COMMAND], p[i].used_by))
				add_name(f->names,
					arena_printf(f->arena, STR_FMT "_%s",
						STR_ARG(row->column[COLUMN_NAME]),
						p[i].name),
					NAME_SERVICE, str_c(p[i].preset));
	}
}

/* ---- names that values name ---- */

static void see_value(struct finder *f, struct str text);

static void
see_name(struct str name, void *arg)
{
	struct finder *f = arg;

	if (names_get(f->names, name) || !conf_setting(f->conf, name))
		return;
	add_name(f->names, arena_str(f->arena, name), NAME_USER, STR_NONE);
	see_value(f, conf_text(f->conf, name));
}

/* mysql:users and the like: users is a prefix, unless it is a path. */
static void
see_table(struct finder *f, struct str item)
{
	static const char *const types[] = { "ldap", "memcache", "mysql", "pgsql",
		"sqlite" };
	const struct conf_setting *s;
	struct str type;

	if (str_starts(item, STR("proxy:")))
		item = str_from(item, 6);
	str_split(&item, ':', &type);
	if (item.len == 0 || item.data[0] == '/' || item.data[0] == '.')
		return;
	for (size_t i = 0; i < COUNT(types); i++)
		for (size_t at = 0;
			str_is(type, types[i]) && (s = conf_next_setting(f->conf, &at));)
			if (str_starts(s->name, item) && s->name.len > item.len &&
				s->name.data[item.len] == '_')
				see_name(s->name, f);
}

static void
see_value(struct finder *f, struct str text)
{
	conf_names(text, see_name, f);
	for (struct str item; str_token(&text, ", \t\r\n", &item);)
		see_table(f, item);
}

static void
see_classes(struct finder *f, struct str text)
{
	for (struct str item; str_token(&text, ", \t\r\n", &item);)
		see_name(item, f);
}

static void
see_setting(struct finder *f, struct str name, struct str text)
{
	const struct param_info *p = conf_param(name);

	if (str_is(name, "smtpd_restriction_classes"))
		see_classes(f, text);
	if ((p && p->type != PT_RAW && p->type != PT_REMOVED) ||
		(!p && names_get(f->names, name)))
		see_value(f, text);
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

void
names_find(struct names *n, const struct conf *c, const struct service_rows *rows,
	struct arena *a)
{
	struct finder f = { n, c, a };
	const struct conf_setting *s;

	n->known = map_new();
	add_table(n, c);
	add_services(&f, rows);
	for (size_t at = 0; (s = conf_next_setting(c, &at));)
		see_setting(&f, s->name, s->text);
	for (size_t i = 0; i < rows->list.n; i++)
		for (size_t k = 0; k < rows->list.items[i].overrides.n; k++) {
			struct str text = rows->list.items[i].overrides.items[k], name;

			str_split(&text, '=', &name);
			see_setting(&f, name, text);
			/* A user's own of this service: its value counts, too. */
			if (!conf_param(name))
				see_value(&f, text);
		}
	qsort(n->list.items, n->list.n, sizeof(*n->list.items), by_name);
	for (size_t i = 0; i < n->list.n; i++)
		map_set(n->known, n->list.items[i].name, (void *)(uintptr_t)(i + 1));
}

void
names_free(struct names *n)
{
	map_free(n->known);
	vec_free(&n->list);
}
