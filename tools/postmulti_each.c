/* postmulti_each.c -- the same for each instance that is selected: a row of the list, or
 * a command in its environment. */
#include "command.h"
#include "json.h"
#include "log.h"
#include "postmulti.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The n-th in the order asked for. */
static const struct one_instance *
nth(const struct instances *all, size_t n, bool reverse)
{
	return &all->list.items[reverse ? all->list.n - 1 - n : n];
}

/* ---- -l ---- */

static struct str
or_dash(struct str name)
{
	return name.len > 0 ? name : STR("-");
}

static void
json_pair(const char *before, const char *name, struct str value)
{
	printf("%s\"%s\": ", before, name);
	json_string(stdout, value);
}

static void
list_one(const struct one_instance *i, bool json)
{
	struct str name = or_dash(i->name), group = or_dash(i->group);
	const char *enabled = i->enabled ? "y" : "n";

	if (!json) {
		printf("%-15.*s %-15.*s %-9s " STR_FMT "\n", STR_ARG(name),
			STR_ARG(group), enabled, STR_ARG(i->config));
		return;
	}
	json_pair("{", "name", name);
	json_pair(",", "group", group);
	json_pair(",", "enabled", str_c(enabled));
	json_pair(",", "config_directory", i->config);
	printf("}\n");
}

int
postmulti_list(struct instances *all, const struct postmulti *p)
{
	for (size_t n = 0; n < all->list.n; n++) {
		const struct one_instance *i = nth(all, n, p->reverse);

		if (instance_is_selected(i, &p->selection))
			list_one(i, p->json);
	}
	if (fflush(stdout) != 0)
		log_fatal("error writing output: %m");
	return 0;
}

/* ---- commands ---- */

static void
set(const char *name, struct str value)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;

	buf_add(&z, value);
	if (setenv(name, buf_cstr(&z), 1) < 0)
		log_fatal("setenv: %m");
}

char *
postmulti_program(const struct instances *all, const char *name)
{
	return arena_cstr(
		all->arena, arena_printf(all->arena, STR_FMT "/%s",
				    STR_ARG(all->conf->p.command_directory), name));
}

int
postmulti_run(const struct instances *all, struct str config, char *const argv[])
{
	pid_t pid;
	int status;

	log_flush();
	pid = command_fork(all->conf);
	if (pid == 0) {
		set("MAIL_CONFIG", config);
		execvp(argv[0], argv);
		log_fatal("execvp %s: %m", argv[0]);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* What a command sees of its instance; our own commands are found first. */
static void
describe(const struct instances *all, const struct one_instance *i)
{
	static struct str path;
	const struct params *p = &all->conf->p;

	if (!path.data)
		path = arena_printf(all->arena, STR_FMT ":%s",
			STR_ARG(p->command_directory),
			getenv("PATH") ? getenv("PATH")
				       : "/usr/sbin:/usr/bin:/sbin:/bin");
	set("PATH", path);
	set("command_directory", p->command_directory);
	set("daemon_directory", p->daemon_directory);
	set("config_directory", i->config);
	set("queue_directory", i->queue);
	set("data_directory", i->data);
	set("multi_instance_name", i->name);
	set("multi_instance_group", i->group);
	set("multi_instance_enable", i->enabled ? STR("yes") : STR("no"));
}

static void
nothing_matched(void)
{
	log_fatal("No matching instances");
}

int
postmulti_command(struct instances *all, const struct postmulti *p)
{
	int status = 0;
	bool any = false;

	for (size_t n = 0; n < all->list.n; n++) {
		const struct one_instance *i = nth(all, n, p->reverse);

		if (!instance_is_selected(i, &p->selection))
			continue;
		any = true;
		describe(all, i);
		if (postmulti_run(all, i->config, p->arguments) != 0)
			status = 1;
	}
	if (!any)
		nothing_matched();
	return status;
}

/* ---- -p ---- */

static bool
is_among(struct str list, const char *word, struct arena *a)
{
	struct strs words = conf_list(list, a);

	for (size_t i = 0; i < words.n; i++)
		if (str_is(words.items[i], word))
			return true;
	return false;
}

/* What is not enabled is checked instead of started, and left alone by commands that stop
 * or control. What was started last is stopped first. */
int
postmulti_postfix(struct instances *all, const struct postmulti *p)
{
	const struct params *c = &all->conf->p;
	const char *word = p->arguments[0];
	bool starts = is_among(c->postmulti_start_commands, word, all->arena);
	bool stops = !starts && is_among(c->postmulti_stop_commands, word, all->arena);
	bool skips = stops || (!starts && is_among(c->postmulti_control_commands, word,
						  all->arena));
	int status = 0;
	size_t count = 0;
	bool any = false;
	char **argv;

	while (p->arguments[count])
		count++;
	argv = arena_alloc(all->arena, (count + 3) * sizeof(*argv));
	argv[0] = postmulti_program(all, "postern");
	argv[1] = arena_cstr(all->arena, STR("--"));
	for (size_t n = 0; n < all->list.n; n++) {
		const struct one_instance *i = nth(all, n, stops);

		if ((skips && !i->enabled) || !instance_is_selected(i, &p->selection))
			continue;
		any = true;
		memcpy(argv + 2, p->arguments, count * sizeof(*argv));
		if (starts && !i->enabled)
			argv[2] = arena_cstr(all->arena, STR("check"));
		if (postmulti_run(all, i->config, argv) != 0)
			status = 1;
	}
	if (!any)
		nothing_matched();
	return status;
}
