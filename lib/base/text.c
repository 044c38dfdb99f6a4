/* text.c -- UTF-8, and strings in JSON. */
#include "base.h"

size_t
utf8_step(struct str s, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = s.len ? (unsigned char)s.data[0] : 0;
	size_t n = first < 0x80   ? 1
		   : first < 0xC2 ? 0
		   : first < 0xE0 ? 2
		   : first < 0xF0 ? 3
				  : 4;

	if (n == 0 || s.len < n || first > 0xF4)
		return 0;
	*point = n == 1 ? first : first & (0x7F >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.data[i] & 0xC0) != 0x80)
			return 0;
		*point = *point << 6 | ((unsigned char)s.data[i] & 0x3F);
	}
	if (*point < least[n] || *point > 0x10FFFF ||
		(*point >= 0xD800 && *point < 0xE000))
		return 0;
	return n;
}

static void
put_control(struct buf *out, unsigned char c)
{
	/* Pairs: the byte, and the letter that stands for it behind a backslash. */
	static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";

	for (const char *pair = short_forms; *pair; pair += 2)
		if ((unsigned char)*pair == c) {
			buf_addc(out, '\\');
			buf_addc(out, pair[1]);
			return;
		}
	buf_printf(out, "\\u%04X", c);
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void
json_put(struct buf *out, struct str s)
{
	uint32_t point;

	buf_addc(out, '"');
	while (s.len) {
		unsigned char c = (unsigned char)s.data[0];
		size_t n = 0;

		while (n < s.len && is_plain((unsigned char)s.data[n]))
			n++;
		if (n == 0 && c >= 0x80 && (n = utf8_step(s, &point)) == 0)
			buf_addz(out, "\xEF\xBF\xBD");
		else if (n == 0)
			put_control(out, c);
		buf_add(out, str_sub(s, 0, n));
		s = str_from(s, n ? n : 1);
	}
	buf_addc(out, '"');
}
