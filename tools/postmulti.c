/* postmulti -- several mail systems on one machine: what their number is, a command for
 * each of them, and how one more comes into being and goes again (postmulti(1)). */
#include "postmulti.h"
#include "command.h"
#include "log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct command_help help = {
	"postmulti -l|-p|-x|-e action [-aRjv] [-g group] [-i name] [-G group] [-I name] "
	"[command...|param=value...]",
	"does something for each instance, or changes which there are\n"
	"  -l          lists them: name, group, enabled (y or n), directory; -j: in "
	"JSON\n"
	"  -p command  postern command ... for each\n"
	"  -x command  any command for each\n"
	"  -e action   init, create, import, destroy, deport, enable, disable or assign\n"
	"  -a          all of them; with create and import: in front of the others\n"
	"  -g group    those of the group; create, import: in front of its first one\n"
	"  -i name     the one of this name or directory; - is the primary one\n"
	"  -R          in reverse order, with -l and -x\n"
	"  -G group    the group that one gets, - for none\n"
	"  -I name     the name that one gets, - for none\n"
	"  -v          accepted\n",
};

/* What the command line asks for. */
struct asked {
	char mode; /* l, p, x or e; 0: none */
	const struct postmulti_action *action;
	int modes, selections; /* how many were given */
	struct postmulti p;
};

static void
take_mode(struct asked *a, char mode, const struct postmulti_action *action)
{
	if (a->mode != mode || a->action != action)
		a->modes++;
	a->mode = mode;
	a->action = action;
}

static void
take_action(struct asked *a, const char *name)
{
	const struct postmulti_action *action = postmulti_action(name);
	struct buf names CLEANUP(buf_free) = BUF_INIT;

	postmulti_actions(&names);
	if (!action)
		log_fatal("Invalid '-e' edit action '%s'. Specify one of %s", name,
			buf_cstr(&names));
	take_mode(a, 'e', action);
}

static void
take_selection(struct asked *a, int by, const char *word)
{
	if (by != SELECT_ALL || a->p.selection.by != SELECT_ALL)
		a->selections++;
	a->p.selection.by = by;
	a->p.selection.word = str_c(word);
}

static void
take_assignment(struct str *where, char letter, const char *word)
{
	if (where->data)
		log_fatal("Specify at most one '-%c' option", letter);
	*where = strcmp(word, "-") == 0 ? STR("") : str_c(word);
}

static void
read_options(struct asked *a, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "+ae:g:i:jG:I:lpRvx")) > 0)
		switch (letter) {
		case 'a':
			take_selection(a, SELECT_ALL, NULL);
			break;
		case 'e':
			take_action(a, optarg);
			break;
		case 'g':
			take_selection(a, SELECT_GROUP, optarg);
			break;
		case 'i':
			take_selection(a, SELECT_NAME, optarg);
			break;
		case 'j':
			a->p.json = true;
			break;
		case 'G':
			take_assignment(&a->p.group, 'G', optarg);
			break;
		case 'I':
			take_assignment(&a->p.name, 'I', optarg);
			break;
		case 'l':
		case 'p':
		case 'x':
			take_mode(a, (char)letter, NULL);
			break;
		case 'R':
			a->p.reverse = !a->p.reverse;
			break;
		case 'v':
			setenv("MAIL_VERBOSE", "", 1);
			break;
		default:
			command_usage(&help);
		}
	a->p.arguments = argv + optind;
}

/* What does not go together, in Postfix's words. */
static void
check_options(const struct asked *a)
{
	bool more = a->p.arguments[0] != NULL;
	bool assigns = a->p.name.data || a->p.group.data;

	if (a->selections > 1)
		log_fatal("Specify no more than one of '-a', '-g', '-i'");
	if (a->modes != 1)
		log_fatal("Specify exactly one of '-e', '-l', '-p', '-x'");
	if (a->mode == 'l' && more)
		log_fatal("Command not allowed with '-l'");
	if ((a->mode == 'p' || a->mode == 'x') && !more)
		log_fatal("Command required with '-p' or '-x' option");
	if ((a->mode == 'p' || a->mode == 'e') && a->p.reverse)
		log_fatal("The '-p' and '-e' options preclude the use of '-R'");
	if (a->mode != 'e' && assigns)
		log_fatal("Cannot assign instance name or group without '-e assign'");
	if (a->mode == 'e' && assigns && !a->action->assigns)
		log_fatal("Cannot assign instance name or group with '-e %s'",
			a->action->name);
	if (a->mode == 'e' && more && !a->action->takes_settings)
		log_fatal("Parameter overrides not valid with '-e %s'", a->action->name);
	if (a->p.json && a->mode != 'l')
		log_fatal("JSON output available only with '-l'");
}

static void
check_directory(const char *parameter, struct str path, struct arena *a)
{
	struct stat st;

	if (!str_starts(path, STR("/")))
		return;
	if (stat(arena_cstr(a, path), &st) < 0)
		log_fatal("%s = '" STR_FMT "': directory not found: %m", parameter,
			STR_ARG(path));
	if (!S_ISDIR(st.st_mode))
		log_fatal("%s = '" STR_FMT "' is not a directory", parameter,
			STR_ARG(path));
}

/* There is one primary instance on a machine: somebody in the environment of another one,
 * such as a command of -x, does not mean to make that one the first of its own. */
static struct conf *
primary_conf(void)
{
	const char *environment = getenv("MAIL_CONFIG");

	if (environment && environment[0] &&
		strcmp(environment, conf_default_directory) != 0)
		log_fatal("Non-default configuration directory: MAIL_CONFIG=%s",
			environment);
	return command_conf(NULL);
}

int
main(int argc, char **argv)
{
	struct asked a = { 0 };
	struct instances all;
	struct conf *c;

	umask(022);
	log_open("postmulti", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	read_options(&a, argc, argv);
	check_options(&a);
	c = primary_conf();
	command_open_log(c, "postmulti");
	check_directory("command_directory", c->p.command_directory, c->arena);
	check_directory("daemon_directory", c->p.daemon_directory, c->arena);
	instances_load(&all, c);
	if (a.mode != 'e' && a.p.selection.by == SELECT_NOTHING)
		a.p.selection.by = SELECT_ALL;
	switch (a.mode) {
	case 'l':
		return postmulti_list(&all, &a.p);
	case 'p':
		return postmulti_postfix(&all, &a.p);
	case 'x':
		return postmulti_command(&all, &a.p);
	}
	ensure(a.action);
	a.action->run(&all, &a.p);
	log_flush();
	return 0;
}
