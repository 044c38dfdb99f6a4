/* values.c -- names, what they are set to, and what that means after expansion.
 *
 * Everything is expanded once, at load: afterwards a conf is only read, from any thread.
 * A chain of names that comes back to itself ends at EXPAND_DEPTH. */
#include "values.h"
#include "table.h"

static int get_value(struct expander *x, struct str name, struct str *value);

struct conf_values *
values_new(struct arena *a)
{
	struct conf_values *v = arena_alloc(a, sizeof(*v));
	const struct param_info *info = conf_params(&v->n_known);

	v->arena = a;
	v->own = map_new();
	v->known = arena_alloc(a, v->n_known * sizeof(*v->known));
	for (size_t i = 0; i < v->n_known; i++) {
		v->known[i].said.param = &info[i];
		v->known[i].said.name = str_c(info[i].name);
		v->known[i].preset = str_c(info[i].preset);
	}
	v->expander = (struct expander){ .get = get_value, .arg = v };
	return v;
}

void
values_free(struct conf_values *v)
{
	vec_free(&v->order);
	map_free(v->own);
}

struct entry *
values_find(const struct conf_values *v, struct str name)
{
	int i = table_find(name);

	return i >= 0 ? &v->known[i] : map_get(v->own, name);
}

static struct entry *
find_or_add(struct conf_values *v, struct str name)
{
	struct entry *e = values_find(v, name);

	if (e)
		return e;
	e = arena_alloc(v->arena, sizeof(*e));
	e->said.name = arena_str(v->arena, name);
	map_set(v->own, name, e);
	return e;
}

struct str
values_set(struct conf_values *v, struct str name, struct str text, struct str file,
	int line)
{
	struct entry *e = find_or_add(v, name);
	struct str before = e->said.text;

	if (!before.data)
		vec_push(&v->order)->entry = e;
	e->said.text = arena_str(v->arena, text);
	e->said.file = file;
	e->said.line = line;
	e->done = false;
	return before;
}

struct str
values_text(struct conf_values *v, struct entry *e)
{
	if (e->said.text.data)
		return e->said.text;
	if (e->said.param && e->said.param->site && e->preset.len == 0)
		e->preset = site_preset(v, e->said.param->name);
	return e->preset;
}

/* Debian's packages put the name of this host's mail domain into a file. */
static void
replace_by_file(struct conf_values *v, struct entry *e)
{
	const char *path;
	struct str line;

	if (!v->read_files || e->value.len == 0 || e->value.data[0] != '/' ||
		(!str_is(e->said.name, "myorigin") &&
			!str_is(e->said.name, "myhostname")))
		return;
	path = arena_cstr(v->arena, e->value);
	if (path && first_line(path, v->arena, &line) == 0) {
		e->value = line;
		e->from_file = true;
	}
}

static int
expand_value(struct conf_values *v, struct entry *e, struct str text)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct expander *x = &v->expander;
	int nested = x->nested, result;

	if (x->depth > EXPAND_DEPTH) {
		why_set(x->why, "4.3.5",
			"unreasonable macro call nesting: \"" STR_FMT "\"",
			STR_ARG(e->said.name));
		return -1;
	}
	x->depth++;
	x->nested = 0;
	result = expand_text(x, text, &out);
	x->nested = nested;
	x->depth--;
	if (result == 0)
		e->value = arena_str(v->arena, buf_str(&out));
	return result;
}

int
values_eval(struct conf_values *v, struct entry *e, struct str *out, struct why *why)
{
	struct str text;

	if (!e->done) {
		struct why *outer = v->expander.why;
		int result = 0;

		v->expander.why = why;
		text = values_text(v, e);
		if (str_chr(text, '$') >= 0)
			result = expand_value(v, e, text);
		else
			e->value = text.data ? text : STR("");
		v->expander.why = outer;
		if (result < 0)
			return -1;
		replace_by_file(v, e);
		e->done = true;
	}
	*out = e->value;
	return 0;
}

static int
get_value(struct expander *x, struct str name, struct str *value)
{
	struct conf_values *v = x->arg;
	struct entry *e = values_find(v, name);

	if (!e || e->broken) {
		*value = STR_NONE;
		return 0;
	}
	return values_eval(v, e, value, x->why);
}
