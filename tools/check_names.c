/* check_names.c -- settings in main.cf that nothing reads: names of nobody, or misspelt
 * ones. */
#include "check.h"
#include "postconf.h"

/* How many letters differ: changed, missing, added, or swapped with the next; as far as
 * `most`. */
enum { NAME_MOST = 100, FAR = 3 };

static int
distance(struct str a, struct str b)
{
	unsigned char rows[3][NAME_MOST + 1];
	unsigned char *before = rows[0], *last = rows[1], *now = rows[2];

	if (a.len > NAME_MOST || b.len > NAME_MOST)
		return FAR;
	for (size_t j = 0; j <= b.len; j++)
		last[j] = (unsigned char)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned char *spare = before;

		now[0] = (unsigned char)i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = a.data[i - 1] == b.data[j - 1];

			now[j] = (unsigned char)MIN(
				last[j - 1] + !same, MIN(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
				a.data[i - 2] == b.data[j - 1])
				now[j] = MIN(now[j], (unsigned char)(before[j - 2] + 1));
		}
		before = last, last = now, now = spare;
	}
	return last[b.len];
}

static const char *
nearest(struct str name)
{
	size_t n;
	const struct param_info *params = conf_params(&n);
	const char *best = NULL;
	int least = FAR;

	for (size_t i = 0; i < n; i++) {
		int d = distance(name, str_c(params[i].name));

		if (d < least && params[i].type != PT_REMOVED) {
			least = d;
			best = params[i].name;
		}
	}
	return best;
}

/* What names_find() wants to know of a service. */
static void
rows_from(struct service_rows *rows, const struct master_conf *m)
{
	for (size_t i = 0; i < m->services.n; i++) {
		struct service_row *row = vec_push(&rows->list);

		row->column[COLUMN_NAME] = m->services.items[i].name;
		row->column[COLUMN_COMMAND] = m->services.items[i].command;
		row->overrides = m->services.items[i].overrides;
	}
}

/* What to do about a name that nothing reads. */
static const char *
remedy_for(struct str name, struct arena *a)
{
	const char *meant = nearest(name);

	return meant ? arena_printf(a, "is %s meant?", meant).data
		     : "remove the setting, or refer to it";
}

static void
unused(struct check *k, const struct conf_setting *s)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();

	conf_issue(&k->found, false, s->file, s->line, s->name, remedy_for(s->name, a),
		"unused parameter: " STR_FMT "=" STR_FMT, STR_ARG(s->name),
		STR_ARG(s->text));
}

static void
look_for(struct str name, void *arg)
{
	struct str *wanted = arg;

	if (str_eq(name, *wanted))
		*wanted = STR_NONE;
}

/* A name of one's own serves the other settings of the line, or it is misspelt. */
static void
check_overrides(
	struct check *k, const struct service_line *line, const struct names *names)
{
	for (size_t i = 0; i < line->overrides.n; i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();
		struct str text = line->overrides.items[i], name, wanted;

		str_split(&text, '=', &name);
		wanted = name;
		for (size_t n = 0; n < line->overrides.n; n++)
			conf_names(line->overrides.items[n], look_for, &wanted);
		if (!wanted.data || conf_param(name) || names_get(names, name))
			continue;
		check_line(k, line, false, remedy_for(name, a),
			"unused parameter: " STR_FMT "=" STR_FMT, STR_ARG(name),
			STR_ARG(text));
	}
}

void
check_names(struct check *k)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct service_rows rows = { .path = STR_NONE };
	struct names names = { .known = NULL };
	const struct conf_setting *s;

	rows_from(&rows, k->services);
	names_find(&names, k->conf, &rows, a);
	for (size_t at = 0; (s = conf_next_setting(k->conf, &at));)
		if (!s->param && !names_get(&names, s->name) && s->line > 0)
			unused(k, s);
	for (size_t i = 0; i < k->services->services.n; i++)
		check_overrides(k, &k->services->services.items[i], &names);
	names_free(&names);
	vec_free(&rows.list);
}
