/* tags.c -- see tags.h. */
#include "tags.h"

bool
tag_next(struct str *rest, struct str *name, struct str *value)
{
	struct str tag;
	ssize_t equals;

	if (rest->len == 0)
		return false;
	(void)str_split(rest, ';', &tag);
	equals = str_chr(tag, '=');
	*name = equals < 0 ? STR_NONE : str_trim(str_sub(tag, 0, (size_t)equals));
	*value = equals < 0 ? STR_NONE : str_trim(str_from(tag, (size_t)equals + 1));
	return true;
}

bool
tag_find(struct str list, const char *name, struct str *value)
{
	struct str found;

	while (tag_next(&list, &found, value))
		if (str_case_is(found, name))
			return true;
	*value = STR_NONE;
	return false;
}

/* ---- by the letter ---- */

/* tag-name = ALPHA *ALNUMPUNC */
static bool
is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_')
			return false;
	return name.len > 0 && !ascii_is_digit(name.data[0]) && name.data[0] != '_';
}

/* tag-value = [ tval *( 1*(WSP / FWS) tval ) ], tval = 1*VALCHAR: what prints, but for
 * the semicolon. */
static bool
is_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_print(value.data[i]) && !strchr("\t\r\n", value.data[i]))
			return false;
	return str_chr(value, '\0') < 0;
}

/* tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS] */
static bool
read_tag(struct str spec, struct tag *out)
{
	ssize_t equals = str_chr(spec, '=');

	if (equals < 0)
		return false;
	out->name = str_trim(str_sub(spec, 0, (size_t)equals));
	out->raw = str_from(spec, (size_t)equals + 1);
	return is_name(out->name) && is_value(out->raw);
}

static bool
has_name(const struct tags *t, struct str name)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->items[i].name, name))
			return true;
	return false;
}

/* tag-list = tag-spec *( ";" tag-spec ) [ ";" ] */
int
tags_read(struct str list, struct tags *out)
{
	struct str spec;
	struct tag tag;

	out->n = 0;
	if (list.len == 0)
		return -1;
	do {
		(void)str_split(&list, ';', &spec);
		if (!read_tag(spec, &tag) || has_name(out, tag.name) ||
			out->n == TAGS_MOST)
			return -1;
		out->items[out->n++] = tag;
	} while (str_trim(list).len > 0);
	return 0;
}

struct str
tags_raw(const struct tags *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_is(t->items[i].name, name))
			return t->items[i].raw;
	return STR_NONE;
}

struct str
tags_get(const struct tags *t, const char *name)
{
	return str_trim(tags_raw(t, name));
}

int
tags_base64(struct str value, struct buf *out)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_space(value.data[i]))
			buf_addc(&text, value.data[i]);
	return text.len > 0 ? base64_decode(buf_str(&text), out) : -1;
}
