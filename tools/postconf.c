/* postconf -- prints what main.cf and master.cf say, and the defaults (postconf(1)).
 *
 * Nothing here is checked as a daemon would check it: a value that no daemon takes is
 * printed as it is written. */
#include "postconf.h"
#include "dict.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
	"postconf [-dfhHnpqx] [-c directory] [-C builtin,service,user,all] [-o "
	"name=value]\n"
	"         [name ...]         parameters: value, or default (-d)\n"
	"postconf -M [-fq] [-c directory] [service[/type] ...]    lines of master.cf\n"
	"postconf -l                 locks that mailboxes can have\n"
	"postconf -m                 types of tables\n"
	"  -c  where main.cf and master.cf are       -n  only what main.cf sets\n"
	"  -C  only these kinds of names             -o  as if main.cf had this\n"
	"  -d  defaults instead of values            -p  parameters of main.cf (the "
	"default)\n"
	"  -f  long lines folded                     -q  no warnings\n"
	"  -h  values only    -H  names only         -x  with $name replaced\n";

enum mode { MODE_MAIN_CF, MODE_MASTER_CF, MODE_TYPES, MODE_LOCKS };

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
	struct line l = { .fresh = true, .most = p->options->fold ? FOLD_MAIN_CF : 0 };
	struct str value = p->options->names_only ? STR_NONE : value_of(p, n);

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
	struct service_rows rows = { .missing = false };
	struct names names = { .known = NULL };
	struct conf *c, *defaults = NULL;

	conf_issues_init(&issues);
	if (o->defaults)
		defaults = conf_open(NULL, STR_NONE, NULL, &issues);
	c = open_settings(o, &issues);
	rows_read(&rows, o->directory, a);
	names_find(&names, c, &rows, a);
	print_names(&(struct printing){ o, c, defaults ? defaults : c, &names, a });
	if (!o->quiet) {
		warn_lines(&issues);
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
	struct service_rows rows = { .missing = false };
	struct names names = { .known = NULL };
	struct conf *c;

	conf_issues_init(&issues);
	rows_read(&rows, o->directory, a);
	if (rows.missing)
		exit(1);
	rows_print(&rows, o);
	if (!o->quiet) {
		c = open_settings(o, &issues);
		names_find(&names, c, &rows, a);
		names_warn(&names, c, &rows, a);
		names_free(&names);
		conf_free(c);
	}
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

/* ---- options ---- */

static unsigned
classes_of(const char *text)
{
	static const struct {
		const char *name;
		unsigned classes;
	} words[] = { { "builtin", NAME_BUILTIN }, { "service", NAME_SERVICE },
		{ "user", NAME_USER }, { "all", NAME_ALL } };
	struct str rest = str_c(text), word;
	unsigned classes = 0;

	while (str_token(&rest, ", \t", &word)) {
		size_t i = 0;

		while (i < COUNT(words) && !str_is(word, words[i].name))
			i++;
		if (i == COUNT(words))
			postconf_fatal("unknown -C option value \"" STR_FMT
				       "\" in \"%s\"",
				STR_ARG(word), text);
		classes |= words[i].classes;
	}
	return classes;
}

static void
check_combination(const struct postconf_options *o, enum mode mode)
{
	if (o->no_names && o->names_only)
		postconf_fatal("specify one of -h -H");
	if (o->defaults && o->set_only)
		postconf_fatal("specify one of -d -n");
	if (mode == MODE_MASTER_CF && o->defaults)
		postconf_fatal("with option -M, do not specify -d");
	if (mode == MODE_MASTER_CF && o->set_only)
		postconf_fatal("with option -M, do not specify -n");
	for (size_t i = 0; i < o->overrides.n; i++)
		if (str_chr(o->overrides.items[i], '=') < 0)
			postconf_fatal("invalid parameter override: " STR_FMT
				       ": missing '=' after attribute name",
				STR_ARG(o->overrides.items[i]));
}

static enum mode
read_options(int argc, char **argv, struct postconf_options *o)
{
	enum mode mode = MODE_MAIN_CF;

	for (int c; (c = getopt(argc, argv, "+c:C:dfhHlmMno:pqvx")) != -1;) {
		switch (c) {
		case 'c':
			o->directory = optarg;
			break;
		case 'C':
			o->classes = classes_of(optarg);
			break;
		case 'd':
			o->defaults = true;
			break;
		case 'f':
			o->fold = true;
			break;
		case 'h':
			o->no_names = true;
			break;
		case 'H':
			o->names_only = true;
			break;
		case 'l':
			mode = MODE_LOCKS;
			break;
		case 'm':
			mode = MODE_TYPES;
			break;
		case 'M':
			mode = MODE_MASTER_CF;
			break;
		case 'n':
			o->set_only = true;
			break;
		case 'o':
			o->overrides.items[o->overrides.n++] = str_c(optarg);
			break;
		case 'p':
			mode = MODE_MAIN_CF;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'v':
			break;
		case 'x':
			o->expand = true;
			break;
		default:
			fputs(usage, stderr);
			exit(1);
		}
	}
	for (int i = optind; i < argc; i++)
		o->arguments.items[o->arguments.n++] = str_c(argv[i]);
	return mode;
}

int
main(int argc, char **argv)
{
	struct arena *a = arena_new();
	size_t words = (size_t)argc * sizeof(struct str);
	struct postconf_options o = { .classes = NAME_ALL };
	enum mode mode;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	o.overrides.items = arena_alloc(a, words);
	o.arguments.items = arena_alloc(a, words);
	mode = read_options(argc, argv, &o);
	check_combination(&o, mode);
	o.directory = conf_directory(o.directory);
	switch (mode) {
	case MODE_MAIN_CF:
		do_main_cf(&o);
		break;
	case MODE_MASTER_CF:
		do_master_cf(&o);
		break;
	case MODE_TYPES:
		do_types();
		break;
	case MODE_LOCKS:
		do_locks();
		break;
	}
	arena_free(a);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 1;
	return 0;
}
