/* settings.c -- see settings.h. */
#include "settings.h"
#include "lines.h"
#include <fcntl.h>
#include <unistd.h>

enum { FILE_MOST = 1024 * 1024 };

struct setting {
	struct str name, value;
};

struct settings {
	struct dict *d;
	const char *file; /* NULL: main.cf */
	VEC(struct setting) list;
	struct setting *in_file;
	size_t n;
};

static bool
take_line(struct settings *s, struct conf_lines *l, struct why *why)
{
	struct arena *a = s->d->arena;
	struct str name, value;

	if (l->stray || !str_assignment(l->text, &name, &value)) {
		dict_fails(why,
			"%s, line %d: missing '=' after attribute name: \"" STR_FMT "\"",
			s->file, l->line, STR_ARG(l->text));
		return false;
	}
	*vec_push(&s->list) = (struct setting){ arena_str(a, name), arena_str(a, value) };
	return true;
}

static int
read_all(const char *path, struct stamp *stamp, struct buf *out)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	stamp_take(stamp, fd);
	do {
		buf_need(out, 4096);
		n = read(fd, out->data + out->len, 4096);
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0 && out->len < FILE_MOST);
	if (out->len >= FILE_MOST)
		errno = EFBIG;
	return n == 0 ? 0 : -1;
}

struct settings *
settings_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	struct settings *s = arena_alloc(d->arena, sizeof *s);
	struct buf file CLEANUP(buf_wipe) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);
	bool well = true;

	s->d = d;
	conf_lines_open(&l, STR_NONE);
	if (!strchr(d->name, '/'))
		return s;
	s->file = d->name;
	if (read_all(d->name, stamp, &file) < 0)
		return dict_fails_errno(why, "open", d->name);
	conf_lines_open(&l, buf_str(&file));
	while (well && conf_lines_next(&l))
		well = take_line(s, &l, why);
	s->n = s->list.n;
	s->in_file = arena_alloc(d->arena, (s->n + 1) * sizeof *s->in_file);
	if (s->n)
		memcpy(s->in_file, s->list.items, s->n * sizeof *s->in_file);
	vec_free(&s->list);
	return well ? s : NULL;
}

/* The last one counts. */
struct str
settings_text(const struct settings *s, const char *name, const char *preset)
{
	struct str found = STR_NONE;

	if (s->file) {
		for (size_t i = s->n; i-- > 0 && !found.data;)
			if (str_is(s->in_file[i].name, name))
				found = s->in_file[i].value;
	} else if (s->d->conf) {
		found = conf_value(s->d->conf,
			arena_printf(s->d->arena, "%s_%s", s->d->name, name).data);
	}
	return found.data ? found : str_c(preset);
}

const char *
settings_cstr(const struct settings *s, const char *name, const char *preset)
{
	struct str text = settings_text(s, name, preset);

	return text.data ? arena_str(s->d->arena, text).data : NULL;
}

static void
is_wrong(const struct settings *s, const char *name, struct str text, struct why *why)
{
	dict_fails(why, STR_FMT ": bad value of %s: \"" STR_FMT "\"", STR_ARG(s->d->spec),
		name, STR_ARG(text));
}

long
settings_number(const struct settings *s, const char *name, long preset, long least,
	long most, struct why *why)
{
	struct str text = settings_text(s, name, NULL);
	long n;

	if (!text.data)
		return preset;
	if (str_to_long(text, &n) == 0 && n >= least && n <= most)
		return n;
	is_wrong(s, name, text, why);
	return preset;
}

bool
settings_yes(const struct settings *s, const char *name, bool preset, struct why *why)
{
	struct str text = settings_text(s, name, NULL);

	if (!text.data)
		return preset;
	if (!str_case_is(text, "yes") && !str_case_is(text, "no"))
		is_wrong(s, name, text, why);
	return str_case_is(text, "yes");
}

msec_t
settings_time(
	const struct settings *s, const char *name, const char *preset, struct why *why)
{
	struct str text = settings_text(s, name, preset);
	msec_t span = 0;

	if (conf_time(text, 's', &span) < 0)
		is_wrong(s, name, text, why);
	return span;
}
