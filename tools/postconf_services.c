/* postconf_services.c -- master.cf as written, and postconf -M. */
#include "postconf.h"
#include "arguments.h"
#include "lines.h"
#include <errno.h>
#include <stdio.h>

enum { FILE_MOST = 16 * 1024 * 1024 };

static void
read_row(struct service_rows *rows, const struct conf_lines *l, struct arena *a)
{
	struct service_row *row = vec_push(&rows->list);
	struct service_line options = { .line = 0 };
	struct str rest = arena_str(a, l->text);
	const char *wrong;

	for (size_t i = 0; i < COLUMNS; i++)
		if (!str_token(&rest, " \t\r\f\v", &row->column[i]))
			postconf_fatal("file " STR_FMT ": line %d: bad field count",
				STR_ARG(rows->path), l->line);
	wrong = arguments_split(rest, a, &row->args);
	if (wrong)
		postconf_warn(
			STR_FMT ": line %d: %s", STR_ARG(rows->path), l->line, wrong);
	options.args = row->args;
	if (!arguments_options(&options, a))
		row->overrides = options.overrides;
}

void
rows_read(struct service_rows *rows, const char *directory, struct arena *a)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);

	conf_lines_open(&l, STR_NONE);
	rows->path = arena_printf(a, "%s/master.cf", directory);
	if (read_file(rows->path.data, FILE_MOST, &file) < 0) {
		rows->missing = true;
		postconf_warn(
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
print_columns(const struct service_row *row)
{
	static const size_t places[COLUMNS] = { 0, 11, 17, 25, 33, 41, 49, 57 };
	size_t at = 0;

	for (size_t i = 0; i < COLUMNS; i++) {
		size_t to = i == 0 ? 0 : MAX(places[i], at + 1);

		printf("%*s" STR_FMT, (int)(to - at), "", STR_ARG(row->column[i]));
		at = to + row->column[i].len;
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
print_row(const struct service_row *row, bool fold, struct arena *a)
{
	struct line l = { .column = print_columns(row) };
	bool options = true, value = false;

	for (size_t i = 0; i < row->args.n; i++) {
		struct str argument = row->args.items[i];

		options = options && (value || str_starts(argument, STR("-")));
		if (fold && options && !value)
			line_break(&l);
		l.most = fold && !options ? FOLD_MASTER_CF : 0;
		line_add_word(&l, with_braces(argument, value, a));
		value = options && !value && str_is(argument, "-o");
	}
	line_end(&l);
}

static bool
row_matches(const struct service_row *row, struct str pattern)
{
	struct str name;

	if (!str_split(&pattern, '/', &name))
		return false;
	return (str_is(name, "*") || str_eq(name, row->column[COLUMN_NAME])) &&
	       (pattern.len == 0 || str_is(pattern, "*") ||
		       str_eq(pattern, row->column[COLUMN_TYPE]));
}

static void
print_matching(
	const struct service_rows *rows, struct str pattern, bool fold, struct arena *a)
{
	bool any = false;

	for (size_t i = 0; i < rows->list.n; i++) {
		if (!row_matches(&rows->list.items[i], pattern))
			continue;
		print_row(&rows->list.items[i], fold, a);
		any = true;
	}
	if (!any)
		postconf_warn("unmatched request: \"" STR_FMT "\"", STR_ARG(pattern));
}

void
rows_print(const struct service_rows *rows, const struct postconf_options *o)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < o->arguments.n; i++)
		print_matching(rows, o->arguments.items[i], o->fold, a);
	for (size_t i = 0; o->arguments.n == 0 && i < rows->list.n; i++)
		print_row(&rows->list.items[i], o->fold, a);
}
