/* setgid.c -- see setgid.h. */
#include "setgid.h"
#include "log.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static char *
kept(const char *name)
{
	const char *value = getenv(name);

	return value ? strdup(value) : NULL;
}

void
setgid_scrub(void)
{
	struct rlimit none = { 0, 0 };
	char *config = kept("MAIL_CONFIG"), *zone = kept("TZ");

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(EX_OSERR);
	close_range(3, ~0U, 0);
	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	if (config)
		setenv("MAIL_CONFIG", config, 1);
	if (zone)
		setenv("TZ", zone, 1);
	free(config);
	free(zone);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
}

static bool
list_has(struct str list, const char *directory)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new();
	struct strs items = conf_list(list, scratch);

	for (size_t i = 0; i < items.n; i++)
		if (str_is(items.items[i], directory))
			return true;
	return false;
}

void
setgid_check_directory(const char *directory)
{
	struct conf *c;
	bool listed;

	if (strcmp(directory, conf_default_directory) == 0 || getuid() == 0 ||
		getegid() == getgid())
		return;
	c = conf_must_load(conf_default_directory, STR_NONE, NULL);
	listed = list_has(c->p.alternate_config_directories, directory) ||
		 list_has(c->p.multi_instance_directories, directory);
	conf_free(c);
	if (!listed)
		log_fatal("unauthorized configuration directory: %s: list it in "
			  "alternate_config_directories of %s/main.cf",
			directory, conf_default_directory);
}
