/* master_cf.c -- the services: one logical line each, eight columns (contract 2.1). */
#include "conf.h"
#include "arguments.h"
#include "expand.h"
#include "lines.h"
#include "table.h"
#include "typed.h"
#include "values.h"
#include <errno.h>

enum { FILE_MOST = 16 * 1024 * 1024, PROCESSES_MOST = 1000000 };

const char *const service_types[SERVICE_TYPES] = {
	[SERVICE_INET] = "inet",
	[SERVICE_UNIX] = "unix",
	[SERVICE_UNIX_DGRAM] = "unix-dgram",
	[SERVICE_FIFO] = "fifo",
	[SERVICE_PASS] = "pass",
};

/* What a line is read with: the first mistake ends it. */
struct reading {
	struct arena *a;
	struct str rest;
	const char *wrong;
	bool old_chroot; /* compatibility_level < 1: chroot is the default */
};

static struct str
take_column(struct reading *r, const char *name)
{
	struct str column = STR_NONE;

	if (!r->wrong && !str_token(&r->rest, " \t\r\f\v", &column))
		r->wrong = arena_printf(r->a, "missing \"%s\" field", name).data;
	return column;
}

static void
bad_column(struct reading *r, const char *name, struct str column)
{
	if (!r->wrong)
		r->wrong = arena_printf(r->a, "field \"%s\": bad value: \"" STR_FMT "\"",
			name, STR_ARG(column))
				   .data;
}

static bool
take_bool(struct reading *r, const char *name, bool preset)
{
	struct str column = take_column(r, name);

	if (str_is(column, "-"))
		return preset;
	if (!str_is(column, "y") && !str_is(column, "n"))
		bad_column(r, name, column);
	return str_is(column, "y");
}

static enum service_type
take_type(struct reading *r)
{
	struct str column = take_column(r, "transport type");

	for (size_t i = 0; i < SERVICE_TYPES; i++)
		if (str_is(column, service_types[i]))
			return (enum service_type)i;
	if (!r->wrong)
		r->wrong = arena_printf(
			r->a, "bad transport type: " STR_FMT, STR_ARG(column))
				   .data;
	return SERVICE_UNIX;
}

static int
take_number(struct reading *r, const char *name, int preset, int most, bool *question)
{
	struct str column = take_column(r, name), digits = column;
	uint64_t n = 0;

	if (str_is(column, "-"))
		return preset;
	if (question && str_ends(column, STR("?"))) {
		*question = true;
		digits = str_sub(column, 0, column.len - 1);
	}
	if (str_to_u64(digits, &n) < 0 || n > (uint64_t)most)
		bad_column(r, name, column);
	return (int)n;
}

static void
check_name(struct reading *r, const struct service_line *s)
{
	if (r->wrong)
		return;
	if (str_is(s->name, "-"))
		r->wrong = "field \"service name\" has no default value";
	else if (s->type == SERVICE_INET && s->private_)
		r->wrong = "inet service cannot be private";
	else if (s->type != SERVICE_INET && str_chr(s->name, '/') >= 0)
		bad_column(r, "service name", s->name);
}

/* Columns in their order. */
static void
read_columns(struct reading *r, struct service_line *s)
{
	s->name = arena_str(r->a, take_column(r, "service name"));
	s->type = take_type(r);
	s->private_ = take_bool(r, "private", true);
	s->unprivileged = take_bool(r, "unprivileged", true);
	s->chroot = take_bool(r, "chroot", r->old_chroot);
	s->wakeup = take_number(r, "wakeup time", 0, INT32_MAX, &s->wakeup_when_used);
	s->maxproc = take_number(r, "process limit", -1, PROCESSES_MOST, NULL);
	s->command = arena_str(r->a, take_column(r, "command name"));
	if (!r->wrong && str_is(s->command, "-"))
		r->wrong = "field \"command name\" has no default value";
	check_name(r, s);
	if (!r->wrong)
		r->wrong = arguments_split(r->rest, r->a, &s->args);
	if (!r->wrong)
		r->wrong = arguments_options(s, r->a);
}

static struct service_line *
find_same(struct master_conf *m, const struct service_line *s)
{
	for (size_t i = 0; i < m->services.n; i++)
		if (m->services.items[i].type == s->type &&
			str_eq(m->services.items[i].name, s->name))
			return &m->services.items[i];
	return NULL;
}

static void
add_service(struct master_conf *m, const struct service_line *s, struct str path,
	struct conf_issues *issues)
{
	struct service_line *same = find_same(m, s);

	if (!same) {
		*vec_push(&m->services) = *s;
		return;
	}
	conf_issue(issues, false, path, s->line, s->name, "keep one of the two lines",
		STR_FMT ": line %d: overriding earlier entry for " STR_FMT
			"/%s in line %d",
		STR_ARG(path), s->line, STR_ARG(s->name), service_types[s->type],
		same->line);
	*same = *s;
}

static void
read_service(struct master_conf *m, const struct conf_lines *l, struct str path,
	bool old_chroot, struct conf_issues *issues)
{
	struct reading r = { .a = m->arena, .rest = l->text, .old_chroot = old_chroot };
	struct service_line s = { .line = l->line };

	if (l->stray) {
		conf_issue(issues, false, path, l->line, STR_NONE,
			"remove the blanks before it, or put # there",
			STR_FMT
			": logical line must not start with whitespace: \"" STR_FMT "\"",
			STR_ARG(path), STR_ARG(str_sub(l->text, 0, 30)));
		return;
	}
	if (str_chr(l->text, '\0') >= 0)
		r.wrong = "NUL byte";
	read_columns(&r, &s);
	if (r.wrong)
		conf_issue(issues, true, path, l->line, STR_NONE,
			"see master(5): service type private unpriv chroot wakeup "
			"maxproc "
			"command",
			STR_FMT ": line %d: %s", STR_ARG(path), l->line, r.wrong);
	else
		add_service(m, &s, path, issues);
}

/* slow_destination_rate_delay, where "slow" is a service of the user's: nobody could know
 * before that it is no user's own name. */
static void
check_transports(
	const struct master_conf *m, const struct conf *c, struct conf_issues *issues)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	const struct conf_setting *s;

	for (size_t at = 0; (s = conf_next_setting(c, &at));) {
		struct str transport, value = conf_value(c, arena_cstr(scratch, s->name));
		const struct param_info *pattern = pattern_of(s->name, &transport);
		struct service_line like = { .type = SERVICE_UNIX };
		union typed typed;
		const char *wrong;

		if (s->param || !pattern)
			continue;
		like.name = transport;
		if (!find_same((struct master_conf *)m, &like))
			continue;
		wrong = typed_value(pattern, s->name, value, 's', &typed, scratch);
		if (wrong)
			conf_issue(issues, true, s->file, s->line, s->name,
				typed_remedy(pattern, scratch), "%s", wrong);
	}
}

static void
read_services(struct master_conf *m, struct str file, struct str path,
	const struct conf *c, struct conf_issues *issues)
{
	struct conf_lines l CLEANUP(conf_lines_close);
	bool old_chroot = !conf_level_at_least(c, "1");

	conf_lines_open(&l, file);
	while (conf_lines_next(&l))
		read_service(m, &l, path, old_chroot, issues);
}

struct master_conf *
master_conf_load(const char *directory, const struct conf *c, struct conf_issues *issues)
{
	struct arena *a = arena_new();
	struct master_conf *m = arena_alloc(a, sizeof(*m));
	struct str path = arena_printf(a, "%s/master.cf", directory);
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	size_t before = issues->list.n;
	struct str text;

	m->arena = a;
	if (accepted_services(&text))
		buf_add(&file, text);
	else if (read_file(path.data, FILE_MOST, &file) < 0)
		conf_issue(issues, true, path, 0, STR_NONE,
			"copy it from where the package has its default, or name its "
			"directory "
			"with -c",
			"open " STR_FMT ": %s", STR_ARG(path), strerror(errno));
	if (issues->list.n == before) {
		m->text = arena_str(a, buf_str(&file));
		read_services(m, m->text, path, c, issues);
		check_transports(m, c, issues);
	}
	for (size_t i = before; i < issues->list.n; i++)
		if (issues->list.items[i].fatal) {
			master_conf_free(m);
			return NULL;
		}
	return m;
}

void
master_conf_free(struct master_conf *m)
{
	if (!m)
		return;
	vec_free(&m->services);
	arena_free(m->arena);
}

bool
service_line_is(const struct service_line *s, struct str name)
{
	ssize_t slash = str_rchr(name, '/');

	if (str_eq(name, s->name) || str_eq(name, s->command))
		return true;
	return slash > 0 && str_eq(str_sub(name, 0, (size_t)slash), s->name) &&
	       str_is(str_from(name, (size_t)slash + 1), service_types[s->type]);
}
