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

/* A socket that exists keeps its addresses: what inet_interfaces says now would need the
 * port that it holds. */
static int
open_new_lines(struct fresh *f, struct master_conf *services, const struct conf *c)
{
	struct why why;

	for (size_t i = 0; i < services->services.n; i++) {
		const struct service_line *s = &services->services.items[i];
		struct line *l = lines_find(line_key(s));

		if (l)
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

	if (open_new_lines(&fresh, services, master.conf) < 0) {
		fresh_free(&fresh);
		return -1;
	}
	adopt(&fresh);
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
			worker_order(
				l->workers.items[i], CONTROL_RELOAD, master.generation);
}

/* Walks backwards: a line without workers leaves the vector at once. */
static void
change_old_lines(struct master_conf *services)
{
	for (size_t i = master.lines.n; i-- > 0;) {
		struct line *l = master.lines.items[i];
		const struct service_line *s = still_there(services, l);

		if (l->removed)
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

/* The old configuration is never freed: old lines' workers, and our own views, may point
 * into it, and reloads are few. */
void
reload_now(void)
{
	struct master_conf *services;
	struct conf *old = master.conf, *c = lines_read(&services);
	struct fresh fresh = { 0 };

	if (!c) {
		log_error("reload: the running configuration stays");
		return;
	}
	master.conf = c;
	if (open_new_lines(&fresh, services, c) < 0) {
		master.conf = old;
		fresh_free(&fresh);
		log_error("reload: the running configuration stays");
		return;
	}
	warn_interfaces(old, c);
	master.generation++;
	log_file_again();
	change_old_lines(services);
	adopt(&fresh);
	log_line(MASTER_RELOAD, str_c(conf_mail_version), str_c(master.directory));
	lines_supervise();
}
