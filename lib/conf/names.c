/* names.c -- which names a value refers to. Braces need not be matched for that: what
 * follows a $ or ${ is a name, wherever it stands. */
#include "expand.h"

static struct str
name_at(struct str s, size_t *end)
{
	size_t from = *end, to;

	for (to = from; to < s.len && (ascii_is_alnum(s.data[to]) || s.data[to] == '_');)
		to++;
	*end = to;
	return str_sub(s, from, to - from);
}

void
expand_names(struct str text, void (*fn)(struct str name, void *arg), void *arg)
{
	for (size_t i = 0; i + 1 < text.len;) {
		bool braced;
		struct str name;

		if (text.data[i++] != '$')
			continue;
		if (text.data[i] == '$') {
			i++;
			continue;
		}
		braced = text.data[i] == '{' || text.data[i] == '(';
		if (braced)
			for (i++; i < text.len && ascii_is_space(text.data[i]);)
				i++;
		name = name_at(text, &i);
		/* ${function{text}} */
		if (braced && i < text.len && text.data[i] == '{')
			continue;
		if (name.len > 0)
			fn(name, arg);
	}
}
