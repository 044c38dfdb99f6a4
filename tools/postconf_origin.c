/* postconf_origin.c -- postconf --origin: in which file, on which line each setting is
 * made. */
#include "postconf.h"

static void
print_setting(const struct conf_setting *s)
{
	printf(STR_FMT ":%d: " STR_FMT " = " STR_FMT "\n", STR_ARG(s->file), s->line,
		STR_ARG(s->name), STR_ARG(s->text));
}

static int
print_named(const struct conf *c, struct str name)
{
	const struct conf_setting *s = conf_setting(c, name);
	struct str text = conf_text(c, name);

	if (s && s->file.len > 0)
		print_setting(s);
	else if (text.data)
		printf("default: " STR_FMT " = " STR_FMT "\n", STR_ARG(name),
			STR_ARG(text));
	else
		postconf_warn(STR_FMT ": unknown parameter", STR_ARG(name));
	return text.data ? 0 : 1;
}

int
print_origin(char **arguments)
{
	const char *directory = NULL;
	const struct conf_setting *s;
	struct conf_issues issues;
	struct conf *c;
	size_t at = 0;
	int status = 0;

	if (arguments[0] && strcmp(arguments[0], "-c") == 0 && arguments[1]) {
		directory = arguments[1];
		arguments += 2;
	}
	conf_issues_init(&issues);
	c = conf_open(conf_directory(directory), STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	while (!*arguments && (s = conf_next_setting(c, &at)))
		if (s->file.len > 0)
			print_setting(s);
	for (; *arguments; arguments++)
		status |= print_named(c, str_c(*arguments));
	conf_free(c);
	conf_issues_free(&issues);
	return fflush(stdout) != 0 || status;
}
