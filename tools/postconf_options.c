/* postconf_options.c -- the command line of postconf(1), and which options go together.
 */
#include "postconf.h"
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
	"Settings of main.cf:\n"
	"  postconf [-dfhHjnpqx] [-c dir] [-C builtin,service,user,all] [-o name=value]\n"
	"           [name ...]\n"
	"  postconf [-e] name=value ...    set     -c dir goes with all of these\n"
	"  postconf -# name ...            make comments of\n"
	"  postconf -X name ...            remove\n"
	"Services of master.cf, * stands for each:\n"
	"  postconf -M [-foqx] [service[/type] ...]\n"
	"  postconf -M[e] service/type='name type ... command'\n"
	"  postconf -M# service/type ...   postconf -MX service/type ...\n"
	"Their columns:\n"
	"  postconf -F [-fhHoqx] [service[/type[/field]] ...]\n"
	"  postconf -F[e] service/type/field=value ...\n"
	"Their own settings (-o):\n"
	"  postconf -P [-fhHoqx] [service[/type[/name]] ...]\n"
	"  postconf -P[e] service/type/name=value ...\n"
	"  postconf -PX service/type/name ...\n"
	"Others:\n"
	"  postconf -a, -A      types of SASL of servers, of clients\n"
	"  postconf -l          locks that mailboxes can have   -m  types of tables\n"
	"  postconf -b [file]   the text of notices, with $name replaced\n"
	"  postconf -t [file]   templates of notices   (bounce_template_file, or file)\n"
	"  postconf -T compile-version|run-version|public-key-algorithms\n"
	"  postconf --origin [-c dir] [name ...]  file and line of each setting\n"
	"  postconf --support [-j] [name ...]   tier, honoured or not, since when\n"
	"Printing:\n"
	"  -c  where main.cf and master.cf are       -n  only what main.cf sets\n"
	"  -C  only these kinds of names             -o  as if main.cf had this\n"
	"  -d  defaults instead of values            -p  parameters of main.cf (the "
	"default)\n"
	"  -f  long lines folded                     -q  no warnings\n"
	"  -h  values only    -H  names only         -x  with $name replaced\n"
	"  -j  an object of JSON for each line       -v  accepted\n";

static const char letters[] = "+aAbc:C:deEfFhHjlmMno:pPqtT:vxX#";

static const struct {
	char letter;
	enum postconf_mode mode;
} modes[] = {
	{ 'a', MODE_SERVER_SASL },
	{ 'A', MODE_CLIENT_SASL },
	{ 'b', MODE_NOTICES },
	{ 'F', MODE_FIELDS },
	{ 'l', MODE_LOCKS },
	{ 'm', MODE_TYPES },
	{ 'M', MODE_SERVICES },
	{ 'p', MODE_MAIN_CF },
	{ 'P', MODE_OVERRIDES },
	{ 't', MODE_TEMPLATES },
	{ 'T', MODE_TLS },
};

/* At most one of each of these can be meant. */
static const char *const rivals[] = { "aAbFlmMpPtT", "dn", "hH", "hj", "Hj" };
/* Nor does any of these go with an edit: -e, -X or -#. */
static const char edit_rivals[] = "edfhHjnoxX#";

/* What makes no sense with a mode. */
static const struct {
	char mode;
	const char *letters;
} foreign[] = { { 'a', "Cdef#hHjnoxX" }, { 'A', "Cdef#hHjnoxX" }, { 'b', "Cdef#hHjnxX" },
	{ 't', "Cdef#hHjnxX" }, { 'F', "Cdn#X" }, { 'l', "Cdef#hHjnoxX" },
	{ 'm', "Cdef#hHjnoxX" }, { 'M', "CdhHjn" }, { 'P', "djn#" },
	{ 'T', "Cdef#hHjnoxX" } };

NORETURN static void
complain(void)
{
	postconf_fatal("unknown option; postconf --help lists them");
}

static void
check_rivals(const bool *given, const char *set)
{
	char first = '\0';

	for (const char *c = set; *c; c++) {
		if (given[(unsigned char)*c] && first)
			postconf_fatal("specify one of -%c -%c", first, *c);
		if (given[(unsigned char)*c])
			first = *c;
	}
}

static void
check_together(const bool *given)
{
	for (size_t i = 0; i < COUNT(rivals); i++)
		check_rivals(given, rivals[i]);
	if (given['e'] || given['X'] || given['#'])
		check_rivals(given, edit_rivals);
	for (size_t i = 0; i < COUNT(foreign); i++)
		for (const char *c = foreign[i].letters;
			given[(unsigned char)foreign[i].mode] && *c; c++)
			if (given[(unsigned char)*c])
				postconf_fatal("with option -%c, do not specify -%c",
					foreign[i].mode, *c);
}

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
add_override(struct postconf_options *o, const char *text)
{
	if (!strchr(text, '='))
		postconf_fatal("invalid parameter override: %s: missing '=' after "
			       "attribute name",
			text);
	o->overrides.items[o->overrides.n++] = str_c(text);
}

static void
read_letter(struct postconf_options *o, int letter)
{
	for (size_t i = 0; i < COUNT(modes); i++)
		if (letter == modes[i].letter)
			o->mode = modes[i].mode;
	switch (letter) {
	case '#':
		o->edit = EDIT_COMMENT;
		break;
	case 'c':
		o->directory = optarg;
		break;
	case 'C':
		o->classes = classes_of(optarg);
		break;
	case 'd':
		o->defaults = true;
		break;
	case 'e':
		o->edit = EDIT_SET;
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
	case 'j':
		o->json = true;
		break;
	case 'n':
		o->set_only = true;
		break;
	case 'o':
		add_override(o, optarg);
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'T':
		o->tls = optarg;
		break;
	case 'x':
		o->expand = true;
		break;
	case 'X':
		o->edit = EDIT_REMOVE;
		break;
	case '?':
	case 'E': /* of Postfix's, with an effect that nobody is told of */
		complain();
	}
}

/* name=value in the first place asks for an edit, even without -e. */
static bool
asks_for_edit(const struct postconf_options *o, const bool *given)
{
	bool editable = o->mode == MODE_MAIN_CF || o->mode == MODE_SERVICES ||
			o->mode == MODE_FIELDS || o->mode == MODE_OVERRIDES;

	return editable && !given['e'] && o->arguments.n > 0 &&
	       str_chr(o->arguments.items[0], '=') >= 0;
}

void
postconf_options(struct postconf_options *o, int argc, char **argv, struct arena *a)
{
	size_t words = (size_t)argc * sizeof(struct str);
	bool given[256] = { false };

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		exit(0);
	}
	o->classes = NAME_ALL;
	o->overrides.items = arena_alloc(a, words);
	o->arguments.items = arena_alloc(a, words);
	for (int c; (c = getopt(argc, argv, letters)) != -1;) {
		given[c] = true;
		read_letter(o, c);
	}
	for (int i = optind; i < argc; i++)
		o->arguments.items[o->arguments.n++] = str_c(argv[i]);
	if (asks_for_edit(o, given)) {
		given['e'] = true;
		o->edit = EDIT_SET;
	}
	check_together(given);
	if (o->edit && o->arguments.n == 0)
		postconf_fatal(o->edit == EDIT_SET ? "-e requires name=value argument"
						   : "missing service argument");
	o->directory = conf_directory(o->directory);
}
