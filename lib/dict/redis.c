/* redis.c -- redis:/file: one command to a Redis server, whose words are written with %s
 * and the like: "GET alias:%s", "HGET users %u", "SMEMBERS list:%s". Its protocol, RESP
 * 2, has counted strings both ways, so a key needs no quoting. */
#include "query.h"
#include "remote.h"
#include "wire.h"

enum { LINE_MOST = 1024, VALUE_MOST = 1024 * 1024, VALUES_MOST = 100000, WORDS = 16 };

struct redis {
	struct lookup lookup;
	struct remote *remote;
	struct str user, password;
	long dbname;
	msec_t timeout;
};

/* One value out of a reply: a string, nothing, a number, or that many values follow. */
enum reply { REPLY_TEXT, REPLY_NOTHING, REPLY_MANY, REPLY_ERROR, REPLY_BROKEN };

static enum reply
broken(struct why *why)
{
	why_set(why, "4.3.0", "malformed reply");
	return REPLY_BROKEN;
}

static enum reply
read_counted(struct wire *w, long n, struct str *text, struct why *why)
{
	if (n == -1)
		return REPLY_NOTHING;
	if (n < 0 || n > VALUE_MOST)
		return broken(why);
	if (wire_bytes(w, (size_t)n + 2, text, why) < 0)
		return REPLY_BROKEN;
	text->len = (size_t)n;
	return text->data[n] == '\r' && text->data[n + 1] == '\n' ? REPLY_TEXT
								  : broken(why);
}

static enum reply
read_one(struct wire *w, struct str *text, long *n, struct why *why)
{
	struct str line;
	char kind;

	if (wire_line(w, LINE_MOST, &line, why) < 0)
		return REPLY_BROKEN;
	kind = line.len ? line.data[0] : 0;
	*text = str_from(line, 1);
	switch (kind) {
	case '+':
	case ':':
		return REPLY_TEXT;
	case '-':
		why_set(why, "4.3.0", STR_FMT, STR_ARG(*text));
		return REPLY_ERROR;
	case '$':
	case '*':
		if (str_to_long(*text, n) < 0)
			return broken(why);
		if (kind == '$')
			return read_counted(w, *n, text, why);
		if (*n == -1)
			return REPLY_NOTHING;
		return *n < 0 || *n > VALUES_MOST ? broken(why) : REPLY_MANY;
	default:
		return broken(why);
	}
}

/* The whole reply must be read even when it is more than is wanted. False: it was an
 * error; the link is lost when it was not the server's own. */
static bool
read_reply(struct wire *w, struct answer *a, struct why *why, bool *lost)
{
	struct str text;
	long n, left = 1;

	for (bool outermost = true; left > 0; outermost = false, left--) {
		enum reply got = read_one(w, &text, &n, why);

		if (got == REPLY_MANY && outermost) {
			left = n + 1;
			continue;
		}
		if (got == REPLY_MANY)
			got = broken(why);
		if (got == REPLY_BROKEN || got == REPLY_ERROR) {
			*lost = got == REPLY_BROKEN || !outermost;
			return false;
		}
		if (got == REPLY_TEXT && a && !a->too_many)
			answer_add(a, text);
	}
	return true;
}

static void
put_word(struct buf *out, struct str word)
{
	buf_printf(out, "$%zu\r\n", word.len);
	buf_add(out, word);
	buf_addz(out, "\r\n");
}

/* ---- a link ---- */

static bool
say(struct wire *w, size_t n, const struct str *words, struct why *why)
{
	struct buf ask CLEANUP(buf_wipe) = BUF_INIT;
	bool lost;

	buf_printf(&ask, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++)
		put_word(&ask, words[i]);
	return wire_write(w, buf_str(&ask), why) == 0 && read_reply(w, NULL, why, &lost);
}

static bool
log_in(struct wire *w, const struct redis *t, struct why *why)
{
	struct str with_user[] = { STR("AUTH"), t->user, t->password };
	struct str without[] = { STR("AUTH"), t->password };
	struct buf number CLEANUP(buf_free) = BUF_INIT;
	struct str choose[] = { STR("SELECT"), STR_NONE };

	buf_printf(&number, "%ld", t->dbname);
	choose[1] = buf_str(&number);
	if (t->password.len &&
		!(t->user.len ? say(w, 3, with_user, why) : say(w, 2, without, why)))
		return false;
	return t->dbname == 0 || say(w, 2, choose, why);
}

static void *
redis_connect(const void *table, const char *host, struct why *why)
{
	const struct redis *t = table;
	struct wire *w = wire_open(host, "6379", t->timeout, why);

	if (!w || log_in(w, t, why))
		return w;
	wire_free(w);
	return NULL;
}

/* The words are taken apart before the key goes in: it may have blanks. False: the key
 * has not got what they ask for. */
static bool
command_put(struct buf *out, const struct lookup *l, struct str key)
{
	struct str rest = l->query, word, count = l->query;
	size_t n = 0;

	while (str_token(&count, " \t", &word))
		n++;
	buf_printf(out, "*%zu\r\n", n);
	while (str_token(&rest, " \t", &word)) {
		struct buf expanded CLEANUP(buf_free) = BUF_INIT;

		if (!query_expand(word, key, &quote_nothing, &expanded))
			return false;
		put_word(out, buf_str(&expanded));
	}
	return true;
}

static enum dict_result
redis_ask(void *link, const void *table, struct str key, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	const struct redis *t = table;
	struct buf ask CLEANUP(buf_free) = BUF_INIT;
	struct answer answer = { .lookup = &t->lookup, .key = key };

	if (!command_put(&ask, &t->lookup, key))
		return DICT_NOTFOUND;
	wire_begin(link, t->timeout);
	if (wire_write(link, buf_str(&ask), why) < 0) {
		*lost = true;
		return DICT_ERROR;
	}
	if (read_reply(link, &answer, why, lost))
		return answer_end(&answer, arena, value, why);
	buf_free(&answer.text);
	return DICT_ERROR;
}

const struct remote_ops redis_remote = { redis_connect, redis_ask, wire_free };

/* ---- the table ---- */

static void *
redis_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	const struct settings *s = settings_open(d, stamp, why);
	struct redis *t = arena_alloc(d->arena, sizeof *t);

	if (!s)
		return NULL;
	t->lookup.spec = d->spec;
	if (!lookup_read(&t->lookup, s, STR("GET %s"), why))
		return NULL;
	t->user = settings_text(s, "user", "");
	t->password = settings_text(s, "password", "");
	t->dbname = settings_number(s, "dbname", 0, 0, INT32_MAX, why);
	t->timeout = settings_time(s, "timeout", "10s", why);
	t->remote = remote_new(
		&redis_remote, d->spec.data, t, settings_text(s, "hosts", "localhost"));
	remote_times(t->remote, settings_time(s, "idle_interval", "60s", why),
		settings_time(s, "retry_interval", "60s", why));
	if (!why->code[0])
		return t;
	remote_free(t->remote);
	lookup_close(&t->lookup);
	return NULL;
}

static void
redis_table_close(void *state)
{
	struct redis *t = state;

	remote_free(t->remote);
	lookup_close(&t->lookup);
}

static enum dict_result
redis_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct redis *t = d->state;
	enum dict_result got = lookup_concerns(&t->lookup, key, why);

	return got == DICT_FOUND ? remote_find(t->remote, key, arena, value, why) : got;
}

const struct dict_ops dict_redis = {
	.type = { "redis", false, false },
	.remote = true,
	.suffix = "",
	.open = redis_open,
	.close = redis_table_close,
	.find = redis_find,
};
