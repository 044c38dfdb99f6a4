/* postern_install.c -- set-permissions and upgrade-configuration, which take the names of
 * places and owners as arguments, like Postfix's post-install: what differs from main.cf
 * is written there, and then counts. Either may have the other as an argument, too. */
#include "postern.h"
#include "log.h"
#include "places.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- arguments ---- */

NORETURN static void
usage(void)
{
	fprintf(stderr, "usage: postern set-permissions | upgrade-configuration "
			"[name=value ...]\n");
	exit(1);
}

static void
require_value(const struct place *place, struct str value)
{
	bool no = str_is(value, "no");

	if (place->kind == PLACE_NAME) {
		if (value.len == 0 || no)
			log_fatal("%s: \"" STR_FMT "\" is no user or group", place->name,
				STR_ARG(value));
	} else if (!str_starts(value, STR("/")) &&
		   (!no || place->kind != PLACE_PATH_OR_NO)) {
		log_fatal("%s: \"" STR_FMT "\" should be %san absolute path name",
			place->name, STR_ARG(value),
			place->kind == PLACE_PATH_OR_NO ? "\"no\" or " : "");
	}
}

/* One argument; true: it is a setting that main.cf does not have. */
static bool
is_new_setting(const char *argument)
{
	struct str text = str_c(argument), name, value;
	ssize_t at = str_find(text, STR("="));
	const struct place *place;

	if (strpbrk(argument, " \t\n"))
		log_fatal("argument contains whitespace: '%s'", argument);
	if (at < 0)
		usage();
	name = str_sub(text, 0, (size_t)at);
	value = str_from(text, (size_t)at + 1);
	place = place_find(name);
	if (!place)
		log_fatal(STR_FMT " is no parameter of an installation", STR_ARG(name));
	require_value(place, value);
	if (str_is(name, "config_directory")) {
		if (!str_is(value, postern.directory))
			log_fatal("config_directory: name another directory with -c");
		return false;
	}
	return !str_eq(conf_value(postern.conf, place->name), value);
}

/* ---- main.cf ---- */

/* Settings from first on; NULL behind the last. */
static void
write_settings(const char **words)
{
	struct arena *arena = postern.conf->arena;
	const char *path =
		arena_cstr(arena, arena_printf(arena, STR_FMT "/postconf",
					  STR_ARG(postern.conf->p.command_directory)));
	int status = -1;
	pid_t child;

	words[0] = "postconf";
	words[1] = "-c";
	words[2] = postern.directory;
	words[3] = "-e";
	log_flush();
	child = fork();
	if (child == 0) {
		execv(path, (char *const *)(uintptr_t)words);
		log_fatal("%s: %m", path);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		log_fatal("%s/main.cf was not changed", postern.directory);
}

/* ---- the two commands ---- */

int
postern_install(void)
{
	bool permissions = false, configuration = false;
	const char **words = arena_alloc(
		postern.conf->arena, ((size_t)postern.argc + 5) * sizeof(*words));
	size_t n = 4; /* postconf -c DIRECTORY -e */
	int status = 0;

	for (int i = 0; i < postern.argc; i++) {
		if (strcmp(postern.argv[i], "set-permissions") == 0)
			permissions = true;
		else if (strcmp(postern.argv[i], "upgrade-configuration") == 0)
			configuration = true;
		else if (is_new_setting(postern.argv[i]))
			words[n++] = postern.argv[i];
	}
	words[n] = NULL;
	if (n > 4) {
		write_settings(words);
		postern_read_again();
	}
	if (permissions)
		status = postern_set_permissions();
	if (status == 0 && configuration)
		status = postern_upgrade_configuration();
	return status;
}
