/* charset.c -- see charset.h. */
#include "charset.h"

static bool
is_octal(struct str text)
{
	return text.len > 0 && text.data[0] >= '0' && text.data[0] <= '7';
}

/* What stands behind a backslash. */
static unsigned char
take_escape(struct str *text)
{
	static const char names[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *name;
	unsigned value = 0;
	char c;

	for (int digits = 0; digits < 3 && is_octal(*text); digits++) {
		value = value * 8 + (unsigned)(text->data[0] - '0');
		*text = str_from(*text, 1);
		if (digits == 2 || !is_octal(*text))
			return (unsigned char)value;
	}
	c = text->data[0];
	*text = str_from(*text, 1);
	name = c ? strchr(names, c) : NULL;
	return (unsigned char)(name ? meant[name - names] : c);
}

void
charset_parse(struct charset *set, struct str text)
{
	*set = (struct charset){ .empty = true };
	while (text.len > 0) {
		unsigned char c = (unsigned char)text.data[0];

		text = str_from(text, 1);
		if (c == '\\' && text.len > 0)
			c = take_escape(&text);
		set->has[c] = true;
		set->empty = false;
	}
}

ssize_t
charset_find(const struct charset *set, struct str text)
{
	for (size_t i = 0; !set->empty && i < text.len; i++)
		if (set->has[(unsigned char)text.data[i]])
			return (ssize_t)i;
	return -1;
}

void
charset_strip(const struct charset *set, struct str text, struct buf *out)
{
	ssize_t at;

	while ((at = charset_find(set, text)) >= 0) {
		buf_add(out, str_sub(text, 0, (size_t)at));
		text = str_from(text, (size_t)at + 1);
	}
	buf_add(out, text);
}
