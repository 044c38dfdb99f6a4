/* postmulti_edit.c -- how an instance comes into being, changes and goes. Main.cf files
 * are changed by postconf, which replaces them as a whole. */
#include "log.h"
#include "postmulti.h"
#include "postmulti_remove.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 16 * 1024 * 1024 };

/* ---- postconf and postern ---- */

struct settings {
	VEC(char *) list;
};

PRINTF(3, 4)
static void
add(const struct instances *all, struct settings *s, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	*vec_push(&s->list) = arena_cstr(all->arena, buf_str(&text));
}

/* postconf -e or -# for the main.cf in a directory; ends the program when it fails. */
static void
change(const struct instances *all, struct str directory, const char *how,
	struct settings *s)
{
	size_t n = s->list.n;
	char **argv = arena_alloc(all->arena, (n + 5) * sizeof(*argv));

	if (n == 0)
		return;
	argv[0] = postmulti_program(all, "postconf");
	argv[1] = arena_cstr(all->arena, STR("-c"));
	argv[2] = arena_cstr(all->arena, directory);
	argv[3] = arena_cstr(all->arena, str_c(how));
	memcpy(argv + 4, s->list.items, n * sizeof(*argv));
	if (postmulti_run(all, directory, argv) != 0)
		log_fatal("%s/main.cf was not changed", argv[2]);
	s->list.n = 0;
}

/* Its exit status. */
static int
postern(const struct instances *all, struct str directory, const char *command)
{
	char *argv[] = { postmulti_program(all, "postern"),
		arena_cstr(all->arena, STR("-c")), arena_cstr(all->arena, directory),
		arena_cstr(all->arena, str_c(command)), NULL };

	return postmulti_run(all, directory, argv);
}

/* Asked where it lies, since nothing is to be printed. */
static void
must_not_run(const struct instances *all, const struct one_instance *i)
{
	if (instance_runs(all, i))
		log_fatal("Instance '" STR_FMT "' is not stopped", STR_ARG(i->config));
}

/* ---- which there are ---- */

/* multi_instance_directories as the list has it now. Who is no instance of ours any more
 * may still be used by local submission (alternate_config_directories); who is one needs
 * no mention there. */
static void
write_list(const struct instances *all, struct str changed, bool is_deported)
{
	const struct params *p = &all->conf->p;
	struct strs others = conf_list(p->alternate_config_directories, all->arena);
	struct buf directories CLEANUP(buf_free) = BUF_INIT;
	struct buf alternate CLEANUP(buf_free) = BUF_INIT;
	struct settings s = { 0 };
	bool was_there = false;

	for (size_t n = 1; n < all->list.n; n++)
		buf_printf(&directories, " " STR_FMT, STR_ARG(all->list.items[n].config));
	for (size_t n = 0; n < others.n; n++)
		if (str_eq(others.items[n], changed))
			was_there = true;
		else
			buf_printf(&alternate, " " STR_FMT, STR_ARG(others.items[n]));
	if (is_deported)
		buf_printf(&alternate, " " STR_FMT, STR_ARG(changed));
	add(all, &s, "multi_instance_directories =%s", buf_cstr(&directories));
	if (was_there != is_deported)
		add(all, &s, "alternate_config_directories =%s", buf_cstr(&alternate));
	change(all, all->conf->directory, "-e", &s);
	vec_free(&s.list);
}

static struct one_instance *
selected(struct instances *all, const struct postmulti *p)
{
	if (p->selection.by != SELECT_NAME)
		log_fatal("Select an instance via '-i name'");
	for (size_t n = 0; n < all->list.n; n++)
		if (instance_is_selected(&all->list.items[n], &p->selection))
			return &all->list.items[n];
	log_fatal("No instance named " STR_FMT, STR_ARG(p->selection.word));
}

/* Takes it off the list. */
static struct one_instance
taken_off(struct instances *all, const struct postmulti *p)
{
	struct one_instance *i = selected(all, p), gone = *i;
	size_t behind = all->list.n - (size_t)(i - all->list.items) - 1;

	if (gone.primary)
		log_fatal("Cannot remove the primary instance");
	if (gone.enabled)
		log_fatal("Cannot remove enabled instances");
	memmove(i, i + 1, behind * sizeof(*i));
	all->list.n--;
	return gone;
}

/* In front of the first that is selected, but for the primary one; at the end when none
 * was asked for. */
static void
put_on(struct instances *all, const struct postmulti *p, const struct one_instance *i)
{
	size_t at = 1;

	while (at < all->list.n &&
		!instance_is_selected(&all->list.items[at], &p->selection))
		at++;
	if (at == all->list.n &&
		(p->selection.by == SELECT_NAME || p->selection.by == SELECT_GROUP))
		log_fatal("No matching secondary instances");
	vec_push(&all->list);
	memmove(&all->list.items[at + 1], &all->list.items[at],
		(all->list.n - 1 - at) * sizeof(*i));
	all->list.items[at] = *i;
}

/* ---- names ---- */

static bool
is_safe(struct str word)
{
	for (size_t i = 0; word.data && i < word.len; i++)
		if (!ascii_is_alnum(word.data[i]) &&
			str_chr(STR("!@%-_=+:./"), word.data[i]) < 0)
			return false;
	return true;
}

/* The name becomes a part of paths. */
static void
check_names(const struct postmulti *p)
{
	if (!is_safe(p->name))
		log_fatal("Unsafe characters in new instance name: '" STR_FMT "'",
			STR_ARG(p->name));
	if (str_chr(p->name, '/') >= 0)
		log_fatal("Illegal '/' character in new instance name: '" STR_FMT "'",
			STR_ARG(p->name));
	if (p->name.len > 0 && !str_starts(p->name, STR(INSTANCE_PREFIX)))
		log_fatal("New instance name must start with '" INSTANCE_PREFIX "'");
	if (!is_safe(p->group))
		log_fatal("Unsafe characters in '-G " STR_FMT "'", STR_ARG(p->group));
}

/* What -I and -G change of it, in its main.cf, too. */
static void
assign_names(const struct instances *all, const struct postmulti *p,
	struct one_instance *i, struct settings *s)
{
	if (p->name.data && !str_eq(p->name, i->name)) {
		i->name = p->name;
		instance_check_free(all, i);
		add(all, s, "multi_instance_name = " STR_FMT, STR_ARG(p->name));
	}
	if (p->group.data && !str_eq(p->group, i->group)) {
		i->group = p->group;
		add(all, s, "multi_instance_group = " STR_FMT, STR_ARG(p->group));
	}
}

/* ---- a new one: its places ---- */

static void
take_setting(const struct postmulti_action *action, struct str setting, bool is_new,
	struct one_instance *i)
{
	struct str value = setting, name, *to = NULL;

	if (str_chr(setting, '=') < 0 || !str_split(&value, '=', &name))
		log_fatal("Malformed parameter setting '" STR_FMT "'", STR_ARG(setting));
	name = str_trim(name);
	value = str_trim(value);
	if (str_is(name, "config_directory"))
		to = &i->config;
	else if (is_new && str_is(name, "queue_directory"))
		to = &i->queue;
	else if (is_new && str_is(name, "data_directory"))
		to = &i->data;
	else
		log_fatal("Parameter '" STR_FMT "' not valid with action %s",
			STR_ARG(name), action->name);
	if (!str_starts(value, STR("/")))
		log_fatal("Parameter setting '" STR_FMT "' is not an absolute path",
			STR_ARG(name));
	while (value.len > 1 && str_ends(value, STR("/")))
		value.len--;
	if (value.len == 1)
		log_fatal("Parameter setting '" STR_FMT "' is the root directory",
			STR_ARG(name));
	*to = value;
}

/* Beside the primary one's, under the new name. */
static struct str
place_beside(const struct instances *all, const char *parameter, struct str primary,
	struct str name)
{
	if (name.len == 0)
		log_fatal("Missing %s parameter value", parameter);
	while (primary.len > 1 && str_ends(primary, STR("/")))
		primary.len--;
	if (!str_starts(primary, STR("/")))
		log_fatal("Invalid default %s parameter value: '" STR_FMT
			  "': specify an absolute pathname",
			parameter, STR_ARG(primary));
	return arena_printf(all->arena, STR_FMT STR_FMT,
		STR_ARG(str_sub(primary, 0, (size_t)str_rchr(primary, '/') + 1)),
		STR_ARG(name));
}

static void
find_places(struct instances *all, const struct postmulti *p, bool is_new,
	struct one_instance *i)
{
	const struct params *c = &all->conf->p;

	if (!i->config.len)
		i->config = place_beside(
			all, "config_directory", all->conf->directory, p->name);
	for (size_t n = 0; n < all->list.n; n++)
		if (str_eq(all->list.items[n].config, i->config))
			log_fatal("new config_directory=" STR_FMT
				  " is already in use by instance " STR_FMT
				  ", config_directory=" STR_FMT,
				STR_ARG(i->config), STR_ARG(i->config),
				STR_ARG(i->config));
	if (is_new && !i->queue.len)
		i->queue =
			place_beside(all, "queue_directory", c->queue_directory, p->name);
	if (is_new && !i->data.len)
		i->data = place_beside(all, "data_directory", c->data_directory, p->name);
}

/* ---- a new one: its files ---- */

static const char *
path_of(const struct instances *all, struct str directory, const char *name)
{
	return arena_cstr(all->arena,
		arena_printf(all->arena, STR_FMT "/%s", STR_ARG(directory), name));
}

static bool
has_files(const struct instances *all, const struct one_instance *i)
{
	return access(path_of(all, i->config, "main.cf"), F_OK) == 0 &&
	       access(path_of(all, i->config, "master.cf"), F_OK) == 0;
}

/* With those above it. */
static void
make_directory(const struct instances *all, struct str path, mode_t mode)
{
	for (size_t end = 1; end <= path.len; end++) {
		const char *part;

		if (end < path.len && path.data[end] != '/')
			continue;
		part = arena_cstr(all->arena, str_sub(path, 0, end));
		if (mkdir(part, end == path.len ? mode : 0755) < 0 && errno != EEXIST)
			log_fatal("mkdir %s: %m", part);
	}
}

static void
copy_file(const char *from, const char *to)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	if (read_file(from, FILE_MOST, &text) < 0)
		log_fatal("Missing prototype: %s: %m", from);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write_all(fd, buf_str(&text)) < 0 || fsync(fd) < 0)
		log_fatal("%s: %m", to);
}

/* Where programs are and who they are is the same for all instances; what the primary one
 * leaves to its defaults this one does, too. */
static void
share_settings(const struct instances *all, struct str directory)
{
	static const char *const shared[] = { "command_directory", "daemon_directory",
		"meta_directory", "shlib_directory", "mail_owner", "setgid_group",
		"net_owner", "cleanup_owner", "auth_owner", "dns_owner", "sign_owner",
		"key_owner", "sendmail_path", "mailq_path", "newaliases_path",
		"html_directory", "manpage_directory", "sample_directory",
		"readme_directory" };
	struct settings same = { 0 }, unset = { 0 };

	for (size_t i = 0; i < COUNT(shared); i++) {
		const struct conf_setting *s = conf_setting(all->conf, str_c(shared[i]));

		if (s)
			add(all, &same, "%s = " STR_FMT, shared[i], STR_ARG(s->text));
		else
			add(all, &unset, "%s", shared[i]);
	}
	change(all, directory, "-#", &unset);
	change(all, directory, "-e", &same);
	vec_free(&same.list);
	vec_free(&unset.list);
}

/* master.cf comes last: what has it is complete. A fresh instance has neither a listener
 * nor local submission, which would be those of the primary one. */
static void
make_files(const struct instances *all, const struct one_instance *i)
{
	struct str meta = all->conf->p.meta_directory;
	struct str aside = str_c(path_of(all, i->config, ".tmp"));
	const char *main_cf = path_of(all, aside, "main.cf");
	const char *master_cf = path_of(all, aside, "master.cf");
	struct settings s = { 0 };

	make_directory(all, i->config, 0755);
	make_directory(all, i->queue, 0755);
	make_directory(all, i->data, 0700);
	make_directory(all, aside, 0700);
	copy_file(path_of(all, meta, "main.cf.proto"), main_cf);
	copy_file(path_of(all, meta, "master.cf.proto"), master_cf);
	share_settings(all, aside);
	add(all, &s, "queue_directory = " STR_FMT, STR_ARG(i->queue));
	add(all, &s, "data_directory = " STR_FMT, STR_ARG(i->data));
	add(all, &s, "authorized_submit_users =");
	add(all, &s, "master_service_disable = inet");
	change(all, aside, "-e", &s);
	vec_free(&s.list);
	if (rename(main_cf, path_of(all, i->config, "main.cf")) < 0 ||
		rename(master_cf, path_of(all, i->config, "master.cf")) < 0)
		log_fatal(STR_FMT ": %m", STR_ARG(i->config));
	if (rmdir(aside.data) < 0)
		log_warn("%s: %m", aside.data);
}

/* ---- actions ---- */

static void
must_be_managed(const struct instances *all)
{
	if (all->conf->p.multi_instance_wrapper.len == 0)
		log_fatal("multi_instance_wrapper is empty, run 'postmulti -e init' "
			  "first.");
	if (!all->conf->p.multi_instance_enable)
		log_fatal("multi_instance_enable!=yes, run 'postmulti -e init' first.");
}

static void
init(struct instances *all, const struct postmulti *p)
{
	struct settings s = { 0 };

	(void)p;
	add(all, &s, "multi_instance_wrapper = ${command_directory}/postmulti -p --");
	add(all, &s, "multi_instance_enable = yes");
	change(all, all->conf->directory, "-e", &s);
	vec_free(&s.list);
}

/* The list is written before the rights are set: a stranger among configurations would be
 * treated as a mail system of its own. */
static void
add_instance(struct instances *all, const struct postmulti *p, bool is_new)
{
	const struct postmulti_action *action =
		postmulti_action(is_new ? "create" : "import");
	struct one_instance i = { .enabled = false };
	struct settings s = { 0 };
	bool is_there;

	must_be_managed(all);
	check_names(p);
	for (char **setting = p->arguments; *setting; setting++)
		take_setting(action, str_c(*setting), is_new, &i);
	find_places(all, p, is_new, &i);
	is_there = has_files(all, &i);
	if (!is_there && !is_new)
		log_fatal("'" STR_FMT "' lacks a main.cf or a master.cf file",
			STR_ARG(i.config));
	if (is_there)
		instance_load(all, &i);
	instance_check_free(all, &i);
	assign_names(all, p, &i, &s);
	put_on(all, p, &i);
	if (!is_there)
		make_files(all, &i);
	change(all, i.config, "-e", &s);
	vec_free(&s.list);
	write_list(all, i.config, false);
	if (postern(all, i.config, "set-permissions") != 0)
		log_fatal("Instance '" STR_FMT "': its rights could not be set",
			STR_ARG(i.config));
}

static void
create(struct instances *all, const struct postmulti *p)
{
	add_instance(all, p, true);
}

static void
import(struct instances *all, const struct postmulti *p)
{
	add_instance(all, p, false);
}

static void
deport(struct instances *all, const struct postmulti *p)
{
	struct one_instance i;

	must_be_managed(all);
	i = taken_off(all, p);
	must_not_run(all, &i);
	write_list(all, i.config, true);
}

static void
destroy(struct instances *all, const struct postmulti *p)
{
	struct one_instance i;

	must_be_managed(all);
	i = taken_off(all, p);
	must_not_run(all, &i);
	instance_must_be_empty(all, &i);
	write_list(all, i.config, false);
	instance_remove(all, &i);
}

static void
set_enabled(struct instances *all, const struct postmulti *p, const char *how)
{
	struct settings s = { 0 };

	must_be_managed(all);
	add(all, &s, "multi_instance_enable = %s", how);
	change(all, selected(all, p)->config, "-e", &s);
	vec_free(&s.list);
}

static void
enable(struct instances *all, const struct postmulti *p)
{
	set_enabled(all, p, "yes");
}

static void
disable(struct instances *all, const struct postmulti *p)
{
	set_enabled(all, p, "no");
}

static void
assign(struct instances *all, const struct postmulti *p)
{
	struct one_instance *i;
	struct settings s = { 0 };

	if (!p->name.data && !p->group.data)
		log_fatal("Specify new instance name or group with '-e assign'");
	must_be_managed(all);
	i = selected(all, p);
	check_names(p);
	assign_names(all, p, i, &s);
	change(all, i->config, "-e", &s);
	vec_free(&s.list);
}

static const struct postmulti_action actions[] = {
	{ "create", true, true, create },
	{ "import", true, true, import },
	{ "destroy", false, false, destroy },
	{ "deport", false, false, deport },
	{ "enable", false, false, enable },
	{ "disable", false, false, disable },
	{ "assign", true, false, assign },
	{ "init", false, false, init },
};

const struct postmulti_action *
postmulti_action(const char *name)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

void
postmulti_actions(struct buf *out)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		buf_printf(out, "%s%s", i ? ", " : "", actions[i].name);
}
