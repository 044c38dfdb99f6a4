/* main_cf.c -- main.cf and -o: name = value (contract 1.1). */
#include "values.h"
#include "lines.h"
#include <errno.h>

enum { FILE_MOST = 16 * 1024 * 1024 };

const char *
name_and_value(struct str line, struct str *name, struct str *value)
{
	ssize_t equals = str_chr(line, '=');
	size_t end = 0;
	struct str between;

	while (end < line.len && line.data[end] != '=' && !ascii_is_space(line.data[end]))
		end++;
	if (end == 0)
		return "missing attribute name";
	if (equals < 0)
		return "missing '=' after attribute name";
	between = str_trim(str_sub(line, end, (size_t)equals - end));
	if (between.len > 0)
		return "missing '=' after attribute name";
	*name = str_sub(line, 0, end);
	*value = str_trim(str_from(line, (size_t)equals + 1));
	return NULL;
}

static void
take_line(struct conf_values *v, struct conf_lines *l, struct str path,
	struct conf_issues *issues)
{
	struct str name, value, before;
	const char *missing = name_and_value(l->text, &name, &value);

	if (missing) {
		conf_issue(issues, true, path, l->line, STR_NONE,
			"write it as: name = value; begin a line that continues the one "
			"before with a blank, a comment with #",
			STR_FMT ", line %d: %s: \"" STR_FMT "\"", STR_ARG(path), l->line,
			missing, STR_ARG(l->text));
		return;
	}
	before = values_set(v, name, value, path, l->line);
	if (before.data && !str_is(name, "config_directory"))
		conf_issue(issues, false, path, l->line, name,
			"keep one of the two entries",
			STR_FMT ", line %d: overriding earlier entry: " STR_FMT
				"=" STR_FMT,
			STR_ARG(path), l->line, STR_ARG(name), STR_ARG(before));
}

bool
main_cf_read(struct conf_values *v, const char *directory, struct conf_issues *issues)
{
	struct str path = arena_printf(v->arena, "%s/main.cf", directory);
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);

	conf_lines_open(&l, STR_NONE);
	if (read_file(path.data, FILE_MOST, &file) < 0) {
		conf_issue(issues, true, path, 0, STR_NONE,
			"name the directory of main.cf with -c or in MAIL_CONFIG",
			"open " STR_FMT ": %s", STR_ARG(path), strerror(errno));
		return false;
	}
	conf_lines_open(&l, buf_str(&file));
	while (conf_lines_next(&l)) {
		if (l.stray)
			conf_issue(issues, false, path, l.line, STR_NONE,
				"remove the blanks before it, or put # there",
				STR_FMT ": logical line must not start with whitespace: "
					"\"" STR_FMT "%s\"",
				STR_ARG(path), STR_ARG(str_sub(l.text, 0, 30)),
				l.text.len > 30 ? "..." : "");
		else if (str_chr(l.text, '\0') >= 0)
			conf_issue(issues, true, path, l.line, STR_NONE,
				"write the file anew as plain text",
				STR_FMT ", line %d: NUL byte", STR_ARG(path), l.line);
		else
			take_line(v, &l, path, issues);
	}
	return !conf_issues_fatal(issues);
}

bool
overrides_read(struct conf_values *v, const struct strs *o, struct conf_issues *issues)
{
	for (size_t i = 0; o && i < o->n; i++) {
		struct str name, value;
		const char *missing = name_and_value(o->items[i], &name, &value);

		if (missing)
			conf_issue(issues, true, STR_NONE, 0, STR_NONE,
				"write it as: -o name=value, or -o { name = value }",
				"invalid \"-o " STR_FMT "\" option value: %s",
				STR_ARG(o->items[i]), missing);
		else
			values_set(v, name, value, STR_NONE, 0);
	}
	return !conf_issues_fatal(issues);
}
