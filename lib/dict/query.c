/* query.c -- see query.h. */
#include "query.h"

static void
as_it_is(struct buf *out, struct str text, void *arg UNUSED)
{
	buf_add(out, text);
}

const struct quoting quote_nothing = { as_it_is, NULL };

/* ---- templates ---- */

bool
template_check(struct str template, struct str spec, struct why *why)
{
	for (size_t i = 0; i < template.len; i++) {
		if (template.data[i] != '%')
			continue;
		i++;
		if (i < template.len && template.data[i] &&
			strchr("%sudSUD123456789", template.data[i]))
			continue;
		dict_fails(why, STR_FMT ": Invalid query/result template: " STR_FMT,
			STR_ARG(spec), STR_ARG(template));
		return false;
	}
	return true;
}

/* An address in the parts that a template can name. */
struct parts {
	struct str whole, user, domain; /* no @: user is all of it, domain none */
};

static struct parts
parts_of(struct str s)
{
	ssize_t at = str_rchr(s, '@');

	if (at < 0)
		return (struct parts){ s, s, STR_NONE };
	return (struct parts){ s, str_sub(s, 0, (size_t)at),
		str_from(s, (size_t)at + 1) };
}

/* The nth label from the right; none: there are not so many. */
static struct str
label(struct str domain, int n)
{
	while (domain.len) {
		ssize_t dot = str_rchr(domain, '.');

		if (--n == 0)
			return str_from(domain, (size_t)(dot + 1));
		if (dot < 0)
			break;
		domain = str_sub(domain, 0, (size_t)dot);
	}
	return STR_NONE;
}

/* What %c stands for. False: there is no such part. */
static bool
part(char c, const struct parts *p, struct str *out)
{
	switch (c) {
	case 's':
		*out = p->whole;
		return true;
	case 'u':
		*out = p->user;
		return out->len > 0;
	case 'd':
		*out = p->domain;
		return out->len > 0;
	default:
		*out = label(p->domain, c - '0');
		return out->data != NULL;
	}
}

/* Capital letters speak of the key in any case; digits of the key too, where the template
 * is a question, but of the value in a result. */
static bool
expand(struct str template, const struct parts *value, const struct parts *key,
	const struct quoting *q, struct buf *out)
{
	for (size_t i = 0; i < template.len; i++) {
		char c = template.data[i];
		struct str text;

		if (c != '%' || i + 1 == template.len) {
			buf_addc(out, c);
			continue;
		}
		c = template.data[++i];
		if (c == '%') {
			buf_addc(out, c);
			continue;
		}
		if (!part(ascii_lower(c), c >= 'A' && c <= 'Z' ? key : value, &text))
			return false;
		q->quote(out, text, q->arg);
	}
	return true;
}

bool
query_expand(
	struct str template, struct str key, const struct quoting *q, struct buf *out)
{
	struct parts p = parts_of(key);

	return key.len > 0 && expand(template, &p, &p, q, out);
}

/* ---- settings ---- */

bool
lookup_read(
	struct lookup *l, const struct settings *s, struct str preset, struct why *why)
{
	struct str domains = settings_text(s, "domain", "");

	*why = (struct why){ 0 };
	l->query = settings_text(s, "query", NULL);
	if (!l->query.data)
		l->query = preset;
	l->result_format = settings_text(s, "result_format", NULL);
	if (!l->result_format.data)
		l->result_format = settings_text(s, "result_filter", "%s");
	l->expansion_limit = settings_number(s, "expansion_limit", 0, 0, INT32_MAX, why);
	if (why->code[0] || !template_check(l->query, l->spec, why) ||
		!template_check(l->result_format, l->spec, why))
		return false;
	if (domains.len)
		l->domain = match_list_open("domain", domains, false, NULL);
	return true;
}

void
lookup_close(struct lookup *l)
{
	if (l->domain)
		match_list_close(l->domain);
	l->domain = NULL;
}

enum dict_result
lookup_concerns(const struct lookup *l, struct str key, struct why *why)
{
	ssize_t at = str_rchr(key, '@');

	if (key.len == 0)
		return DICT_NOTFOUND;
	if (!l->domain)
		return DICT_FOUND;
	if (at < 1 || (size_t)at + 1 == key.len)
		return DICT_NOTFOUND;
	return match_string(l->domain, str_from(key, (size_t)at + 1), why);
}

/* ---- answers ---- */

/* A value that is empty, or has not got what the format asks for, is left out. */
bool
answer_add(struct answer *a, struct str value)
{
	struct parts v = parts_of(value), k = parts_of(a->key);
	size_t before = a->text.len;

	if (value.len == 0)
		return true;
	if (before > 0)
		buf_addc(&a->text, ',');
	if (!expand(a->lookup->result_format, &v, &k, &quote_nothing, &a->text)) {
		a->text.len = before;
		return true;
	}
	a->n++;
	a->too_many = a->lookup->expansion_limit > 0 && a->n > a->lookup->expansion_limit;
	return !a->too_many;
}

enum dict_result
answer_end(struct answer *a, struct arena *arena, struct str *value, struct why *why)
{
	enum dict_result result = a->n > 0 ? DICT_FOUND : DICT_NOTFOUND;

	if (a->too_many) {
		why_set(why, "4.3.0",
			STR_FMT ": Expansion limit exceeded for key: \"" STR_FMT "\"",
			STR_ARG(a->lookup->spec), STR_ARG(a->key));
		result = DICT_ERROR;
	} else if (result == DICT_FOUND) {
		*value = arena_str(arena, buf_str(&a->text));
	}
	buf_free(&a->text);
	return result;
}
