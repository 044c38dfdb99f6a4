/* database.c -- mysql:, pgsql:, sqlite: and ldap: tables. What differs between them is in
 * their modules; here are the questions, the answers and the servers. */
#include "modules.h"
#include "query.h"
#include "remote.h"
#include <stdio.h>

struct database {
	struct lookup lookup;
	struct str base; /* LDAP */
	const struct table_module *module;
	const char **values; /* of the module's settings */
	struct remote *remote;
};

/* ---- links ---- */

struct link {
	const struct table_module *module;
	void *of_module;
};

static void *
link_connect(const void *table, const char *host, struct why *why)
{
	const struct database *t = table;
	struct link *l = mem_alloc(sizeof *l);
	char error[400] = "";

	l->module = t->module;
	l->of_module = t->module->connect(t->values, host, error, sizeof error);
	if (l->of_module)
		return l;
	why_set(why, "4.3.0", "connect to %s: " STR_FMT, host,
		STR_ARG(str_trim(str_c(error))));
	mem_free(l);
	return NULL;
}

static void
link_close(void *link)
{
	struct link *l = link;

	l->module->close(l->of_module);
	mem_free(l);
}

struct quoter {
	struct link *link;
	bool failed;
};

static void
quote(struct buf *out, struct str text, void *arg)
{
	struct quoter *q = arg;
	size_t n;

	buf_need(out, 3 * text.len + 1);
	n = q->link->module->quote(
		q->link->of_module, out->data + out->len, text.data, text.len);
	if (n == (size_t)-1)
		q->failed = true;
	else
		out->len += n;
}

static bool
take_value(void *arg, const char *text, size_t len)
{
	return answer_add(arg, str_of(text, len));
}

/* A key that the server's encoding does not have cannot be in its tables. */
static enum dict_result
link_ask(void *link, const void *table, struct str key, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	const struct database *t = table;
	struct link *l = link;
	struct quoter quoter = { .link = l };
	struct quoting quoting = { quote, &quoter };
	struct buf base CLEANUP(buf_free) = BUF_INIT;
	struct buf question CLEANUP(buf_free) = BUF_INIT;
	struct answer answer = { .lookup = &t->lookup, .key = key };
	char error[400] = "";

	if (!query_expand(t->lookup.query, key, &quoting, &question) ||
		(t->base.len && !query_expand(t->base, key, &quoting, &base)) ||
		quoter.failed)
		return DICT_NOTFOUND;
	if (l->module->ask(l->of_module, buf_cstr(&base), buf_cstr(&question), take_value,
		    &answer, error, sizeof error, lost) == 0)
		return answer_end(&answer, arena, value, why);
	buf_free(&answer.text);
	why_set(why, "4.3.0", STR_FMT ": query failed: " STR_FMT, STR_ARG(t->lookup.spec),
		STR_ARG(str_trim(str_c(error))));
	return DICT_ERROR;
}

static const struct remote_ops links = { link_connect, link_ask, link_close };

/* ---- opening ---- */

/* The form that came before `query`. */
static struct str
query_of_parts(const struct settings *s, struct arena *arena)
{
	struct str table = settings_text(s, "table", NULL);
	struct str select = settings_text(s, "select_field", NULL);
	struct str where = settings_text(s, "where_field", NULL);
	struct str more = settings_text(s, "additional_conditions", "");

	if (!table.data || !select.data || !where.data)
		return STR_NONE;
	return arena_printf(arena,
		"SELECT " STR_FMT " FROM " STR_FMT " WHERE " STR_FMT " = '%%s' " STR_FMT,
		STR_ARG(select), STR_ARG(table), STR_ARG(where), STR_ARG(more));
}

static bool
read_values(struct database *t, const struct settings *s, struct dict *d, struct why *why)
{
	const struct table_setting *wanted = t->module->settings;
	size_t n = 0;

	while (wanted[n].name)
		n++;
	t->values = arena_alloc(d->arena, (n + 1) * sizeof *t->values);
	for (size_t i = 0; i < n; i++) {
		t->values[i] = settings_cstr(s, wanted[i].name, wanted[i].preset);
		if (!t->values[i]) {
			dict_fails(why, STR_FMT ": the setting %s is missing",
				STR_ARG(d->spec), wanted[i].name);
			return false;
		}
	}
	return true;
}

static struct database *
database_open(
	struct dict *d, const struct settings *s, struct str preset, struct why *why)
{
	struct database *t = arena_alloc(d->arena, sizeof *t);

	t->lookup.spec = d->spec;
	t->module = module_load(d->ops->type.name, d->conf, why);
	if (!t->module || !read_values(t, s, d, why))
		return NULL;
	if (!preset.data && !settings_text(s, "query", NULL).data)
		return dict_fails(
			why, STR_FMT ": the setting query is missing", STR_ARG(d->spec));
	return lookup_read(&t->lookup, s, preset, why) ? t : NULL;
}

static void
database_close(void *state)
{
	struct database *t = state;

	remote_free(t->remote);
	lookup_close(&t->lookup);
}

static void *
connected_to(struct database *t, const struct settings *s, struct str hosts,
	const char *retry, struct why *why)
{
	msec_t idle = settings_time(s, "idle_interval", "60s", why);
	msec_t again = settings_time(s, "retry_interval", retry, why);

	if (why->code[0]) {
		lookup_close(&t->lookup);
		return NULL;
	}
	t->remote = remote_new(&links, t->lookup.spec.data, t, hosts);
	remote_times(t->remote, idle, again);
	return t;
}

static void *
sql_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct settings *s = settings_open(d, stamp, why);
	struct database *t =
		s ? database_open(d, s, query_of_parts(s, d->arena), why) : NULL;

	return t ? connected_to(t, s, settings_text(s, "hosts", "localhost"), "60s", why)
		 : NULL;
}

/* Its server is a file (dbpath). */
static void *
sqlite_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct settings *s = settings_open(d, stamp, why);
	struct database *t =
		s ? database_open(d, s, query_of_parts(s, d->arena), why) : NULL;

	return t ? connected_to(t, s, STR("database"), "1s", why) : NULL;
}

/* "host" and a port of its own setting, unless it is a URL or names one. */
static struct str
ldap_servers(const struct settings *s, struct arena *arena)
{
	struct buf all CLEANUP(buf_free) = BUF_INIT;
	struct str hosts = settings_text(s, "server_host", "localhost"), host;
	struct str port = settings_text(s, "server_port", "389");

	while (str_token(&hosts, " ,\t\r\n", &host)) {
		if (str_find(host, STR("://")) >= 0)
			buf_printf(&all, STR_FMT " ", STR_ARG(host));
		else if (str_chr(host, ':') >= 0)
			buf_printf(&all, "ldap://" STR_FMT " ", STR_ARG(host));
		else
			buf_printf(&all, "ldap://" STR_FMT ":" STR_FMT " ", STR_ARG(host),
				STR_ARG(port));
	}
	return arena_str(arena, buf_str(&all));
}

static void *
ldap_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct settings *s = settings_open(d, stamp, why);
	struct str filter;
	struct database *t;

	if (!s)
		return NULL;
	filter = settings_text(s, "query_filter", "(mailacceptinggeneralid=%s)");
	t = database_open(d, s, filter, why);
	if (!t)
		return NULL;
	t->lookup.query = filter;
	t->base = settings_text(s, "search_base", "");
	if (!template_check(t->base, d->spec, why)) {
		lookup_close(&t->lookup);
		return NULL;
	}
	return connected_to(t, s, ldap_servers(s, d->arena), "60s", why);
}

static enum dict_result
database_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct database *t = d->state;
	enum dict_result got = lookup_concerns(&t->lookup, key, why);

	return got == DICT_FOUND ? remote_find(t->remote, key, arena, value, why) : got;
}

/* SQLite's file; beside it stands its journal. */
static void
sqlite_paths(struct dict *d, void (*fn)(const char *, void *), void *arg)
{
	const struct database *t = d->state;
	struct str file = str_c(t->values[0]);
	ssize_t slash = str_rchr(file, '/');

	if (slash > 0)
		fn(arena_str(d->arena, str_sub(file, 0, (size_t)slash)).data, arg);
}

#define DATABASE(name_, open_, paths_) \
	const struct dict_ops dict_##name_ = { \
		.type = { #name_, false, false }, \
		.remote = true, \
		.module = true, \
		.suffix = "", \
		.open = open_, \
		.close = database_close, \
		.find = database_find, \
		.more_paths = paths_, \
	}
DATABASE(ldap, ldap_open, NULL);
DATABASE(mysql, sql_open, NULL);
DATABASE(pgsql, sql_open, NULL);
DATABASE(sqlite, sqlite_open, sqlite_paths);
