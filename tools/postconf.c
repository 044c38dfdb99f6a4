/* postconf -- prints what main.cf and master.cf say, and the defaults (postconf(1)).
 *
 * Nothing here is checked as a daemon would check it: a value that no daemon takes is
 * printed as it is written. */
#include "postconf.h"
#include "dict.h"
#include "json.h"
#include "net.h"
#include "sasl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- parameters ---- */

struct printing {
	const struct postconf_options *options;
	const struct conf *conf;  /* settings */
	const struct conf *shown; /* settings or defaults */
	const struct names *names;
	struct arena *arena;
};

static struct str
value_of(const struct printing *p, const struct name *n)
{
	const struct param_info *info = conf_param(n->name);
	struct str text = conf_text(p->shown, n->name), value;
	struct why why;

	if (!text.data)
		text = n->preset;
	if (!p->options->expand || (info && info->type == PT_RAW))
		return text;
	if (conf_expand(p->shown, text, p->arena, &value, &why) < 0) {
		postconf_warn("%s", why.text);
		postconf_fatal("macro processing error");
	}
	return value;
}

static void
print_name(const struct printing *p, const struct name *n)
{
	struct line l = {
		.to = stdout, .fresh = true, .most = p->options->fold ? FOLD_MAIN_CF : 0
	};
	struct str value = p->options->names_only ? STR_NONE : value_of(p, n);

	if (p->options->json) {
		putchar('{');
		json_string(stdout, n->name);
		fputs(": ", stdout);
		json_string(stdout, value);
		puts("}");
		return;
	}
	if (!p->options->no_names) {
		line_add(&l, n->name);
		if (!p->options->names_only)
			line_add(&l, STR("="));
	}
	line_add(&l, value);
	line_end(&l);
}

static bool
is_wanted(const struct printing *p, const struct name *n)
{
	if (!(n->class & p->options->classes))
		return false;
	if (p->options->set_only)
		return conf_setting(p->conf, n->name);
	/* Only settings make these names: there is no default to show. */
	return !p->options->defaults || n->class != NAME_USER;
}

static void
print_names(const struct printing *p)
{
	const struct strs *asked = &p->options->arguments;

	for (size_t i = 0; i < asked->n; i++) {
		const struct name *n = names_get(p->names, asked->items[i]);

		if (!n || (p->options->defaults && n->class == NAME_USER))
			postconf_warn(
				STR_FMT ": unknown parameter", STR_ARG(asked->items[i]));
		else if (is_wanted(p, n))
			print_name(p, n);
	}
	for (size_t i = 0; asked->n == 0 && i < p->names->list.n; i++)
		if (is_wanted(p, &p->names->list.items[i]))
			print_name(p, &p->names->list.items[i]);
}

/* Defaults can be shown where there is no main.cf. */
static bool
has_main_cf(const struct postconf_options *o)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&path, "%s/main.cf", o->directory);
	return access(buf_cstr(&path), F_OK) == 0;
}

static struct conf *
open_settings(const struct postconf_options *o, struct conf_issues *issues)
{
	const char *directory = o->defaults && !has_main_cf(o) ? NULL : o->directory;
	struct conf *c = conf_open(directory, STR_NONE, &o->overrides, issues);

	for (size_t i = 0; i < issues->list.n; i++)
		if (issues->list.items[i].fatal)
			postconf_fatal(STR_FMT, STR_ARG(issues->list.items[i].text));
	return c;
}

/* Of the lines themselves: "overriding earlier entry" and the like. */
static void
warn_lines(const struct conf_issues *issues)
{
	for (size_t i = 0; i < issues->list.n; i++)
		postconf_warn(STR_FMT, STR_ARG(issues->list.items[i].text));
}

static void
do_main_cf(const struct postconf_options *o)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct service_rows rows = { .path = STR_NONE };
	struct names names = { .known = NULL };
	struct conf *c, *defaults = NULL;

	conf_issues_init(&issues);
	if (o->defaults)
		defaults = conf_open(NULL, STR_NONE, NULL, &issues);
	c = open_settings(o, &issues);
	rows_read(&rows, o->directory, false, a);
	names_find(&names, c, &rows, a);
	print_names(&(struct printing){ o, c, defaults ? defaults : c, &names, a });
	if (!o->quiet) {
		warn_lines(&issues);
		if (!o->defaults)
			names_warn(&names, c, &rows, a);
	}
	names_free(&names);
	vec_free(&rows.list);
	conf_free(defaults);
	conf_free(c);
}

static void
do_master_cf(const struct postconf_options *o)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct service_rows rows = { .path = STR_NONE };
	struct names names = { .known = NULL };
	struct conf *c;

	conf_issues_init(&issues);
	rows_read(&rows, o->directory, true, a);
	c = open_settings(o, &issues);
	rows_print(&rows, o, c);
	if (!o->quiet) {
		warn_lines(&issues);
		names_find(&names, c, &rows, a);
		names_warn(&names, c, &rows, a);
		names_free(&names);
	}
	conf_free(c);
	vec_free(&rows.list);
}

/* ---- lists ---- */

static void
do_types(void)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	for (size_t i = 0; i < n; i++)
		puts(types[i].name);
}

static void
do_locks(void)
{
	puts("flock\nfcntl\ndotlock");
}

static void
print_word(const char *word)
{
	puts(word);
}

static int
do_tls(const char *what)
{
	if (strcmp(what, "compile-version") == 0)
		puts(tls_version_compiled());
	else if (strcmp(what, "run-version") == 0)
		puts(tls_version_running());
	else if (strcmp(what, "public-key-algorithms") == 0)
		tls_each_key_algorithm(print_word);
	else {
		postconf_warn("unknown 'postconf -T' mode: %s", what);
		return 1;
	}
	return 0;
}

static int
do_print(const struct postconf_options *o)
{
	switch (o->mode) {
	case MODE_MAIN_CF:
		do_main_cf(o);
		break;
	case MODE_SERVICES:
	case MODE_FIELDS:
	case MODE_OVERRIDES:
		do_master_cf(o);
		break;
	case MODE_TYPES:
		do_types();
		break;
	case MODE_LOCKS:
		do_locks();
		break;
	case MODE_SERVER_SASL:
		for (size_t i = 0; sasl_type(i); i++)
			puts(sasl_type(i));
		break;
	case MODE_CLIENT_SASL: /* its mechanisms, by code of ours: lib/sasl */
		puts("cyrus");
		break;
	case MODE_TEMPLATES:
	case MODE_NOTICES:
		print_templates(o);
		break;
	case MODE_TLS:
		return do_tls(o->tls);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct postconf_options o = { .mode = MODE_MAIN_CF };
	int status = 0;

	if (argc > 1 && strcmp(argv[1], "--support") == 0)
		return print_support(argv + 2);
	if (argc > 1 && strcmp(argv[1], "--origin") == 0)
		return print_origin(argv + 2);
	postconf_options(&o, argc, argv, a);
	if (!o.edit)
		status = do_print(&o);
	else if (o.mode == MODE_MAIN_CF)
		edit_main_cf(&o, a);
	else
		edit_master_cf(&o, a);
	arena_free(a);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 1;
	return status;
}
