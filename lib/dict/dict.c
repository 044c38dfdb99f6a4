/* dict.c -- opens tables by their "type:name" and asks them. */
#include "dict_impl.h"
#include "config.h"
#include "explain.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Every type, sorted by name. */
static const struct dict_ops *const rows[] = {
#if HAVE_DB
	&dict_btree,
#endif
	&dict_cdb,
	&dict_cidr,
	&dict_debug,
	&dict_environ,
	&dict_fail,
#if HAVE_DB
	&dict_hash,
#endif
	&dict_inline,
	&dict_internal,
	&dict_ldap,
#if HAVE_LMDB
	&dict_lmdb,
#endif
	&dict_memcache,
	&dict_mysql,
#if HAVE_PCRE2
	&dict_pcre,
#endif
	&dict_pgsql,
	&dict_pipemap,
	&dict_proxy,
	&dict_randmap,
	&dict_redis,
	&dict_regexp,
	&dict_socketmap,
	&dict_sqlite,
	&dict_static,
	&dict_tcp,
	&dict_texthash,
	&dict_unionmap,
	&dict_unix,
};

/* What a build may leave out. */
static const struct {
	const char *type, *library;
} optional[] = {
	{ "btree", "Berkeley DB" },
	{ "hash", "Berkeley DB" },
	{ "lmdb", "LMDB" },
	{ "pcre", "PCRE2" },
};

/* How often dict_changed() asks the file system. */
enum { STAT_EVERY_MS = 1000 };

const struct dict_type *
dict_type_list(size_t *n)
{
	static struct dict_type types[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++)
		types[i] = rows[i]->type;
	*n = COUNT(rows);
	return types;
}

const struct dict_ops *
dict_ops_find(struct str type)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_is(type, rows[i]->type.name))
			return rows[i];
	return NULL;
}

static void *
no_such_type(struct str type, struct why *why)
{
	for (size_t i = 0; i < COUNT(optional); i++)
		if (str_is(type, optional[i].type))
			return dict_fails(why,
				"unsupported dictionary type: %s (this Postern was built "
				"without %s)",
				optional[i].type, optional[i].library);
	return dict_fails(why, "unsupported dictionary type: %.*s", STR_ARG(type));
}

const struct dict_ops *
dict_ops_of(struct str spec, struct str *name, struct why *why)
{
	ssize_t colon = str_chr(spec, ':');
	const struct dict_ops *ops;

	if (colon <= 0 || (size_t)colon + 1 == spec.len)
		return dict_fails(why,
			"open dictionary: expecting \"type:name\" form instead of "
			"\"" STR_FMT "\"",
			STR_ARG(spec));
	*name = str_from(spec, (size_t)colon + 1);
	ops = dict_ops_find(str_sub(spec, 0, (size_t)colon));
	return ops ? ops : no_such_type(str_sub(spec, 0, (size_t)colon), why);
}

void *
dict_fails(struct why *why, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	why_set(why, "4.3.5", STR_FMT, STR_ARG(buf_str(&text)));
	return NULL;
}

void *
dict_fails_errno(struct why *why, const char *what, const char *path)
{
	return dict_fails(why, "%s %s: %s", what, path, strerror(errno));
}

/* ---- what the file looked like ---- */

void
stamp_take(struct stamp *s, int fd)
{
	s->known = fstat(fd, &s->seen) == 0;
	s->changed = false;
	s->next = deadline_in(STAT_EVERY_MS);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
is_same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that took the other's place is complete. One that is written in place, as
 * Postfix's postmap does, counts as changed once it looks the same in two checks. A file
 * that is gone for the moment has not changed: what was opened is still good, and
 * half-way through somebody's rm and mv is no time to fail. */
static bool
file_changed(const struct dict *d)
{
	struct stamp *s = d->stamp;
	struct stat now;
	bool settled;

	if (stat(d->file, &now) < 0)
		return false;
	if (!s->known || !is_same_file(&now, &s->seen))
		return true;
	if (d->ops->sees_changes || is_same_content(&now, &s->seen))
		return false;
	settled = is_same_content(&now, &s->writing);
	s->writing = now;
	return settled;
}

uid_t
dict_owner(const struct dict *d)
{
	return d->file && d->stamp->known ? d->stamp->seen.st_uid : 0;
}

bool
dict_changed(const struct dict *d)
{
	struct stamp *s = d->stamp;

	if (d->users > 0)
		return false; /* is asked about again */
	if (dict_is_told(d))
		return true;
	if (d->ops->inner_changed)
		return d->state && d->ops->inner_changed(d->state);
	if (!d->file || (d->state && !s->known))
		return false;
	if (!s->changed && deadline_passed(s->next)) {
		s->next = deadline_in(STAT_EVERY_MS);
		s->changed = file_changed(d);
	}
	return s->changed;
}

/* Could a fresh process open what this one cannot? Not when the file is the one that
 * could not be opened at the start, either. */
static bool
is_worth_a_process(const struct dict *d)
{
	struct stat now;

	return d->state || !d->file || stat(d->file, &now) < 0 ||
	       !is_same_file(&now, &d->stamp->seen) ||
	       !is_same_content(&now, &d->stamp->seen);
}

/* The new one is opened before the old one is closed: when it cannot be, the old one
 * goes on. */
bool
dict_reopen(struct dict *d)
{
	struct stamp stamp = { 0 };
	struct why why = { 0 };
	void *state = d->ops->open(d, &stamp, &why);

	if (!state) {
		d->stamp->changed = false;
		d->stamp->next = deadline_in(STAT_EVERY_MS);
		return !is_worth_a_process(d);
	}
	if (d->state)
		d->ops->close(d->state);
	d->state = state;
	*d->stamp = stamp;
	d->broken = (struct why){ 0 };
	d->opened = dict_told_calls;
	return true;
}

bool
dict_renew_one(struct dict *d)
{
	return !d || !dict_changed(d) || dict_reopen(d);
}

bool
dict_renew(void)
{
	static deadline_t next;
	static uint64_t told;
	bool well;

	if (!deadline_passed(next) && told == dict_told_calls)
		return true;
	next = deadline_in(STAT_EVERY_MS);
	told = dict_told_calls;
	well = maps_renew_all();
	return match_lists_renew_all() && well;
}

/* ---- opening and asking ---- */

/* Calls fn with each table that a parameter's value names. Whatever else the text is made
 * of, a table has its type at the front of a word. */
static void
each_table(struct str text,
	void (*fn)(const struct dict_ops *ops, struct str spec, bool proxied, void *arg),
	void *arg)
{
	struct str word, name;
	struct why why;

	while (str_token(&text, " ,{}\t\r\n", &word)) {
		const struct dict_ops *ops;
		struct str spec = word;
		bool proxied;

		while (spec.len && spec.data[0] == '!')
			spec = str_from(spec, 1);
		while (str_starts(spec, STR("debug:")))
			spec = str_from(spec, 6);
		proxied = str_starts(spec, STR("proxy:"));
		spec = dict_without_proxy(spec);
		ops = dict_ops_of(spec, &name, &why);
		if (ops)
			fn(ops, spec, proxied, arg);
	}
}

struct sought {
	struct str spec;
	bool found;
};

static void
is_sought(const struct dict_ops *ops UNUSED, struct str spec, bool proxied, void *arg)
{
	struct sought *s = arg;

	s->found |= proxied && str_eq(spec, s->spec);
}

/* Postfix's rule: a source that was changed just now may be in the hands of postmap. */
static void
warn_when_stale(const struct dict *d)
{
	enum { JUST_NOW = 100 };
	struct stat source;

	if (d->ops->build && d->stamp->known && stat(d->name, &source) == 0 &&
		source.st_mtime > d->stamp->seen.st_mtime &&
		source.st_mtime < time(NULL) - JUST_NOW)
		log_warn("database %s is older than source file %s", d->file, d->name);
}

static void
open_first(struct dict *d, struct why *why)
{
	if (d->ops->suffix)
		d->file = arena_printf(d->arena, "%s%s", d->name, d->ops->suffix).data;
	d->state = d->ops->open(d, d->stamp, why);
	if (d->state && d->file)
		warn_when_stale(d);
}

/* proxy: in front of a local table changes who opens it in Postfix, and that
 * proxy_read_maps must have it. Here it is opened in this process, but not without that
 * either. */
static bool
is_approved(const struct dict *d, struct str plain)
{
	if (!d->proxied || !dict_proxy_ask || !d->conf || d->ops == &dict_proxy)
		return true;
	return dict_is_approved(plain, d->conf);
}

bool
dict_is_approved(struct str spec, const struct conf *c)
{
	struct sought sought = { .spec = spec };

	each_table(c->p.proxy_read_maps, is_sought, &sought);
	return sought.found;
}

bool
dict_may_write(struct str spec, const struct conf *c)
{
	struct sought sought = { .spec = dict_without_proxy(spec) };

	if (sought.spec.len == spec.len)
		return true;
	each_table(c->p.proxy_write_maps, is_sought, &sought);
	return sought.found;
}

struct dict *
dict_open(struct str spec, unsigned flags, const struct conf *c, struct why *why)
{
	struct str name = STR_NONE, plain = dict_without_proxy(spec);
	const struct dict_ops *ops = dict_ops_of(plain, &name, why);
	struct arena *arena;
	struct dict *d;

	if (!ops)
		return NULL;
	if ((ops->remote || flags & DICT_PASSWORDS) && dict_proxy_ask) {
		ops = &dict_proxy;
		name = plain;
	}
	arena = arena_new();
	d = arena_alloc(arena, sizeof *d);
	d->arena = arena;
	d->ops = ops;
	d->spec = arena_str(arena, spec);
	d->name = arena_cstr(arena, name);
	d->flags = flags;
	d->proxied = plain.len < spec.len && !(flags & DICT_NO_PROXY);
	d->conf = c;
	d->stamp = arena_alloc(arena, sizeof *d->stamp);
	d->opened = dict_told_calls;
	if (!d->name)
		dict_fails(why, "the name of a table holds a NUL byte");
	else if (!is_approved(d, plain))
		dict_fails(why,
			STR_FMT ": unapproved table: list proxy:" STR_FMT
				" in main.cf:proxy_read_maps",
			STR_ARG(spec), STR_ARG(plain));
	else
		open_first(d, why);
	if (!d->state) {
		d->broken = *why;
		d->stamp->next = deadline_in(STAT_EVERY_MS);
		if (d->file && stat(d->file, &d->stamp->seen) < 0)
			d->stamp->seen = (struct stat){ 0 };
		if (!d->name)
			d->name = "";
	} else {
		*why = (struct why){ 0 };
	}
	return d;
}

void
dict_close(struct dict *d)
{
	if (!d)
		return;
	if (d->state)
		d->ops->close(d->state);
	arena_free(d->arena);
}

struct str
dict_spec(const struct dict *d)
{
	return d->spec;
}

bool
dict_is_pattern(const struct dict *d)
{
	const struct dict_ops *ops = d->ops;
	struct str name;
	struct why why;

	if (ops == &dict_proxy)
		ops = dict_ops_of(str_c(d->name), &name, &why);
	return ops->type.pattern;
}

bool
dict_has_fixed_keys(const struct dict *d)
{
	if (d->ops->inner_fixed)
		return d->state && d->ops->inner_fixed(d->state);
	return !dict_is_pattern(d);
}

static bool
has_upper(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != ascii_lower(s.data[i]))
			return true;
	return false;
}

enum dict_result
dict_lookup(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	enum dict_result got;

	if (!d->state) {
		*why = d->broken;
		return DICT_ERROR;
	}
	/* A NUL is how some files end a key: within one it could only deceive. */
	if (!d->ops->type.pattern && key.len && memchr(key.data, '\0', key.len))
		return DICT_NOTFOUND;
	if ((d->flags & DICT_FOLD) && dict_has_fixed_keys(d) && has_upper(key))
		key = arena_lower(arena, key);
	d->users++;
	got = d->ops->find(d, key, arena, value, why);
	d->users--;
	return got;
}

void
dict_explain(const char *parameter, struct str table, struct str key,
	enum dict_result got, const struct str *value, const struct why *why)
{
	switch (got) {
	case DICT_FOUND:
		explain_lookup(parameter, table, key, "found", *value);
		break;
	case DICT_NOTFOUND:
		explain_lookup(parameter, table, key, "not found", STR_NONE);
		break;
	case DICT_ERROR:
		explain_lookup(parameter, table, key, "error", str_c(why->text));
		break;
	}
}

int
dict_each(struct dict *d, bool (*fn)(struct str key, struct str value, void *arg),
	void *arg)
{
	if (!d->state || !d->ops->each)
		return -1;
	return d->ops->each(d, fn, arg);
}

/* ---- paths ---- */

/* The directory of the file: a rule on the file itself would end with its first
 * replacement. */
static void
give_directory(struct str name, void (*fn)(const char *, void *), void *arg)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	ssize_t slash = str_rchr(name, '/');
	char *directory = slash < 0    ? arena_cstr(a, STR("."))
			  : slash == 0 ? arena_cstr(a, STR("/"))
				       : arena_cstr(a, str_sub(name, 0, (size_t)slash));

	if (directory)
		fn(directory, arg);
}

void
dict_paths(struct str spec, void (*fn)(const char *path, void *arg), void *arg)
{
	struct why why;
	struct str item, name = STR_NONE;

	while (braces_item(&spec, &item, &why)) {
		const struct dict_ops *ops;

		if (item.data[0] == '!')
			item = str_from(item, 1);
		while (str_starts(item, STR("proxy:")))
			item = str_from(item, 6);
		if (item.len && item.data[0] == '/') {
			give_directory(item, fn, arg);
			continue;
		}
		ops = dict_ops_of(item, &name, &why);
		if (!ops || (ops->remote && dict_proxy_ask))
			continue;
		if (ops->paths)
			ops->paths(name, fn, arg);
		else if (ops->suffix && name.len && name.data[0] != '{')
			give_directory(name, fn, arg);
	}
}

void
dict_more_paths(struct dict *d, void (*fn)(const char *path, void *arg), void *arg)
{
	if (d->state && d->ops->more_paths)
		d->ops->more_paths(d, fn, arg);
}

/* ---- by name ---- */

struct named_tables {
	bool remote_only;
	void (*fn)(struct str spec, bool proxied, void *arg);
	void *arg;
};

static void
give_named(const struct dict_ops *ops, struct str spec, bool proxied, void *arg)
{
	const struct named_tables *to = arg;

	if (ops->remote || !to->remote_only)
		to->fn(spec, proxied, to->arg);
}

void
dict_each_named(
	struct str text, void (*fn)(struct str spec, bool proxied, void *arg), void *arg)
{
	struct named_tables to = { false, fn, arg };

	each_table(text, give_named, &to);
}

void
dict_each_remote(
	struct str text, void (*fn)(struct str spec, bool proxied, void *arg), void *arg)
{
	struct named_tables to = { true, fn, arg };

	each_table(text, give_named, &to);
}

static void
is_one(struct str spec UNUSED, bool proxied UNUSED, void *arg)
{
	*(bool *)arg = true;
}

bool
dict_may_switch(struct str text)
{
	bool any = false;

	if (dict_proxy_ask)
		dict_each_remote(text, is_one, &any);
	return any;
}
