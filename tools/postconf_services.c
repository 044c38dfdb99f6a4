/* postconf_services.c -- master.cf as written, and postconf -M. */
#include "postconf.h"
#include "arguments.h"
#include "lines.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MOST = 16 * 1024 * 1024 };

const char *const column_names[COLUMNS] = { "service", "type", "private", "unprivileged",
	"chroot", "wakeup", "process_limit", "command" };

/* "-oname=value" as two arguments: that is how rows are printed and edited. */
static struct strs
detach_values(struct strs args, struct arena *a)
{
	struct strs out = { arena_alloc(a, (2 * args.n + 1) * sizeof(struct str)), 0 };
	bool options = true;

	for (size_t i = 0; i < args.n; i++) {
		bool value = i > 0 && str_is(args.items[i - 1], "-o");
		struct str s = args.items[i];

		options = options && (value || str_starts(s, STR("-")));
		if (options && !value && s.len > 2 && str_starts(s, STR("-o"))) {
			out.items[out.n++] = STR("-o");
			s = str_from(s, 2);
		}
		out.items[out.n++] = s;
	}
	return out;
}

const char *
row_parse(struct service_row *row, struct str text, struct arena *a)
{
	struct service_line options = { .line = 0 };
	struct str rest = arena_str(a, text);
	const char *wrong;

	*row = (struct service_row){ .edited = false };
	for (size_t i = 0; i < COLUMNS; i++)
		if (!str_token(&rest, " \t\r\f\v", &row->column[i]))
			return "bad field count";
	wrong = arguments_split(rest, a, &row->args);
	row->args = detach_values(row->args, a);
	options.args = row->args;
	if (!arguments_options(&options, a))
		row->overrides = options.overrides;
	return wrong;
}

/* A line without eight columns ends us, as it ends Postfix's. */
static void
read_row(struct service_rows *rows, const struct conf_lines *l, struct arena *a)
{
	struct service_row *row = vec_push(&rows->list);
	const char *wrong = row_parse(row, l->text, a);

	if (wrong && row->column[COLUMN_COMMAND].len == 0)
		postconf_fatal("file " STR_FMT ": line %d: %s", STR_ARG(rows->path),
			l->line, wrong);
	if (wrong)
		postconf_warn(
			STR_FMT ": line %d: %s", STR_ARG(rows->path), l->line, wrong);
}

void
rows_read(struct service_rows *rows, const char *directory, bool needed, struct arena *a)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);

	conf_lines_open(&l, STR_NONE);
	rows->path = arena_printf(a, "%s/master.cf", directory);
	if (read_file(rows->path.data, FILE_MOST, &file) < 0) {
		(needed ? postconf_fatal : postconf_warn)(
			"open " STR_FMT ": %s", STR_ARG(rows->path), strerror(errno));
		return;
	}
	conf_lines_open(&l, buf_str(&file));
	while (conf_lines_next(&l)) {
		if (l.stray)
			postconf_warn(STR_FMT
				": logical line must not start with whitespace: "
				"\"" STR_FMT "\"",
				STR_ARG(rows->path), STR_ARG(str_sub(l.text, 0, 30)));
		else
			read_row(rows, &l, a);
	}
}

/* Each column where master.cf has it by custom, or one blank behind the one before. */
static size_t
print_columns(FILE *to, const struct service_row *row)
{
	static const size_t places[COLUMNS] = { 0, 11, 17, 25, 33, 41, 49, 57 };
	size_t at = 0;

	for (size_t i = 0; i < COLUMNS; i++) {
		size_t start = i == 0 ? 0 : MAX(places[i], at + 1);

		fprintf(to, "%*s" STR_FMT, (int)(start - at), "",
			STR_ARG(row->column[i]));
		at = start + row->column[i].len;
	}
	return at;
}

/* An argument of more or less than one word needs its braces back. */
static struct str
with_braces(struct str argument, bool option_value, struct arena *a)
{
	struct str rest = argument, name;
	bool blank = argument.len == 0 || argument.data[0] == '{';

	for (size_t i = 0; i < argument.len; i++)
		blank = blank || ascii_is_space(argument.data[i]);
	if (!blank)
		return argument;
	if (option_value && str_split(&rest, '=', &name))
		return arena_printf(a, "{" STR_FMT "=" STR_FMT "}",
			STR_ARG(str_trim(name)), STR_ARG(str_trim(rest)));
	return arena_printf(a, "{" STR_FMT "}", STR_ARG(argument));
}

/* When folding, each option has a line of its own, and its value stays with it. */
static void
print_arguments(struct line *l, const struct service_row *row, bool fold, struct arena *a)
{
	bool options = true, value = false;

	for (size_t i = 0; i < row->args.n; i++) {
		struct str argument = row->args.items[i];

		options = options && (value || str_starts(argument, STR("-")));
		if (fold && options && !value)
			line_break(l);
		/* What follows the options has a line of its own, too. */
		if (fold && !options && !l->fresh && i > 0 && l->most == 0)
			line_break(l);
		l->most = fold && !options ? FOLD_MASTER_CF : 0;
		line_add_word(l, with_braces(argument, value, a));
		value = options && !value && str_is(argument, "-o");
	}
	line_end(l);
}

void
row_print(FILE *to, const struct service_row *row, bool fold, struct arena *a)
{
	struct line l = { .to = to, .column = print_columns(to, row) };

	print_arguments(&l, row, fold, a);
}

/* ---- what is asked for ---- */

bool
row_pattern_parse(struct str text, struct row_pattern *out)
{
	struct str *const parts[] = { &out->name, &out->type, &out->item };

	*out = (struct row_pattern){ STR_NONE, STR_NONE, STR_NONE };
	for (size_t i = 0; i < COUNT(parts); i++)
		if (!str_split(&text, '/', parts[i]))
			break;
	return text.len == 0;
}

bool
pattern_matches(struct str pattern, struct str text)
{
	return pattern.len == 0 || str_is(pattern, "*") || str_eq(pattern, text);
}

bool
row_matches(const struct service_row *row, const struct row_pattern *p)
{
	return p->name.len > 0 && pattern_matches(p->name, row->column[COLUMN_NAME]) &&
	       pattern_matches(p->type, row->column[COLUMN_TYPE]);
}

/* ---- printing ---- */

struct row_printing {
	const struct postconf_options *options;
	const struct conf *conf;
	struct arena *arena;
};

/* "service/type/item = ", and leaves the value to the caller. */
static void
print_label(struct line *l, const struct row_printing *p, const struct service_row *row,
	struct str item)
{
	if (p->options->no_names)
		return;
	line_add(l, arena_printf(p->arena, STR_FMT "/" STR_FMT "/" STR_FMT,
			    STR_ARG(row->column[COLUMN_NAME]),
			    STR_ARG(row->column[COLUMN_TYPE]), STR_ARG(item)));
	if (!p->options->names_only)
		line_add(l, STR("="));
}

static bool
print_fields(const struct row_printing *p, const struct service_row *row, struct str item)
{
	bool any = false;

	for (size_t i = 0; i < COLUMNS; i++) {
		struct line l = { .to = stdout, .fresh = true };

		if (!pattern_matches(item, str_c(column_names[i])))
			continue;
		any = true;
		print_label(&l, p, row, str_c(column_names[i]));
		if (!p->options->names_only)
			line_add_word(&l, row->column[i]);
		if (i == COLUMN_COMMAND && !p->options->names_only)
			print_arguments(&l, row, p->options->fold, p->arena);
		else
			line_end(&l);
	}
	if (!any)
		postconf_fatal(
			"invalid service attribute name: \"" STR_FMT "\"", STR_ARG(item));
	return any;
}

struct override {
	struct str name, value;
	size_t place; /* the last of one name counts */
};

static int
by_name(const void *a, const void *b)
{
	const struct override *x = a, *y = b;
	int order = str_cmp(x->name, y->name);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void
print_override(
	const struct row_printing *p, const struct service_row *row, struct override *o)
{
	struct line l = {
		.to = stdout, .fresh = true, .most = p->options->fold ? FOLD_MAIN_CF : 0
	};
	struct str value = o->value;
	struct why why;

	if (p->options->expand &&
		conf_expand(p->conf, o->value, p->arena, &value, &why) < 0) {
		postconf_warn("%s", why.text);
		postconf_fatal("macro processing error");
	}
	print_label(&l, p, row, o->name);
	if (!p->options->names_only)
		line_add(&l, value);
	line_end(&l);
}

static bool
print_overrides(
	const struct row_printing *p, const struct service_row *row, struct str item)
{
	size_t n = row->overrides.n;
	struct override *all = arena_alloc(p->arena, (n + 1) * sizeof(*all));
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		all[i] =
			(struct override){ .value = row->overrides.items[i], .place = i };
		str_split(&all[i].value, '=', &all[i].name);
	}
	if (n > 0)
		qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++) {
		bool last = i + 1 == n || !str_eq(all[i].name, all[i + 1].name);

		if (!last || !pattern_matches(item, all[i].name))
			continue;
		print_override(p, row, &all[i]);
		any = true;
	}
	return any;
}

static bool
print_row(const struct row_printing *p, const struct service_row *row, struct str item)
{
	switch (p->options->mode) {
	case MODE_FIELDS:
		return print_fields(p, row, item);
	case MODE_OVERRIDES:
		return print_overrides(p, row, item);
	default:
		row_print(stdout, row, p->options->fold, p->arena);
		return true;
	}
}

static void
check_pattern(const struct row_printing *p, struct str text, struct row_pattern *out)
{
	if (row_pattern_parse(text, out) &&
		(p->options->mode != MODE_SERVICES || out->item.len == 0))
		return;
	switch (p->options->mode) {
	case MODE_FIELDS:
		postconf_fatal("-F option requires service_name[/type[/field]]");
	case MODE_OVERRIDES:
		postconf_fatal("-P option requires service_name[/type[/parameter]]");
	default:
		postconf_fatal("-M option requires service_name[/type]");
	}
}

static void
print_matching(
	const struct row_printing *p, const struct service_rows *rows, struct str text)
{
	struct row_pattern pattern;
	bool any = false;

	check_pattern(p, text, &pattern);
	for (size_t i = 0; i < rows->list.n; i++)
		if (row_matches(&rows->list.items[i], &pattern))
			any |= print_row(p, &rows->list.items[i], pattern.item);
	if (!any)
		postconf_warn("unmatched request: \"" STR_FMT "\"", STR_ARG(text));
}

void
rows_print(const struct service_rows *rows, const struct postconf_options *o,
	const struct conf *c)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct row_printing p = { o, c, a };

	for (size_t i = 0; i < o->arguments.n; i++)
		print_matching(&p, rows, o->arguments.items[i]);
	for (size_t i = 0; o->arguments.n == 0 && i < rows->list.n; i++)
		print_row(&p, &rows->list.items[i], STR("*"));
}
