/* load.c -- main.cf and overrides become a struct conf. */
#include "values.h"
#include "table.h"
#include "typed.h"
#include <errno.h>
#include <stdlib.h>

const char *
conf_directory(const char *option)
{
	const char *environment = getenv("MAIL_CONFIG");

	if (option)
		return option;
	return environment && environment[0] ? environment : conf_default_directory;
}

static struct conf *
conf_new(const char *directory, struct str service)
{
	struct arena *a = arena_new();
	struct conf *c = arena_alloc(a, sizeof(*c));

	c->arena = a;
	c->directory =
		arena_str(a, str_c(directory ? directory : conf_default_directory));
	c->service = arena_str(a, service);
	c->values = values_new(a);
	values_find(c->values, STR("service_name"))->preset = c->service;
	return c;
}

void
conf_free(struct conf *c)
{
	if (!c)
		return;
	values_free(c->values);
	arena_free(c->arena);
}

static bool
read_settings(struct conf *c, const struct strs *overrides, struct conf_issues *issues)
{
	struct str name = STR("config_directory");
	bool well;

	values_set(c->values, name, c->directory, STR_NONE, 0);
	well = main_cf_read(c->values, c->directory.data, issues);
	values_set(c->values, name, c->directory, STR_NONE, 0);
	return overrides_read(c->values, overrides, issues) && well;
}

struct conf *
conf_open(const char *directory, struct str service, const struct strs *overrides,
	struct conf_issues *issues)
{
	struct conf *c = conf_new(directory, service);

	if (directory && !read_settings(c, overrides, issues)) {
		conf_free(c);
		return NULL;
	}
	return c;
}

static void
store(struct conf *c, size_t i, enum param_type type, const union typed *value)
{
	char *field = (char *)&c->p + table_offset(i);

	switch (type) {
	case PT_BOOL:
		*(bool *)(void *)field = value->truth;
		return;
	case PT_INT:
		*(int *)(void *)field = (int)value->number;
		return;
	case PT_LONG:
		*(int64_t *)(void *)field = value->number;
		return;
	case PT_TIME:
		*(msec_t *)(void *)field = value->span;
		return;
	case PT_STRING:
	case PT_RAW:
		*(struct str *)(void *)field = value->text;
		return;
	case PT_REMOVED:
		return;
	}
}

/* A time without unit has that of its default, which may be another parameter's. */
static char
unit_of(struct conf *c, struct entry *e, struct str value)
{
	struct str preset = e->preset;
	struct why why;

	if (e->said.param->type != PT_TIME || value.len == 0 ||
		!ascii_is_digit(value.data[value.len - 1]))
		return 's';
	if (str_chr(preset, '$') >= 0 &&
		conf_expand(c, e->preset, c->arena, &preset, &why) < 0)
		return 's';
	return typed_unit(preset);
}

static void
value_issue(struct conf_issues *issues, const struct entry *e, bool fatal,
	const char *remedy, const char *text)
{
	conf_issue(issues, fatal, e->said.file, e->said.line, e->said.name, remedy, "%s",
		text);
}

/* What value means for parameter i. Defaults that are empty although a value is asked for
 * are for their users to ask about. */
static const char *
type_of_value(struct conf *c, struct entry *e, struct str value, union typed *typed)
{
	if (value.len == 0 && !e->said.text.data && e->preset.len == 0) {
		typed->text = value;
		return NULL;
	}
	return typed_value(e->said.param, e->said.name, value, unit_of(c, e, value),
		typed, c->arena);
}

/* A bad value of a parameter that has its effect is fatal. One that has not is told about
 * and gets its default: a copied configuration boots. */
static void
bad_value(struct conf *c, size_t i, const char *remedy, const char *wrong,
	struct conf_issues *issues)
{
	struct entry *e = &c->values->known[i];
	union typed typed = { .text = STR_NONE };
	struct str preset;
	struct why why;

	value_issue(issues, e, e->said.param->honoured, remedy, wrong);
	if (conf_expand(c, e->preset, c->arena, &preset, &why) == 0 &&
		!type_of_value(c, e, preset, &typed))
		store(c, i, e->said.param->type, &typed);
}

static void
type_value(struct conf *c, size_t i, struct conf_issues *issues)
{
	struct entry *e = &c->values->known[i];
	enum param_type type = e->said.param->type;
	union typed typed = { .text = STR_NONE };
	const char *wrong;
	struct str value;
	struct why why;

	if (type == PT_REMOVED)
		return;
	if (type == PT_RAW)
		value = values_text(c->values, e);
	else if (values_eval(c->values, e, &value, &why) < 0) {
		value_issue(issues, e, false, "", why.text);
		bad_value(c, i, "correct the ${...} in its value",
			"macro processing error", issues);
		return;
	}
	wrong = type_of_value(c, e, value, &typed);
	if (wrong)
		bad_value(c, i, typed_remedy(e->said.param, c->arena), wrong, issues);
	else
		store(c, i, type, &typed);
}

/* The user's own names matter only to values that refer to them. */
static void
expand_own(struct conf_values *v)
{
	for (size_t i = 0; i < v->order.n; i++) {
		struct entry *e = v->order.items[i].entry;
		struct str value;
		struct why why;

		if (!e->said.param && values_eval(v, e, &value, &why) < 0)
			e->broken = true;
	}
}

static void
check_style(struct conf *c, struct conf_issues *issues)
{
	struct str style = c->p.mynetworks_style;

	if (style.data && !str_case_is(style, "class") && !str_case_is(style, "subnet") &&
		!str_case_is(style, "host"))
		value_issue(issues, values_find(c->values, STR("mynetworks_style")), true,
			"write class, subnet or host",
			arena_printf(c->arena,
				"unknown mynetworks mask style value \"" STR_FMT
				"\" in \"" STR_FMT "\"",
				STR_ARG(style), STR_ARG(style))
				.data);
}

/* Before any other: the defaults of others compare it. */
static void
check_level(struct conf *c, struct conf_issues *issues)
{
	struct entry *e = values_find(c->values, STR("compatibility_level"));
	struct str level = STR("");
	struct why why;
	int64_t n;

	if (values_eval(c->values, e, &level, &why) < 0 || level_parse(level, &n) < 0)
		value_issue(issues, e, true, "write a release such as 3.6",
			arena_printf(c->arena,
				"malformed compatibility level syntax: \"" STR_FMT "\"",
				STR_ARG(level))
				.data);
}

/* A value that begins with / has become the first line of that file, if it could be read.
 */
static void
check_file(struct conf *c, const char *name, struct str value, struct conf_issues *issues)
{
	struct entry *e = values_find(c->values, str_c(name));
	struct str line;

	if (!value.data || (value.len > 0 && value.data[0] != '/'))
		return;
	if (value.len > 0 && first_line(value.data, c->arena, &line) < 0)
		value_issue(issues, e, true,
			"make that file, with the name in its first line",
			arena_printf(c->arena, "open %s: %s", value.data, strerror(errno))
				.data);
	else
		value_issue(issues, e, true,
			"write a name into the first line of that file",
			arena_printf(c->arena, "%s: file with an empty first line", name)
				.data);
}

static bool
fatal_since(const struct conf_issues *issues, size_t before)
{
	for (size_t i = before; i < issues->list.n; i++)
		if (issues->list.items[i].fatal)
			return true;
	return false;
}

static void
type_values(struct conf *c, bool set, struct conf_issues *issues)
{
	const struct conf_values *v = c->values;

	for (size_t i = 0; i < v->n_known; i++)
		if ((v->known[i].said.text.data != NULL) == set)
			type_value(c, i, issues);
}

struct conf *
conf_load(const char *directory, struct str service, const struct strs *overrides,
	struct conf_issues *issues)
{
	struct conf *c = conf_new(directory, service);
	size_t before = issues->list.n;

	c->values->read_files = true;
	read_settings(c, overrides, issues);
	check_level(c, issues);
	/* First what is set: a mistake there is told once, where it was made, and not
	 * again for each default that has it from there, which then stays without a
	 * value. All mistakes are told before any of them counts. */
	type_values(c, true, issues);
	if (!fatal_since(issues, before))
		type_values(c, false, issues);
	expand_own(c->values);
	check_style(c, issues);
	check_file(c, "myorigin", c->p.myorigin, issues);
	check_file(c, "myhostname", c->p.myhostname, issues);
	if (fatal_since(issues, before)) {
		conf_free(c);
		return NULL;
	}
	return c;
}
