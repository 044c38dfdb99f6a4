/* braces.c -- the { } of inline:{...}, static:{...}, pcre:{{...}} and their like. */
#include "dict_impl.h"

/* The length of the {...} at the front of text; 0 when it is not closed. */
static size_t
braces_length(struct str text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '{')
			depth++;
		else if (text.data[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

bool
braces_strip(struct str text, struct str *inside)
{
	if (text.len < 2 || text.data[0] != '{' || braces_length(text) != text.len)
		return false;
	*inside = str_trim(str_sub(text, 1, text.len - 2));
	return true;
}

static bool
is_separator(char c)
{
	return c == ',' || ascii_is_space(c);
}

bool
braces_item(struct str *rest, struct str *item, struct why *why)
{
	size_t n = 0;

	while (rest->len && is_separator(rest->data[0]))
		*rest = str_from(*rest, 1);
	if (rest->len == 0)
		return false;
	while (n < rest->len && !is_separator(rest->data[n])) {
		size_t inner =
			rest->data[n] == '{' ? braces_length(str_from(*rest, n)) : 1;

		if (inner == 0) {
			why_set(why, "4.3.5", "missing '}' in \"" STR_FMT "\"",
				STR_ARG(*rest));
			return false;
		}
		n += inner;
	}
	*item = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	if (item->data[0] == '{' && braces_length(*item) != n) {
		why_set(why, "4.3.5", "syntax error after '}' in \"" STR_FMT "\"",
			STR_ARG(*item));
		return false;
	}
	return true;
}
