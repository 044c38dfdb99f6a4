/* list.c -- list parameters and times (contract 1.3). */
#include "conf.h"

static bool
separates(char c)
{
	return c == ',' || ascii_is_space(c);
}

/* Where the item at the start of s ends: at a separator outside of braces. */
static size_t
item_length(struct str s)
{
	size_t n = 0;

	for (int level = 0; n < s.len; n++) {
		if (s.data[n] == '{')
			level++;
		else if (s.data[n] == '}' && level > 0)
			level--;
		else if (level == 0 && separates(s.data[n]))
			break;
	}
	return n;
}

static struct str
without_braces(struct str item)
{
	if (item.len < 2 || item.data[0] != '{' || item.data[item.len - 1] != '}')
		return item;
	return str_trim(str_sub(item, 1, item.len - 2));
}

struct strs
conf_list(struct str value, struct arena *a)
{
	VEC(struct str) items = { 0 };
	struct strs list = { NULL, 0 };

	for (;;) {
		size_t n;

		while (value.len > 0 && separates(value.data[0]))
			value = str_from(value, 1);
		if (value.len == 0)
			break;
		n = item_length(value);
		*vec_push(&items) = without_braces(str_sub(value, 0, n));
		value = str_from(value, n);
	}
	if (items.n > 0) {
		list.items = arena_alloc(a, items.n * sizeof(*list.items));
		memcpy(list.items, items.items, items.n * sizeof(*list.items));
		list.n = items.n;
	}
	vec_free(&items);
	return list;
}

static int64_t
seconds_in(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

/* Seconds fit an int, as Postfix's do. What follows the unit is not looked at: the
 * default of postscreen_dnsbl_max_ttl makes "1hh" out of an old setting. */
int
conf_time(struct str text, char unit, msec_t *out)
{
	int64_t scale;
	uint64_t n;
	size_t digits = 0;

	text = str_trim(text);
	if (text.len > 1 && text.data[0] == '+')
		text = str_from(text, 1);
	while (digits < text.len && ascii_is_digit(text.data[digits]))
		digits++;
	if (digits < text.len)
		unit = text.data[digits];
	scale = seconds_in(unit);
	if (scale == 0 || str_to_u64(str_sub(text, 0, digits), &n) < 0 ||
		n > (uint64_t)(INT32_MAX / scale))
		return -1;
	*out = (msec_t)n * scale * 1000;
	return 0;
}

/* "5ms" would be five minutes, for what follows the unit is not looked at. */
int
conf_time_fine(struct str text, char unit, msec_t *out)
{
	ssize_t dot = str_chr(text, '.');
	msec_t parts = 0, scale = 100;
	size_t digits = 0;
	struct str rest;

	if (dot < 0)
		return conf_time(text, unit, out);
	rest = str_trim(str_from(text, (size_t)dot + 1));
	for (; digits < rest.len && ascii_is_digit(rest.data[digits]); digits++) {
		parts += (rest.data[digits] - '0') * scale;
		scale /= 10;
	}
	if (dot == 0 || !ascii_is_digit(text.data[dot - 1]) || digits == 0 || digits > 3)
		return -1;
	rest = str_from(rest, digits);
	if (rest.len > 0 ? !str_is(rest, "s") : unit != 's')
		return -1;
	if (conf_time(str_sub(text, 0, (size_t)dot), 's', out) < 0)
		return -1;
	*out += parts;
	return 0;
}
