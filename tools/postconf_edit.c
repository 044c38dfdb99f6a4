/* postconf_edit.c -- postconf -e, -# and -X for main.cf. Comments, and all that was not
 * asked for, stay byte for byte. */
#include "postconf.h"
#include "values.h"

struct request {
	struct str name, value;
	size_t met; /* how often main.cf has it */
};
struct requests {
	VEC(struct request) list;
};

static void
check_one_line(struct str text)
{
	if (str_chr(text, '\n') >= 0)
		postconf_fatal("-e, -X, or -# accepts no multi-line input");
	if (str_starts(str_trim(text), STR("#")))
		postconf_fatal("-e, -X, or -# accepts no comment input");
}

void
edit_request(struct str text, struct str *name, struct str *value)
{
	const char *missing;

	check_one_line(text);
	missing = name_and_value(str_trim(text), name, value);
	if (missing)
		postconf_fatal("%s: \"" STR_FMT "\"", missing, STR_ARG(text));
}

static struct request *
find(struct requests *all, struct str name)
{
	for (size_t i = 0; i < all->list.n; i++)
		if (str_eq(all->list.items[i].name, name))
			return &all->list.items[i];
	return NULL;
}

static void
add_request(struct requests *all, struct str text, enum postconf_edit edit)
{
	struct request r = { .name = str_trim(text) }, *earlier;

	if (edit == EDIT_SET) {
		edit_request(text, &r.name, &r.value);
	} else {
		check_one_line(text);
		if (str_chr(text, '=') >= 0)
			postconf_fatal(
				"specify one of -e -%c", edit == EDIT_REMOVE ? 'X' : '#');
	}
	earlier = find(all, r.name);
	if (earlier && edit == EDIT_SET)
		postconf_warn("ignoring earlier request: '" STR_FMT " = " STR_FMT "'",
			STR_ARG(earlier->name), STR_ARG(earlier->value));
	if (earlier)
		earlier->value = r.value;
	else
		*vec_push(&all->list) = r;
}

static void
put_setting(FILE *out, const struct request *r)
{
	fprintf(out, STR_FMT " = " STR_FMT "\n", STR_ARG(r->name), STR_ARG(r->value));
}

static void
rewrite(struct edited_file *f, struct requests *all, enum postconf_edit edit)
{
	struct str rest = buf_str(&f->old), line, name;
	struct request *current = NULL;
	enum line_kind kind;

	for (bool inside = false; physical_line(&rest, &inside, &line, &kind);) {
		struct str words = line;

		if (kind == LINE_BEGINS && str_token(&words, " \t\r\n=", &name)) {
			current = find(all, name);
			if (current && edit == EDIT_SET)
				put_setting(f->out, current);
			if (current && current->met++ == 1)
				postconf_warn(STR_FMT ": multiple entries for \"" STR_FMT
						      "\"",
					STR_ARG(f->path), STR_ARG(name));
		}
		edited_copy(
			f, line, kind != LINE_SILENT && current ? edit : EDIT_NOTHING);
	}
}

/* The file that a setting comes from, which may be an included one; what is set nowhere
 * goes into main.cf. */
static struct str
home_of(const struct conf *c, struct str name, struct str main_cf)
{
	const struct conf_setting *s = c ? conf_setting(c, name) : NULL;

	return s && s->file.len > 0 ? s->file : main_cf;
}

static void
edit_file(struct str path, struct requests *all, enum postconf_edit edit)
{
	struct edited_file f;

	edited_open(&f, path);
	rewrite(&f, all, edit);
	for (size_t i = 0; i < all->list.n; i++)
		if (edit == EDIT_SET && all->list.items[i].met == 0)
			put_setting(f.out, &all->list.items[i]);
	edited_commit(&f);
}

void
edit_main_cf(const struct postconf_options *o, struct arena *a)
{
	struct str main_cf = arena_printf(a, "%s/main.cf", o->directory);
	struct requests all = { 0 };
	struct conf_issues issues;
	struct conf *c;

	for (size_t i = 0; i < o->arguments.n; i++)
		add_request(&all, o->arguments.items[i], o->edit);
	/* With a mistake in it: as if nothing was set in other files. */
	conf_issues_init(&issues);
	c = conf_open(o->directory, STR_NONE, NULL, &issues);
	for (size_t i = 0; i < all.list.n || i == 0; i++) {
		struct str path = all.list.n ? home_of(c, all.list.items[i].name, main_cf)
					     : main_cf;
		struct requests here = { 0 };
		bool done = false;

		for (size_t k = 0; k < all.list.n; k++) {
			if (!str_eq(home_of(c, all.list.items[k].name, main_cf), path))
				continue;
			done |= k < i;
			*vec_push(&here.list) = all.list.items[k];
		}
		if (!done)
			edit_file(path, &here, o->edit);
		vec_free(&here.list);
	}
	conf_free(c);
	conf_issues_free(&issues);
	vec_free(&all.list);
}
