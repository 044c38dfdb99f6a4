/* memcache.c -- memcache:/file: a memcached server, and a table behind it that is asked
 * for what the server has not got. Its text protocol: "get KEY", "set KEY ...". */
#include "query.h"
#include "remote.h"
#include "wire.h"
#include <stdio.h>

enum { KEY_MOST = 250 };

struct memcache {
	struct lookup lookup; /* query: the key's form */
	struct remote *remote;
	struct dict *backup; /* NULL: none */
	msec_t timeout;
	size_t line_most, data_most;
	long ttl, flags;
};

/* What one look-up says and hears: the key, and the value to be stored, if any. */
static void *
memcache_connect(const void *table, const char *host, struct why *why)
{
	const struct memcache *m = table;

	return wire_open(host, "11211", m->timeout, why);
}

static enum dict_result
bad_reply(struct str line, struct why *why, bool *lost)
{
	why_set(why, "4.3.0", "unexpected reply: \"%.*s\"", (int)MIN(line.len, 60),
		line.data);
	*lost = true;
	return DICT_ERROR;
}

/* "VALUE key flags length", the value, "END"; or "END" at once. */
static enum dict_result
reply_read(struct wire *w, const struct memcache *m, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	struct str line, rest, word, data, number = STR_NONE;
	uint64_t n;

	*lost = true;
	if (wire_line(w, m->line_most, &line, why) < 0)
		return DICT_ERROR;
	if (str_is(line, "END")) {
		*lost = false;
		return DICT_NOTFOUND;
	}
	rest = line;
	for (int i = 0; i < 4 && str_token(&rest, " ", &word); i++)
		number = word;
	if (!str_starts(line, STR("VALUE ")) || str_to_u64(number, &n) < 0 ||
		n > m->data_most)
		return bad_reply(line, why, lost);
	if (wire_bytes(w, (size_t)n, &data, why) < 0)
		return DICT_ERROR;
	*value = arena_str(arena, data);
	if (wire_line(w, 0, &line, why) < 0 || wire_line(w, m->line_most, &line, why) < 0)
		return DICT_ERROR;
	if (!str_is(line, "END"))
		return bad_reply(line, why, lost);
	*lost = false;
	return DICT_FOUND;
}

/* key: the key, or the key, a NUL, and the value that it shall get. */
static enum dict_result
memcache_ask(void *link, const void *table, struct str key, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	const struct memcache *m = table;
	struct buf ask CLEANUP(buf_free) = BUF_INIT;
	ssize_t nul = key.len ? str_chr(key, '\0') : -1;
	struct str line;

	wire_begin(link, m->timeout);
	if (nul < 0) {
		buf_printf(&ask, "get " STR_FMT "\r\n", STR_ARG(key));
		if (wire_write(link, buf_str(&ask), why) == 0)
			return reply_read(link, m, arena, value, why, lost);
	} else {
		struct str stored = str_from(key, (size_t)nul + 1);

		buf_printf(&ask, "set %.*s %ld %ld %zu\r\n", (int)nul, key.data, m->flags,
			m->ttl, stored.len);
		buf_add(&ask, stored);
		buf_addz(&ask, "\r\n");
		if (wire_write(link, buf_str(&ask), why) == 0 &&
			wire_line(link, m->line_most, &line, why) == 0)
			return str_is(line, "STORED") ? DICT_FOUND
						      : bad_reply(line, why, lost);
	}
	*lost = true;
	return DICT_ERROR;
}

const struct remote_ops memcache_remote = { memcache_connect, memcache_ask, wire_free };

static void
memcache_table_close(void *state)
{
	struct memcache *m = state;

	remote_free(m->remote);
	if (m->backup)
		dict_close(m->backup);
	lookup_close(&m->lookup);
}

static bool
open_backup(struct memcache *m, struct dict *d, struct str backup, struct why *why)
{
	if (backup.len == 0)
		return true;
	m->backup = dict_open(backup, d->flags, d->conf, why);
	return m->backup && !why->code[0];
}

static void *
memcache_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct settings *s = settings_open(d, stamp, why);
	struct memcache *m = arena_alloc(d->arena, sizeof *m);
	struct str server;

	if (!s)
		return NULL;
	m->lookup.spec = d->spec;
	if (!lookup_read(&m->lookup, s, STR("%s"), why))
		return NULL;
	m->lookup.query = settings_text(s, "key_format", "%s");
	m->timeout = settings_time(s, "timeout", "2s", why);
	m->line_most = (size_t)settings_number(s, "line_size_limit", 1024, 1, 65536, why);
	m->data_most =
		(size_t)settings_number(s, "data_size_limit", 10240, 1, 1 << 24, why);
	m->ttl = settings_number(s, "ttl", 3600, 0, INT32_MAX, why);
	m->flags = settings_number(s, "flags", 0, 0, INT32_MAX, why);
	server = settings_text(s, "memcache", "inet:localhost:11211");
	m->remote = remote_new(&memcache_remote, d->spec.data, m, server);
	remote_times(m->remote, REMOTE_IDLE_MS,
		settings_time(s, "retry_interval", "10s", why));
	if (!why->code[0] && template_check(m->lookup.query, d->spec, why) &&
		open_backup(m, d, settings_text(s, "backup", ""), why))
		return m;
	memcache_table_close(m);
	return NULL;
}

/* The protocol has no quotes. */
static bool
fits(struct str key)
{
	if (key.len == 0 || key.len > KEY_MOST)
		return false;
	for (size_t i = 0; i < key.len; i++)
		if ((unsigned char)key.data[i] <= ' ' || key.data[i] == 0x7f)
			return false;
	return true;
}

/* The server is but a cache: where there is a table behind it, that one decides, and a
 * server that is away only makes it slower. */
static enum dict_result
ask_backup(struct dict *d, struct str key, struct str cached_as, struct arena *arena,
	struct str *value, struct why *why)
{
	struct memcache *m = d->state;
	enum dict_result got = dict_lookup(m->backup, key, arena, value, why);
	struct buf set CLEANUP(buf_free) = BUF_INIT;
	struct str nothing;
	struct why unheard;

	if (got != DICT_FOUND || cached_as.len == 0 || value->len > m->data_most)
		return got;
	buf_add(&set, cached_as);
	buf_addc(&set, '\0');
	buf_add(&set, *value);
	remote_find(m->remote, buf_str(&set), arena, &nothing, &unheard);
	return got;
}

static enum dict_result
memcache_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct memcache *m = d->state;
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	enum dict_result got = lookup_concerns(&m->lookup, key, why);

	if (got != DICT_FOUND)
		return got;
	if (!query_expand(m->lookup.query, key, &quote_nothing, &name) ||
		!fits(buf_str(&name)))
		return m->backup ? ask_backup(d, key, STR(""), arena, value, why)
				 : DICT_NOTFOUND;
	got = remote_find(m->remote, buf_str(&name), arena, value, why);
	if (got == DICT_FOUND || !m->backup)
		return got;
	return ask_backup(d, key, got == DICT_NOTFOUND ? buf_str(&name) : STR(""), arena,
		value, why);
}

const struct dict_ops dict_memcache = {
	.type = { "memcache", false, false },
	.remote = true,
	.suffix = "",
	.open = memcache_open,
	.close = memcache_table_close,
	.find = memcache_find,
};
