/* render.c -- from a declared shape and its arguments to the text of a log line.
 *
 * Shapes are read at each use: a hundred bytes of scanning cost less than a system call
 * by two orders of magnitude, and the table stays plain text that grep finds. */
#include "log_impl.h"
#include "mailbox.h"

bool log_addresses_internal;

static const struct {
	enum log_level level;
	const char *shape;
} lines[] = {
#define LINE(id, level, nargs, shape) { LOG_##level##_LEVEL, shape },
#include "lines.def"
#undef LINE
};

const char *
log_label(enum log_level level)
{
	static const char *const labels[] = { "",
		"warning: ", "error: ", "fatal: ", "panic: " };

	return labels[level];
}

enum log_level
log_level_of(enum log_id id)
{
	return lines[id].level;
}

/* The length of the UTF-8 sequence at p that may stand in a log, or 0 (RFC 3629 section
 * 4: no overlong forms, no surrogates; C1 control characters would reach a terminal). */
static size_t
utf8_printable(const unsigned char *p, size_t left)
{
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = p[0] & (0x7f >> len);
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };

	if (p[0] < 0xc2 || p[0] > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

static bool
prints(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

void
log_put_clean(struct buf *out, struct str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.data;
	size_t i = 0, from = 0, wide;

	while (i < bytes.len) {
		if (prints(p[i])) {
			i++;
		} else if (p[i] >= 0x80 &&
			   (wide = utf8_printable(p + i, bytes.len - i))) {
			i += wide;
		} else {
			buf_add(out, str_of(p + from, i - from));
			buf_addc(out, '?');
			from = ++i;
		}
	}
	if (i > from)
		buf_add(out, str_of(p + from, i - from));
}

/* The end of an optional part. In "[[ to {a}[{b}]]]" the first ] is text. */
static bool
closes(const char *p)
{
	return p[0] == ']' && p[1] == ']' && p[2] != ']';
}

/* Behind the optional part that p stands in; counts the arguments skipped. */
static const char *
skip_optional(const char *p, const struct str **args)
{
	while (*p && !closes(p)) {
		if (*p++ == '{')
			++*args;
	}
	return *p ? p + 2 : p;
}

/* Is the argument that p stands at an address? */
static bool
is_address(const char *p)
{
	static const char *const names[] = { "{from}", "{to}", "{orig_to}" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (strncmp(p, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void
put_address(struct buf *out, struct str address)
{
	struct buf shown CLEANUP(buf_free) = BUF_INIT;

	address_put(&shown, address);
	log_put_clean(out, buf_str(&shown));
}

void
log_render_shape(const char *p, const struct str *args, struct buf *out)
{
	bool in_optional = false;

	while (*p) {
		size_t plain = strcspn(p, "{[]");

		buf_add(out, str_of(p, plain));
		p += plain;
		if (*p == '{') {
			if (is_address(p) && !log_addresses_internal)
				put_address(out, *args++);
			else
				log_put_clean(out, *args++);
			p = strchr(p, '}') + 1;
		} else if (p[0] == '[' && p[1] == '[') {
			in_optional = args->data != NULL;
			p = in_optional ? p + 2 : skip_optional(p + 2, &args);
		} else if (in_optional && closes(p)) {
			in_optional = false;
			p += 2;
		} else if (*p) {
			buf_addc(out, *p++);
		}
	}
}

void
log_render(enum log_id id, const struct str *args, struct buf *out)
{
	buf_addz(out, log_label(lines[id].level));
	log_render_shape(lines[id].shape, args, out);
}
