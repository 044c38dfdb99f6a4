/* lines.c -- the lines of master.cf and those that we add: which program, how many. */
#include "master.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- services that Postfix does not have, or can do without: there without a line of
 * their own ---- */

static const struct {
	const char *name, *program;
} built_in[] = {
	{ "broker", "broker" },
	{ "spool", "spool" },
	{ "dns", "dns" },
	{ "tlsmgr", "tlsmgr" }, /* has the keys of servers, which is new */
	{ "sasl", "sasl" },
	{ "dkimsign", "dkimsign" },
	{ "mailauth", "mailauth" },
	{ "mailauth-suspect", "mailauth" },
	{ "greylistd", "greylistd" },
	{ "stsd", "stsd" },
	/* Takes, one at a time, what was in the hands of a cleanup that crashed. */
	{ "cleanup-suspect", "cleanup" },
};

static bool
program_exists(const struct conf *c, struct str program)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	buf_add(&path, c->p.daemon_directory);
	buf_addc(&path, '/');
	buf_add(&path, program);
	return access(buf_cstr(&path), X_OK) == 0;
}

static const struct service_line *
find_service(const struct master_conf *m, const char *name)
{
	for (size_t i = 0; i < m->services.n; i++)
		if (m->services.items[i].type != SERVICE_INET &&
			str_is(m->services.items[i].name, name))
			return &m->services.items[i];
	return NULL;
}

/* A second service of a program gets the arguments that its own line gives to it. */
static void
add_built_in(struct master_conf *m, const struct conf *c)
{
	for (size_t i = 0; i < COUNT(built_in); i++) {
		struct str name = str_c(built_in[i].name);
		struct str program = str_c(built_in[i].program);
		const struct service_line *like;
		struct service_line s = { .type = SERVICE_UNIX };

		if (find_service(m, built_in[i].name) || !program_exists(c, program))
			continue;
		like = find_service(m, built_in[i].program);
		if (like)
			s.args = like->args, s.overrides = like->overrides;
		s.name = name;
		s.command = program;
		s.private_ = s.unprivileged = s.built_in = true;
		s.maxproc = 1;
		*vec_push(&m->services) = s;
	}
}

/* ---- master_service_disable: "inet", or "submission/inet" ---- */

static bool
is_disabled(const struct service_line *s, const struct strs *patterns)
{
	for (size_t i = 0; i < patterns->n; i++) {
		struct str pattern = patterns->items[i];
		ssize_t slash = str_rchr(pattern, '/');

		if (str_is(str_from(pattern, (size_t)(slash + 1)),
			    service_types[s->type]) &&
			(slash < 0 ||
				str_eq(str_sub(pattern, 0, (size_t)slash), s->name)))
			return true;
	}
	return false;
}

static void
drop_disabled(struct master_conf *m, const struct conf *c)
{
	struct strs patterns = conf_list(c->p.master_service_disable, m->arena);
	size_t kept = 0;

	for (size_t i = 0; i < m->services.n; i++)
		if (!is_disabled(&m->services.items[i], &patterns))
			m->services.items[kept++] = m->services.items[i];
	m->services.n = kept;
}

/* ---- reading ---- */

struct conf *
lines_read(struct master_conf **services)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	*services = NULL;
	c = conf_load(master.directory, STR_NONE, NULL, &issues);
	if (c && (*services = master_conf_load(master.directory, c, &issues))) {
		conf_warn_unhonoured(c, &issues);
		conf_warn_deprecated(c, &issues);
		drop_disabled(*services, c);
		add_built_in(*services, c);
	}
	conf_issues_log(&issues);
	conf_issues_free(&issues);
	if (*services)
		return c;
	conf_free(c);
	return NULL;
}

const char *
line_key(const struct service_line *s)
{
	static char key[300];

	snprintf(key, sizeof(key), "%s:%s" STR_FMT, service_types[s->type],
		s->type == SERVICE_INET ? ""
		: s->private_           ? "private/"
					: "public/",
		STR_ARG(s->name));
	return key;
}

struct line *
lines_find(const char *key)
{
	for (size_t i = 0; i < master.lines.n; i++)
		if (!master.lines.items[i]->removed &&
			strcmp(master.lines.items[i]->key, key) == 0)
			return master.lines.items[i];
	return NULL;
}

/* ---- how many processes, how many sessions (design section 4) ---- */

/* By their nature one process for everybody, whatever its number of sessions. */
static bool
serves_all_alone(struct str program)
{
	static const char *const programs[] = { "broker", "spool", "dns", "qmgr", "oqmgr",
		"pickup", "tlsmgr", "verify", "anvil", "scache", "postlogd", "postscreen",
		"flush", "metrics", "dkimsign", "greylistd", "stsd" };

	for (size_t i = 0; i < COUNT(programs); i++)
		if (str_is(program, programs[i]))
			return true;
	return false;
}

static bool
is_set(const struct conf *c, const char *name)
{
	const struct conf_setting *s;
	size_t at = 0;

	while ((s = conf_next_setting(c, &at)))
		if (str_is(s->name, name))
			return true;
	return false;
}

/* What -o of the line says about a number; the value of main.cf otherwise. */
static int64_t
own_number(const struct line *l, const char *name, int64_t value)
{
	for (size_t i = 0; i < l->conf.overrides.n; i++) {
		struct str rest = l->conf.overrides.items[i], key;
		uint64_t n;

		if (str_split(&rest, '=', &key) && str_is(str_trim(key), name) &&
			str_to_u64(str_trim(rest), &n) == 0 && n > 0 && n <= INT32_MAX)
			value = (int64_t)n;
	}
	return value;
}

/* "-" means many sessions for those who hold a client's connection, and Postfix's number
 * of deliveries for the others; default_process_limit, once set, means what it says for
 * both. With one session in a process, as in Postfix, its number is the same, too. */
static uint32_t
default_bound(const struct line *l, const struct conf *c)
{
	uint32_t limit = (uint32_t)c->p.default_process_limit;

	if (l->each == 0 || is_set(c, "default_process_limit"))
		return limit;
	return MAX(l->each * master.processors, limit);
}

static unsigned
processes(const struct line *l)
{
	if (l->alone)
		return 1;
	if (l->sessions == 0)
		return l->each ? UINT32_MAX : master.processors;
	return MAX(MIN(master.processors, l->sessions),
		l->each ? (l->sessions + l->each - 1) / l->each : 0);
}

static void
set_numbers(struct line *l, const struct conf *c)
{
	int maxproc = l->conf.maxproc;

	l->alone = serves_all_alone(l->conf.command) ||
		   (maxproc == 1 && str_is(l->conf.command, "proxymap"));
	l->each = str_is(l->conf.command, "smtpd")
			  ? (uint32_t)own_number(l, "smtpd_sessions_per_process",
				    c->p.smtpd_sessions_per_process)
			  : 0;
	l->sessions = l->alone || maxproc == 0 ? 0
		      : maxproc > 0            ? (uint32_t)maxproc
					       : default_bound(l, c);
	l->most = processes(l);
	l->daemon_timeout = str_is(l->conf.command, "qmgr") ? c->p.qmgr_daemon_timeout
			    : str_is(l->conf.command, "postscreen")
				    ? c->p.postscreen_watchdog_timeout
				    : c->p.daemon_timeout;
	l->stays = str_is(l->conf.command, "broker") ||
		   str_is(l->conf.command, "spool") || str_is(l->conf.command, "qmgr");
}

/* ---- one line ---- */

static char *
joined(struct str directory, struct str name)
{
	char *out = mem_alloc(directory.len + name.len + 2);

	memcpy(out, directory.data, directory.len);
	out[directory.len] = '/';
	memcpy(out + directory.len + 1, name.data, name.len);
	return out;
}

/* How log lines name it: the endpoint of an inet service, the socket of others. */
static void
set_places(struct line *l, const struct conf *c)
{
	struct str directory = l->conf.private_ ? STR("private") : STR("public");

	mem_free(l->path);
	mem_free(l->endpoint);
	mem_free(l->socket);
	l->socket = NULL;
	l->path = joined(c->p.daemon_directory, l->conf.command);
	if (l->conf.type == SERVICE_INET) {
		l->endpoint = strndup(l->conf.name.data, l->conf.name.len);
	} else {
		l->endpoint = joined(directory, l->conf.name);
		l->socket = joined(c->p.queue_directory, str_c(l->endpoint));
	}
}

void
line_configure(struct line *l, const struct service_line *s, struct master_conf *file)
{
	bool was_missing = l->missing;

	l->conf = *s;
	l->file = file;
	set_places(l, master.conf);
	set_numbers(l, master.conf);
	l->missing = access(l->path, X_OK) < 0;
	if (l->missing && !was_missing && !conf_folded(s->command))
		log_warn("%.*s/master.cf, line %d: service %s: no program %s in "
			 "this version: connections are turned away",
			STR_ARG(master.conf->directory), s->line, l->key, l->path);
}

struct line *
line_new(const struct service_line *s, struct master_conf *file)
{
	struct line *l = mem_alloc(sizeof(*l));

	l->key = strdup(line_key(s));
	line_configure(l, s, file);
	return l;
}

void
line_free(struct line *l)
{
	timer_cancel(&l->retry);
	timer_cancel(&l->wakeup);
	timer_cancel(&l->calm);
	sockets_close(l);
	vec_free(&l->listeners);
	vec_free(&l->workers);
	mem_free(l->key);
	mem_free(l->path);
	mem_free(l->endpoint);
	mem_free(l->socket);
	mem_free(l);
}
