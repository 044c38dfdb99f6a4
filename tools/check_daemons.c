/* check_daemons.c -- each service of master.cf opens its tables, certificates and lists
 * as at its start, and ends before any work: what it complains of is what it would not
 * do.
 *
 * So the check cannot know less, or other things, than the daemons themselves. */
#include "check.h"
#include "spawn.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE = 30,         /* seconds for a program that waits for something */
	OUTPUT_MOST = 1 << 20, /* of its complaints */
};

/* ---- remedies: by what is in a complaint; the first row counts ---- */

static const struct {
	const char *says;
	enum { AS_SAID, WARNING, ERROR } level;
	const char *remedy;
} remedies[] = {
	{ "unsupported dictionary type", ERROR, "use a type that postconf -m lists" },
	{ "expecting \"type:name\" form", ERROR, "write type:name, such as hash:/file" },
	{ "is older than source file", AS_SAID,
		"run postmap, or newaliases for aliases" },
	{ ".db: No such file", ERROR, "make it with postmap, or newaliases for aliases" },
	{ ".lmdb: No such file", ERROR,
		"make it with postmap, or newaliases for aliases" },
	{ ".cdb: No such file", ERROR,
		"make it with postmap, or newaliases for aliases" },
	{ "No such file or directory", ERROR, "make that file, or name another one" },
	{ "Permission denied", ERROR, "make it readable for the user that it names" },
	{ "key and certificate do not fit", ERROR,
		"use the key that the certificate was made for" },
	{ "cannot read", ERROR, "put a PEM file there" },
	{ "unknown smtpd restriction", ERROR, "smtpd(8) has those that there are" },
	{ "specify at least one working instance of", ERROR,
		"add reject_unauth_destination to smtpd_relay_restrictions" },
	{ "skipping this rule", ERROR, "correct the rule" },
	/* A distribution has examples in its master.cf that nothing uses. */
	{ "user=: unknown username", WARNING,
		"make that user, or remove the line if nothing needs it" },
};

static void
find_remedy(struct str text, bool *error, const char **remedy)
{
	*remedy = "";
	for (size_t i = 0; i < COUNT(remedies); i++)
		if (str_find(text, str_c(remedies[i].says)) >= 0) {
			if (remedies[i].level != AS_SAID)
				*error = remedies[i].level == ERROR;
			*remedy = remedies[i].remedy;
			return;
		}
}

/* ---- places: which setting is a complaint about? ---- */

struct complaint {
	const struct service_line *line;
	struct str text;
	struct str file, parameter;
	int number;
};

static bool
overrides(const struct service_line *line, struct str name)
{
	for (size_t i = 0; i < line->overrides.n; i++)
		if (str_starts(line->overrides.items[i], name) &&
			str_starts(
				str_from(line->overrides.items[i], name.len), STR("=")))
			return true;
	return false;
}

/* "pcre map /etc/postfix/access, line 3: ..." */
static bool
place_in_text(struct complaint *c)
{
	ssize_t at = str_find(c->text, STR(", line "));
	struct str number = str_from(c->text, (size_t)at + 7), digits;
	struct str file = str_sub(c->text, 0, (size_t)MAX(at, 0));
	uint64_t n;

	file = str_from(file, (size_t)(str_rchr(file, ' ') + 1));
	if (file.len == 0 || file.data[0] != '/' || !str_split(&number, ':', &digits) ||
		str_to_u64(digits, &n) < 0 || n > INT32_MAX)
		return false;
	c->file = file;
	c->number = (int)n;
	return true;
}

/* The setting whose value has a path that the complaint is about: the longest one. */
static bool
place_by_path(struct complaint *c, const struct check *k)
{
	const struct conf_setting *s;
	size_t longest = 1;

	for (size_t at = 0; (s = conf_next_setting(k->conf, &at));) {
		struct str rest = s->text, item;

		while (s->line > 0 && str_token(&rest, " \t,{}", &item)) {
			ssize_t slash = str_chr(item, '/');
			struct str path = str_from(item, (size_t)MAX(slash, 0));

			if (slash < 0 || path.len <= longest ||
				str_find(c->text, path) < 0)
				continue;
			longest = path.len;
			c->parameter = s->name;
			c->file = s->file;
			c->number = s->line;
		}
	}
	return longest > 1;
}

/* The first word that is a parameter's name. */
static bool
place_by_name(struct complaint *c, const struct check *k, struct str master_cf)
{
	struct str rest = c->text, word;

	while (str_token(&rest, " :;,()\"'=", &word)) {
		const struct conf_setting *s = conf_setting(k->conf, word);
		bool here = overrides(c->line, word);

		if (!s && !here && !conf_param(word))
			continue;
		if (!s && str_chr(word, '_') < 0)
			continue;
		c->parameter = word;
		if (!here && !s) /* its default is made of other settings */
			return place_by_path(c, k);
		c->file = here ? master_cf : s->file;
		c->number = here ? c->line->line : s->line;
		return true;
	}
	return false;
}

/* Behind the parameter's name: its default may be another one's value. */
static struct str
without_name(struct str text)
{
	ssize_t colon = str_find(text, STR(": "));

	return str_from(text, (size_t)(colon + 1));
}

/* Told before, by another program or about -o; it may have counted for less there. A
 * daemon tells the remedy of a mistake in the same line. */
static bool
was_said(struct check *k, const struct complaint *c, bool error)
{
	ssize_t remedy = str_find(c->text, STR("; "));
	struct str text = remedy < 0 ? c->text : str_sub(c->text, 0, (size_t)remedy);

	for (size_t i = 0; i < k->found.list.n; i++) {
		struct conf_issue *before = &k->found.list.items[i];

		if (before->line != c->number || !str_eq(before->file, c->file) ||
			(!str_ends(before->text, text) &&
				!str_eq(without_name(before->text),
					without_name(c->text))))
			continue;
		before->fatal = before->fatal || error;
		return true;
	}
	return false;
}

/* "smtpd: warning: TEXT" */
static void
take_complaint(struct check *k, const struct service_line *line, struct str said)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str master_cf = arena_printf(a, "%s/master.cf", k->directory);
	struct complaint c = { .line = line, .file = master_cf, .number = line->line };
	struct str program, label;
	const char *remedy;
	bool error;

	if (!str_split(&said, ':', &program) || !str_split(&said, ':', &label))
		return;
	label = str_trim(label);
	if (!str_is(label, "warning") && !str_is(label, "error") &&
		!str_is(label, "fatal"))
		return;
	error = !str_is(label, "warning");
	c.text = str_trim(said);
	if (!place_in_text(&c) && !place_by_name(&c, k, master_cf))
		place_by_path(&c, k);
	find_remedy(c.text, &error, &remedy);
	if (!was_said(k, &c, error))
		conf_issue(&k->found, error, c.file, c.number, c.parameter, remedy,
			STR_FMT, STR_ARG(c.text));
}

/* ---- a trial ---- */

NORETURN static void
become(const char *path, char **argv, int output)
{
	setenv(SPAWN_ENV, SPAWN_TRIAL, 1);
	dup2(output, STDERR_FILENO);
	alarm(PATIENCE);
	execv(path, argv);
	_exit(127);
}

/* Into a file of its own rather than a pipe: a program may leave a child behind. */
static void
try_service(struct check *k, const struct service_line *line, const char *path)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	int output CLEANUP(fd_close) = memfd_create("check", MFD_CLOEXEC);
	char **argv = service_line_argv(line, a);
	struct buf said CLEANUP(buf_free) = BUF_INIT;
	struct str rest, text;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		become(path, argv, output);
	if (output < 0 || pid < 0 || waitpid(pid, &status, 0) < 0 ||
		read_file(arena_printf(a, "/proc/self/fd/%d", output).data, OUTPUT_MOST,
			&said) < 0) {
		check_line(k, line, true, "", "trying %s: %s", path, strerror(errno));
		return;
	}
	if (WIFSIGNALED(status))
		check_line(k, line, true, "",
			"service " STR_FMT ": %s was ended by signal %d",
			STR_ARG(line->name), path, WTERMSIG(status));
	rest = buf_str(&said);
	while (str_split(&rest, '\n', &text))
		take_complaint(k, line, text);
}

static void
check_service(struct check *k, const struct service_line *line)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str directory = k->conf->p.daemon_directory;
	const char *path =
		arena_cstr(a, arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(directory),
				      STR_ARG(line->command)));
	const char *folded = conf_folded(line->command);

	if (path && access(path, X_OK) == 0)
		try_service(k, line, path);
	else if (folded)
		conf_issue(&k->notes, false,
			arena_printf(a, "%s/master.cf", k->directory), line->line,
			line->name, "the line can stay",
			"service " STR_FMT " has nothing to do: %s", STR_ARG(line->name),
			folded);
	else
		check_line(k, line, false, "remove the line if nothing needs it",
			"service " STR_FMT ": no program %s in this version: "
			"connections are turned away",
			STR_ARG(line->name), path ? path : "");
}

void
check_daemons(struct check *k)
{
	for (size_t i = 0; i < k->services->services.n; i++)
		check_service(k, &k->services->services.items[i]);
}
