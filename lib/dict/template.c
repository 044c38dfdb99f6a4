/* template.c -- the results of pattern rules: text with $1, ${1}, $(1), and $$ for $. */
#include "rules.h"

struct piece {
	size_t group; /* 0: text */
	struct str text;
};

struct template
{
	struct piece *pieces;
	size_t n;
};

/* Takes "$1", "${1}" or "$(1)" off *rest. STR_NONE and *why when it is none. */
static struct str
reference_name(struct str *rest, struct why *why)
{
	struct str whole = *rest, name;
	char close = 0;
	size_t n = 0;

	*rest = str_from(*rest, 1);
	if (rest->len && (rest->data[0] == '{' || rest->data[0] == '('))
		close = rest->data[0] == '{' ? '}' : ')';
	if (close) {
		ssize_t end = str_chr(*rest, close);

		if (end < 0) {
			rule_skipped(why, "truncated macro reference: \"" STR_FMT "\"",
				STR_ARG(whole));
			return STR_NONE;
		}
		name = str_sub(*rest, 1, (size_t)end - 1);
		n = (size_t)end + 1;
	} else {
		while (n < rest->len &&
			(ascii_is_alnum(rest->data[n]) || rest->data[n] == '_'))
			n++;
		name = str_sub(*rest, 0, n);
	}
	*rest = str_from(*rest, n);
	if (name.len)
		return name;
	rule_skipped(why, "empty macro name: \"" STR_FMT "\"", STR_ARG(whole));
	return STR_NONE;
}

/* The number of a group that the pattern has; 0 and *why. */
static size_t
reference_group(struct str name, size_t groups, struct why *why)
{
	uint64_t n;

	if (str_to_u64(name, &n) < 0) {
		rule_skipped(why, "non-numeric replacement index \"" STR_FMT "\"",
			STR_ARG(name));
		return 0;
	}
	if (n >= 1 && n <= groups && n < GROUPS)
		return (size_t)n;
	rule_skipped(
		why, "out of range replacement index \"" STR_FMT "\"", STR_ARG(name));
	return 0;
}

static size_t
reference_parse(
	struct str *rest, size_t groups, bool negated, bool forbidden, struct why *why)
{
	struct str name = reference_name(rest, why);

	if (!name.data)
		return 0;
	if (forbidden) {
		rule_skipped(why, "$number is not allowed in the results of this table");
		return 0;
	}
	if (negated) {
		rule_skipped(why, "$number found in negative match replacement text");
		return 0;
	}
	return reference_group(name, groups, why);
}

/* A piece never is shorter than one byte of the text, so text.len pieces are enough. */
struct template *
template_parse(struct str text, size_t groups, bool negated, bool forbidden,
	struct arena *arena, struct why *why)
{
	struct template *t = arena_alloc(arena, sizeof *t);

	text = arena_str(arena, text);
	t->pieces = arena_alloc(arena, (text.len + 1) * sizeof *t->pieces);
	while (text.len) {
		struct piece *p = &t->pieces[t->n++];
		ssize_t dollar = str_chr(text, '$');

		if (dollar != 0) {
			size_t n = dollar < 0 ? text.len : (size_t)dollar;

			p->text = str_sub(text, 0, n);
			text = str_from(text, n);
		} else if (text.len > 1 && text.data[1] == '$') {
			p->text = str_sub(text, 0, 1);
			text = str_from(text, 2);
		} else {
			p->group =
				reference_parse(&text, groups, negated, forbidden, why);
			if (p->group == 0)
				return NULL;
		}
	}
	return t;
}

struct template *
template_literal(struct str text, struct arena *arena)
{
	struct template *t = arena_alloc(arena, sizeof *t);

	t->n = 1;
	t->pieces = arena_alloc(arena, sizeof *t->pieces);
	t->pieces[0].text = arena_str(arena, text);
	return t;
}

struct str
template_expand(const struct template *t, const struct subject *s, struct arena *arena)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;

	if (t->n == 1 && t->pieces[0].group == 0)
		return arena_str(arena, t->pieces[0].text);
	for (size_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];

		if (p->group == 0)
			buf_add(&b, p->text);
		else if (p->group < s->n)
			buf_add(&b, s->groups[p->group]);
	}
	return arena_str(arena, buf_str(&b));
}
