/* postern_check.c -- `postern check`: everything that would go wrong at the start or when
 * mail comes, each with its place and a remedy; and what start and reload look at. */
#include "postern.h"
#include "check.h"
#include "json.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NFS_MAGIC 0x6969

/* ---- findings ---- */

void
check_parameter(struct check *k, bool error, const char *parameter, const char *remedy,
	const char *fmt, ...)
{
	const struct conf_setting *s = conf_setting(k->conf, str_c(parameter));
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	conf_issue(&k->found, error, s ? s->file : STR_NONE, s ? s->line : 0,
		str_c(parameter), remedy, "%s", buf_cstr(&text));
}

void
check_file(struct check *k, bool error, const char *path, const char *remedy,
	const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	conf_issue(&k->found, error, str_c(path), 0, STR_NONE, remedy, "%s",
		buf_cstr(&text));
}

void
check_line(struct check *k, const struct service_line *line, bool error,
	const char *remedy, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT, path CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	buf_printf(&path, "%s/master.cf", k->directory);
	conf_issue(&k->found, error, buf_str(&path), line->line, line->name, remedy, "%s",
		buf_cstr(&text));
}

static void
ignore_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

void
check_quietly(bool on)
{
	log_capture(on ? ignore_line : NULL, NULL);
}

/* ---- main.cf and master.cf ---- */

/* What -o of a line says is read by its program only. A mistake there is that service's
 * own: the others start. */
static void
check_overrides(const struct service_line *line, struct str path, struct conf_issues *out)
{
	struct conf_issues found CLEANUP(conf_issues_free);
	struct conf *c;

	conf_issues_init(&found);
	c = conf_load(postern.directory, line->name, &line->overrides, &found);
	conf_free(c);
	for (size_t i = 0; i < found.list.n; i++) {
		const struct conf_issue *issue = &found.list.items[i];

		/* Also where main.cf is well without them. */
		if (issue->file.len == 0 || issue->fatal)
			conf_issue(out, false, path, line->line, issue->parameter,
				arena_cstr(found.arena, issue->remedy),
				"service " STR_FMT ": " STR_FMT, STR_ARG(line->name),
				STR_ARG(issue->text));
	}
}

static struct master_conf *
check_services(const struct conf *c, struct conf_issues *issues)
{
	struct conf *defaults = c ? NULL : conf_open(NULL, STR_NONE, NULL, issues);
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct str path = arena_printf(a, "%s/master.cf", postern.directory);
	struct master_conf *m =
		master_conf_load(postern.directory, c ? c : defaults, issues);

	for (size_t i = 0; m && c && i < m->services.n; i++)
		if (m->services.items[i].overrides.n > 0)
			check_overrides(&m->services.items[i], path, issues);
	if (m)
		master_conf_warn(m, postern.directory, issues);
	conf_free(defaults);
	return m;
}

/* Both files. NULL: they cannot be used; what is wrong with either is in *found. */
static struct master_conf *
check_configuration(const struct conf *c, struct conf_issues *found)
{
	struct master_conf *m = check_services(c, found);

	if (c) {
		conf_warn_unhonoured(c, found);
		conf_warn_deprecated(c, found);
	}
	return c ? m : NULL;
}

/* No NFS server keeps what the log relies on: that a synced write is there for good, and
 * that a lock means something after a network failure. */
static void
check_disk(struct check *k)
{
	const struct conf *c = k->conf;
	struct statfs fs;

	if (statfs(arena_cstr(c->arena, c->p.queue_directory), &fs) == 0 &&
		fs.f_type == NFS_MAGIC)
		check_parameter(k, true, "queue_directory", "use a local disk",
			"queue_directory " STR_FMT " is on NFS",
			STR_ARG(c->p.queue_directory));
}

/* ---- telling ---- */

static int
by_place(const void *a, const void *b)
{
	const struct conf_issue *x = a, *y = b;
	int order = str_cmp(x->file, y->file);

	return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

static void
print_member(const char *name, struct str value)
{
	if (value.len == 0)
		return;
	printf(", \"%s\": ", name);
	json_string(stdout, value);
}

static void
print_json(const struct conf_issue *issue, const char *level)
{
	printf("{\"level\": \"%s\"", level);
	print_member("file", issue->file);
	if (issue->line > 0)
		printf(", \"line\": %d", issue->line);
	print_member("parameter", issue->parameter);
	print_member("text", issue->text);
	print_member("remedy", issue->remedy);
	puts("}");
}

static void
print_notes(const struct conf_issues *notes, bool json)
{
	for (size_t i = 0; i < notes->list.n; i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;

		conf_issue_show(&notes->list.items[i], &text);
		if (json)
			print_json(&notes->list.items[i], "note");
		else
			puts(buf_cstr(&text));
	}
}

static void
print_found(struct conf_issues *found, bool json)
{
	if (found->list.n > 0)
		qsort(found->list.items, found->list.n, sizeof(struct conf_issue),
			by_place);
	for (size_t i = 0; json && i < found->list.n; i++)
		print_json(&found->list.items[i],
			found->list.items[i].fatal ? "error" : "warning");
	if (!json)
		conf_issues_log(found);
}

static bool
has_option(const char *option)
{
	for (int i = 1; i < postern.argc; i++)
		if (strcmp(postern.argv[i], option) == 0)
			return true;
	return false;
}

void
check_unusable(void)
{
	struct conf_issues *found = &postern.issues;
	bool json = strcmp(postern.argv[0], "check") == 0 && has_option("--json");

	master_conf_free(check_configuration(NULL, found));
	if (!json)
		conf_issues_die(found);
	print_found(found, true);
	exit(1);
}

/* ---- all of it ---- */

static void
check_open(struct check *k, struct master_conf **services)
{
	*k = (struct check){ .directory = postern.directory,
		.conf = postern.conf,
		.owners = &postern.owners,
		.found = postern.issues };
	conf_issues_init(&k->notes);
	k->services = *services = check_configuration(postern.conf, &k->found);
	check_owners(k);
	check_disk(k);
}

static void
check_close(struct check *k, struct master_conf *services)
{
	master_conf_free(services);
	conf_issues_free(&k->found);
	conf_issues_free(&k->notes);
}

void
check_before_start(void)
{
	struct master_conf *services;
	struct check k;

	check_open(&k, &services);
	if (conf_issues_fatal(&k.found))
		conf_issues_die(&k.found);
	conf_issues_log(&k.found);
	check_close(&k, services);
}

int
postern_check(void)
{
	static void (*const parts[])(struct check * k) = { check_names, check_daemons,
		check_relay, check_domains, check_loops, check_doubles, check_routes,
		check_certificates, check_setgid, check_copies, check_queue };
	bool json = has_option("--json");
	struct master_conf *services;
	struct check k;
	struct why why;
	bool bad;

	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	check_open(&k, &services);
	for (size_t i = 0; services && i < COUNT(parts); i++)
		parts[i](&k);
	print_found(&k.found, json);
	if (postern.verbose || has_option("-v"))
		print_notes(&k.notes, json);
	bad = conf_issues_fatal(&k.found);
	check_close(&k, services);
	return bad;
}

/* ---- set-permissions ---- */

static void
give_to_group(const char *name)
{
	struct arena *arena = postern.conf->arena;
	const char *path = arena_cstr(
		arena, arena_printf(arena, STR_FMT "/%s",
			       STR_ARG(postern.conf->p.command_directory), name));

	if (chown(path, 0, postern.owners.setgid_group) < 0 || chmod(path, 02755) < 0)
		log_warn("%s: %m", path);
}

int
postern_set_permissions(void)
{
	struct why why;

	if (!postern.owners.root)
		log_fatal("only root can change owners");
	if (instance_make_directories(postern.conf, &postern.owners, &why) < 0 ||
		instance_repair_directories(postern.conf, &postern.owners, &why) < 0)
		log_fatal("%s", why.text);
	give_to_group("postdrop");
	give_to_group("postqueue");
	return 0;
}
