/* socketmap.c -- socketmap:inet:host:port:name and socketmap:unix:path:name, Sendmail's
 * protocol: netstrings, "name key" one way, "OK value", "NOTFOUND", "TEMP text" and the
 * like the other. */
#include "remote.h"
#include "wire.h"

enum { REPLY_MOST = 100000, LENGTH_DIGITS = 10, PATIENCE_MS = 100000 };

struct socketmap {
	struct remote *remote;
	struct str map; /* its name on the server */
};

static void *
socketmap_connect(const void *table UNUSED, const char *host, struct why *why)
{
	return wire_open(host, "0", PATIENCE_MS, why);
}

static int
netstring_read(struct wire *w, struct str *text, struct why *why)
{
	struct str number, comma;
	uint64_t n;

	if (wire_until(w, ':', LENGTH_DIGITS, &number, why) < 0)
		return -1;
	if (str_to_u64(number, &n) < 0 || n > REPLY_MOST) {
		why_set(why, "4.3.0", "netstring length is bad or too large");
		return -1;
	}
	if (wire_bytes(w, (size_t)n + 1, text, why) < 0)
		return -1;
	comma = str_from(*text, (size_t)n);
	text->len = (size_t)n;
	if (comma.data[0] == ',')
		return 0;
	why_set(why, "4.3.0", "netstring format error: no comma at its end");
	return -1;
}

static enum dict_result
reply_read(struct str reply, struct arena *arena, struct str *value, struct why *why,
	bool *lost)
{
	static const char *const errors[] = { "TEMP", "TIMEOUT", "PERM" };
	ssize_t blank = str_chr(reply, ' ');
	struct str word = blank < 0 ? reply : str_sub(reply, 0, (size_t)blank);
	struct str text = blank < 0 ? STR("") : str_from(reply, (size_t)blank + 1);

	if (str_is(word, "OK")) {
		*value = arena_str(arena, text);
		return DICT_FOUND;
	}
	if (str_is(word, "NOTFOUND"))
		return DICT_NOTFOUND;
	for (size_t i = 0; i < COUNT(errors); i++)
		if (str_is(word, errors[i])) {
			why_set(why, "4.3.0", "%s error: " STR_FMT, errors[i],
				STR_ARG(text));
			return DICT_ERROR;
		}
	why_set(why, "4.3.0", "unexpected reply: \"%.*s\"", (int)MIN(reply.len, 100),
		reply.data);
	*lost = true;
	return DICT_ERROR;
}

static enum dict_result
socketmap_ask(void *link, const void *table, struct str key, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	const struct socketmap *m = table;
	struct buf ask CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	buf_printf(&ask, "%zu:" STR_FMT " ", m->map.len + 1 + key.len, STR_ARG(m->map));
	buf_add(&ask, key);
	buf_addc(&ask, ',');
	wire_begin(link, PATIENCE_MS);
	if (wire_write(link, buf_str(&ask), why) == 0 &&
		netstring_read(link, &reply, why) == 0)
		return reply_read(reply, arena, value, why, lost);
	*lost = true;
	return DICT_ERROR;
}

const struct remote_ops socketmap_remote = { socketmap_connect, socketmap_ask,
	wire_free };

static void *
socketmap_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct str name = str_c(d->name), endpoint;
	ssize_t colon = str_rchr(name, ':');
	struct socketmap *m;

	endpoint = str_sub(name, 0, colon < 0 ? 0 : (size_t)colon);
	if ((!str_starts(endpoint, STR("inet:")) &&
		    !str_starts(endpoint, STR("unix:"))) ||
		(size_t)colon + 1 == name.len)
		return dict_fails(why,
			"bad syntax: \"" STR_FMT "\"; need "
			"\"socketmap:inet:host:port:socketmap-name\" or "
			"\"socketmap:unix:pathname:socketmap-name\"",
			STR_ARG(d->spec));
	m = arena_alloc(d->arena, sizeof *m);
	m->map = str_from(name, (size_t)colon + 1);
	m->remote = remote_new(&socketmap_remote, d->spec.data, m, endpoint);
	remote_times(m->remote, REMOTE_IDLE_MS, REMOTE_SOON_MS);
	return m;
}

static void
socketmap_table_close(void *state)
{
	remote_free(((struct socketmap *)state)->remote);
}

static enum dict_result
socketmap_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	struct socketmap *m = d->state;

	return remote_find(m->remote, key, arena, value, why);
}

const struct dict_ops dict_socketmap = {
	.type = { "socketmap", true, false },
	.remote = true,
	.open = socketmap_open,
	.close = socketmap_table_close,
	.find = socketmap_find,
};
