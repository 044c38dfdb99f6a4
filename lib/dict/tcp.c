/* tcp.c -- tcp:host:port, tcp_table(5): "get KEY" is answered with 200, 500 (there is no
 * such key) or 400 (try again), and a text. Bytes that would end a line or a word travel
 * as %XX. */
#include "remote.h"
#include "wire.h"

enum { REPLY_MOST = 4096, PATIENCE_MS = 100000 };

static void
encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c <= ' ' || c == '%' || c >= 0x7f)
			buf_printf(out, "%%%02X", c);
		else
			buf_addc(out, (char)c);
	}
}

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, ascii_lower(c));

	return c && at ? (int)(at - digits) : -1;
}

static bool
decode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		int high, low;

		if (s.data[i] != '%') {
			buf_addc(out, s.data[i]);
			continue;
		}
		if (i + 2 >= s.len)
			return false;
		high = hex(s.data[i + 1]);
		low = hex(s.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

static void *
tcp_connect(const void *table UNUSED, const char *host, struct why *why)
{
	return wire_open(host, "0", PATIENCE_MS, why);
}

static enum dict_result
reply_read(struct str line, struct arena *arena, struct str *value, struct why *why,
	bool *lost)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	char kind = line.len >= 3 ? line.data[0] : 0;

	if (!kind || !ascii_is_digit(line.data[1]) || !ascii_is_digit(line.data[2]) ||
		(line.len > 3 && line.data[3] != ' ') ||
		!decode(&text, str_from(line, 4)) || !strchr("245", kind)) {
		why_set(why, "4.3.0", "bad reply: \"%.*s\"", (int)MIN(line.len, 60),
			line.data);
		*lost = true;
		return DICT_ERROR;
	}
	if (kind == '5')
		return DICT_NOTFOUND;
	if (kind == '4') {
		why_set(why, "4.3.0", STR_FMT, STR_ARG(buf_str(&text)));
		return DICT_ERROR;
	}
	*value = arena_str(arena, buf_str(&text));
	return DICT_FOUND;
}

static enum dict_result
tcp_ask(void *link, const void *table UNUSED, struct str key, struct arena *arena,
	struct str *value, struct why *why, bool *lost)
{
	struct buf ask CLEANUP(buf_free) = BUF_INIT;
	struct str line;

	buf_addz(&ask, "get ");
	encode(&ask, key);
	buf_addc(&ask, '\n');
	wire_begin(link, PATIENCE_MS);
	if (wire_write(link, buf_str(&ask), why) == 0 &&
		wire_line(link, REPLY_MOST, &line, why) == 0)
		return reply_read(line, arena, value, why, lost);
	*lost = true;
	return DICT_ERROR;
}

const struct remote_ops tcp_remote = { tcp_connect, tcp_ask, wire_free };

static void *
tcp_open(struct dict *d, struct stamp *stamp UNUSED, struct why *why)
{
	struct remote *r;

	if (!strchr(d->name, ':'))
		return dict_fails(why,
			"bad syntax: \"" STR_FMT "\"; need \"tcp:host:port\"",
			STR_ARG(d->spec));
	r = remote_new(&tcp_remote, d->spec.data, NULL, str_c(d->name));
	remote_times(r, REMOTE_IDLE_MS, REMOTE_SOON_MS);
	return r;
}

static void
tcp_table_close(void *state)
{
	remote_free(state);
}

static enum dict_result
tcp_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	return remote_find(d->state, key, arena, value, why);
}

const struct dict_ops dict_tcp = {
	.type = { "tcp", true, false },
	.remote = true,
	.open = tcp_open,
	.close = tcp_table_close,
	.find = tcp_find,
};
