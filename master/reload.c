/* reload.c -- the first configuration, and each one after it. Everything is read, checked
 * and bound before anything changes; a mistake leaves all as it was. */
#include "config.h"
#include "master.h"
#include "log.h"

/* ---- sockets of lines that are new ---- */

struct fresh {
	VEC(struct line *) lines; /* not among master.lines yet, sockets open */
};

static void
fresh_free(struct fresh *f)
{
	for (size_t i = 0; i < f->lines.n; i++)
		line_free(f->lines.items[i]);
	vec_free(&f->lines);
}

static const struct instance_reload everything = { .all = true };

static bool
is_asked(const struct instance_reload *asked, const struct service_line *s)
{
	for (size_t i = 0; i < asked->services.n; i++)
		if (service_line_is(s, asked->services.items[i]))
			return true;
	return asked->all;
}

/* A socket that exists keeps its addresses: what inet_interfaces says now would need the
 * port that it holds. */
static int
open_new_lines(struct fresh *f, struct master_conf *services, const struct conf *c,
	const struct instance_reload *asked)
{
	struct why why;

	for (size_t i = 0; i < services->services.n; i++) {
		const struct service_line *s = &services->services.items[i];
		struct line *l = lines_find(line_key(s));

		if (l || !is_asked(asked, s))
			continue;
		l = line_new(s, services);
		*vec_push(&f->lines) = l;
		upgrade_take_sockets(l);
		if (l->listeners.n == 0 && sockets_open(l, c, &why) < 0) {
			log_error(STR_FMT "/master.cf, line %d: service %s: %s",
				STR_ARG(c->directory), s->line, l->key, why.text);
			return -1;
		}
	}
	return 0;
}

static void
adopt(struct fresh *f)
{
	for (size_t i = 0; i < f->lines.n; i++) {
		*vec_push(&master.lines) = f->lines.items[i];
		wakeup_configure(f->lines.items[i]);
	}
	vec_free(&f->lines);
}

/* ---- master.cf as it was ---- */

/* Lines point into the file that they were configured from: those of a reload of one
 * service, and those that are gone but for their last workers, into older ones. */
static VEC(struct master_conf *) files;

static bool
is_in_use(const struct master_conf *file)
{
	for (size_t i = 0; i < master.lines.n; i++)
		if (master.lines.items[i]->file == file)
			return true;
	return false;
}

static void
keep_file(struct master_conf *file)
{
	size_t kept = 0;

	*vec_push(&files) = file;
	for (size_t i = 0; i < files.n; i++)
		if (is_in_use(files.items[i]))
			files.items[kept++] = files.items[i];
		else
			master_conf_free(files.items[i]);
	files.n = kept;
}

/* ---- what workers read ---- */

/* They go by what was accepted, not by the files, which may be broken by the time that
 * one is started again. */
static int
accepted(const struct conf *c, const struct master_conf *services)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	int fd;

	conf_accepted_write(c, services, &text);
	fd = memfd_sealed("accepted", buf_str(&text));
	if (fd < 0)
		log_error("keeping the configuration for workers: %m");
	return fd;
}

/* ---- the first time ---- */

void
lines_supervise(void)
{
	/* broker first: the others are born with a link to it. */
	for (size_t i = 0; i < master.lines.n; i++)
		if (str_is(master.lines.items[i]->conf.command, "broker"))
			supervise(master.lines.items[i]);
	for (size_t i = 0; i < master.lines.n; i++)
		supervise(master.lines.items[i]);
}

int
lines_start(struct master_conf *services)
{
	struct fresh fresh = { 0 };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct instance_reload asked;

	/* Of a master before us: done hereby. */
	instance_take_reload(master.conf, arena, &asked);
	master.accepted = accepted(master.conf, services);
	if (master.accepted < 0 ||
		open_new_lines(&fresh, services, master.conf, &everything) < 0) {
		fresh_free(&fresh);
		return -1;
	}
	adopt(&fresh);
	keep_file(services);
	return 0;
}

/* ---- again ---- */

static const struct service_line *
still_there(const struct master_conf *services, const struct line *l)
{
	for (size_t i = 0; i < services->services.n; i++)
		if (strcmp(line_key(&services->services.items[i]), l->key) == 0)
			return &services->services.items[i];
	return NULL;
}

static void
tell_workers(struct line *l)
{
	for (size_t i = 0; i < l->workers.n; i++)
		if (!l->workers.items[i]->leaving)
			worker_reload(l->workers.items[i]);
}

/* Walks backwards: a line without workers leaves the vector at once. */
static void
change_old_lines(struct master_conf *services, const struct instance_reload *asked)
{
	for (size_t i = master.lines.n; i-- > 0;) {
		struct line *l = master.lines.items[i];
		const struct service_line *s = still_there(services, l);

		if (l->removed || !is_asked(asked, s ? s : &l->conf))
			continue;
		if (!s) {
			supervise_retire_all(l);
			continue;
		}
		line_configure(l, s, services);
		timer_cancel(&l->retry);
		wakeup_configure(l);
		tell_workers(l);
	}
}

static void
warn_interfaces(const struct conf *old, const struct conf *fresh)
{
	if (!str_eq(old->p.inet_interfaces, fresh->p.inet_interfaces) ||
		!str_eq(old->p.inet_protocols, fresh->p.inet_protocols))
		log_warn("to change inet_interfaces or inet_protocols, stop and start "
			 "Postfix");
}

static void
tell_reload(const struct instance_reload *asked)
{
	if (asked->all)
		log_line(
			MASTER_RELOAD, str_c(conf_mail_version), str_c(master.directory));
	for (size_t i = 0; !asked->all && i < asked->services.n; i++)
		log_line(MASTER_RELOAD_SERVICE, asked->services.items[i]);
}

/* One service, or a few, may be asked for alone: the others go on with what they know,
 * until a worker of theirs is started anew. */
static void
reload_services(const struct instance_reload *asked)
{
	struct master_conf *services;
	struct conf *old = master.conf, *c = lines_read(&services);
	struct fresh fresh = { 0 };
	int fd;

	if (!c) {
		log_error("reload: the running configuration stays");
		return;
	}
	master.conf = c;
	fd = accepted(c, services);
	if (fd < 0 || open_new_lines(&fresh, services, c, asked) < 0) {
		master.conf = old;
		fd_close(&fd);
		fresh_free(&fresh);
		master_conf_free(services);
		conf_free(c);
		log_error("reload: the running configuration stays");
		return;
	}
	fd_close(&master.accepted);
	master.accepted = fd;
	warn_interfaces(old, c);
	master.generation++;
	log_file_again();
	change_old_lines(services, asked);
	adopt(&fresh);
	tell_reload(asked);
	lines_supervise();
	keep_file(services);
	conf_free(old);
}

/* Who has one of these tables open opens it again, whatever its file looks like. */
static void
reload_tables(const struct strs *tables)
{
	struct buf names CLEANUP(buf_free) = BUF_INIT;
	int fd;

	for (size_t i = 0; i < tables->n; i++)
		buf_printf(&names, STR_FMT "\n", STR_ARG(tables->items[i]));
	fd = memfd_sealed("tables", buf_str(&names));
	if (fd < 0) {
		log_error("reload of tables: %m");
		return;
	}
	for (size_t i = 0; i < master.lines.n; i++)
		for (size_t j = 0; j < master.lines.items[i]->workers.n; j++)
			worker_tables(master.lines.items[i]->workers.items[j], fd);
	fd_close(&fd);
	for (size_t i = 0; i < tables->n; i++)
		log_line(MASTER_RELOAD_TABLE, tables->items[i]);
}

void
reload_now(void)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct instance_reload asked;

	instance_take_reload(master.conf, arena, &asked);
	if (asked.all || asked.services.n > 0)
		reload_services(&asked);
	if (asked.tables.n > 0)
		reload_tables(&asked.tables);
}
