/* main_cf.c -- main.cf and -o: name = value (contract 1.1). `include = PATH`, which is
 * ours, reads another file in its place, or a directory's *.cf files in their order. */
#include "values.h"
#include "lines.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	FILE_MOST = 16 * 1024 * 1024,
	FILES_MOST = 1000, /* that are included, all in all ... */
	DEPTH_MOST = 8,    /* ... and each by the one before */
};

/* One file that is being read, and by which it was included. */
struct reading {
	struct conf_values *v;
	struct conf_issues *issues;
	struct str path;
	const struct reading *by; /* NULL: none, it is main.cf */
	int by_line;
	int depth;
	int *files; /* read so far */
	struct stat st;
};

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

static void read_into(struct reading *r);

static void
include_issue(const struct reading *r, int line, const char *remedy, struct str what,
	const char *why)
{
	conf_issue(r->issues, true, r->path, line, STR("include"), remedy,
		STR_FMT ", line %d: include " STR_FMT ": %s", STR_ARG(r->path), line,
		STR_ARG(what), why);
}

static void
include_file(const struct reading *by, int line, struct str path)
{
	struct reading r = { .v = by->v,
		.issues = by->issues,
		.path = path,
		.by = by,
		.by_line = line,
		.depth = by->depth + 1,
		.files = by->files };

	if (r.depth > DEPTH_MOST || ++*r.files > FILES_MOST)
		include_issue(by, line, "include less", path, "too many files");
	else
		read_into(&r);
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Names that end in .cf: editors and packages leave others beside them. */
static void
include_directory(const struct reading *by, int line, struct str path)
{
	struct arena *a = by->v->arena;
	VEC(struct str) names = { NULL, 0, 0 };
	DIR *d = opendir(path.data);
	struct dirent *e;

	if (!d) {
		include_issue(by, line, "let it be read", path, strerror(errno));
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && str_ends(str_c(e->d_name), STR(".cf")))
			*vec_push(&names) =
				arena_printf(a, STR_FMT "/%s", STR_ARG(path), e->d_name);
	closedir(d);
	if (names.n)
		qsort(names.items, names.n, sizeof(*names.items), by_name);
	for (size_t i = 0; i < names.n; i++)
		include_file(by, line, names.items[i]);
	vec_free(&names);
}

/* Relative to the file that says so. */
static void
include(const struct reading *by, int line, struct str value)
{
	struct arena *a = by->v->arena;
	struct str folder = str_sub(by->path, 0, (size_t)str_rchr(by->path, '/'));
	struct str path = str_starts(value, STR("/"))
				  ? arena_str(a, value)
				  : arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(folder),
					    STR_ARG(value));
	struct stat st;

	if (value.len == 0 || str_chr(value, '$') >= 0)
		include_issue(by, line, "write the path of a file or a directory", value,
			"not a path");
	else if (stat(path.data, &st) < 0)
		include_issue(
			by, line, "make it, or remove the line", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		include_directory(by, line, path);
	else
		include_file(by, line, path);
}

/* A second entry in one file is a slip; one in another file is what files are for. */
static bool
said_before(const struct conf_values *v, struct str name, struct str path)
{
	const struct entry *e = values_find(v, name);

	return e && e->said.text.data && str_eq(e->said.file, path);
}

static void
take_line(const struct reading *r, struct conf_lines *l)
{
	struct str name, value, before;
	const char *missing = name_and_value(l->text, &name, &value);
	bool again;

	if (missing) {
		conf_issue(r->issues, true, r->path, l->line, STR_NONE,
			"write it as: name = value; begin a line that continues the one "
			"before with a blank, a comment with #",
			STR_FMT ", line %d: %s: \"" STR_FMT "\"", STR_ARG(r->path),
			l->line, missing, STR_ARG(l->text));
		return;
	}
	if (str_is(name, "include")) {
		include(r, l->line, value);
		return;
	}
	again = said_before(r->v, name, r->path);
	before = values_set(r->v, name, value, r->path, l->line);
	if (again && !str_is(name, "config_directory"))
		conf_issue(r->issues, false, r->path, l->line, name,
			"keep one of the two entries",
			STR_FMT ", line %d: overriding earlier entry: " STR_FMT
				"=" STR_FMT,
			STR_ARG(r->path), l->line, STR_ARG(name), STR_ARG(before));
}

static void
take_lines(const struct reading *r, struct conf_lines *l)
{
	while (conf_lines_next(l)) {
		if (l->stray)
			conf_issue(r->issues, false, r->path, l->line, STR_NONE,
				"remove the blanks before it, or put # there",
				STR_FMT ": logical line must not start with whitespace: "
					"\"" STR_FMT "%s\"",
				STR_ARG(r->path), STR_ARG(str_sub(l->text, 0, 30)),
				l->text.len > 30 ? "..." : "");
		else if (str_chr(l->text, '\0') >= 0)
			conf_issue(r->issues, true, r->path, l->line, STR_NONE,
				"write the file anew as plain text",
				STR_FMT ", line %d: NUL byte", STR_ARG(r->path), l->line);
		else
			take_line(r, l);
	}
}

static bool
is_being_read(const struct reading *r)
{
	for (const struct reading *by = r->by; by; by = by->by)
		if (by->st.st_ino == r->st.st_ino && by->st.st_dev == r->st.st_dev)
			return true;
	return false;
}

static void
read_into(struct reading *r)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);
	int result = stat(r->path.data, &r->st);

	conf_lines_open(&l, STR_NONE);
	if (result == 0 && is_being_read(r)) {
		include_issue(r->by, r->by_line, "remove the line", r->path,
			"it is being read already");
		return;
	}
	if (result == 0)
		result = read_file(r->path.data, FILE_MOST, &file);
	if (result < 0 && r->by) {
		include_issue(
			r->by, r->by_line, "let it be read", r->path, strerror(errno));
		return;
	}
	if (result < 0) {
		conf_issue(r->issues, true, r->path, 0, STR_NONE,
			"name the directory of main.cf with -c or in MAIL_CONFIG",
			"open " STR_FMT ": %s", STR_ARG(r->path), strerror(errno));
		return;
	}
	conf_lines_open(&l, buf_str(&file));
	take_lines(r, &l);
}

bool
main_cf_read(struct conf_values *v, const char *directory, struct conf_issues *issues)
{
	int files = 0;
	struct reading r = { .v = v,
		.issues = issues,
		.path = arena_printf(v->arena, "%s/main.cf", directory),
		.files = &files };

	if (!accepted_settings(v))
		read_into(&r);
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
