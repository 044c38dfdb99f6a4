/* expand.c -- see expand.h.
 *
 *	text:      plain, $$, $name, ${reference}, $(reference)
 *	reference: name [condition] | {operand} operator {operand} [condition] |
 *function{text} condition: ?text | ?{text} | :text | :{text} | ?{text}:{text} |
 *?{text}:text
 *
 * Blanks may stand around names, operators and braces, and count inside braces and behind
 *a ? or : that no brace follows. Only the chosen text is looked at. There is no &&, || or
 *!. What is wrong is worded as in Postfix, whose users search for it. */
#include "expand.h"
#include "idna.h"

static void tell(struct expander *e, const char *fmt, ...) PRINTF(2, 3);

static void
tell(struct expander *e, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	why_set(e->why, "4.3.5", STR_FMT, STR_ARG(buf_str(&text)));
}

#define mistake(e, ...) (tell((e), __VA_ARGS__), -1)

static struct str
excerpt(struct str rest)
{
	return str_sub(rest, 0, 20);
}

static struct str
skip_blanks(struct str s)
{
	while (s.len > 0 && ascii_is_space(s.data[0]))
		s = str_from(s, 1);
	return s;
}

static bool
begins_with(struct str s, char c)
{
	return s.len > 0 && s.data[0] == c;
}

/* Takes letters, digits and _ off *s. */
static struct str
take_name(struct str *s)
{
	size_t n = 0;
	struct str name;

	while (n < s->len && (ascii_is_alnum(s->data[n]) || s->data[n] == '_'))
		n++;
	name = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	return name;
}

/* Length of what stands between the opening character at s[0] and its partner. -1: none.
 */
static ssize_t
inside(struct str s, char opening, char closing)
{
	int level = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == opening)
			level++;
		else if (s.data[i] == closing && --level == 0)
			return (ssize_t)i - 1;
	}
	return -1;
}

/* Takes "{payload}" and blanks behind it off *s, which begins with the {. */
static int
take_braced(struct expander *e, struct str *s, struct str *payload)
{
	ssize_t n = inside(*s, '{', '}');

	if (n < 0)
		return mistake(e,
			"unbalanced {} in attribute expression: \"" STR_FMT "\"",
			STR_ARG(*s));
	*payload = str_sub(*s, 1, (size_t)n);
	*s = skip_blanks(str_from(*s, (size_t)n + 2));
	return 0;
}

/* ---- conditions ---- */

/* The text for "false": rest is what follows the colon. */
static int
choose_else(struct expander *e, struct str rest, struct str *chosen)
{
	struct str s = skip_blanks(rest);

	*chosen = rest;
	if (!begins_with(s, '{'))
		return 0;
	if (take_braced(e, &s, chosen) < 0)
		return -1;
	if (s.len > 0)
		return mistake(e,
			"unexpected input at: \"..." STR_FMT "}>>>" STR_FMT "\"",
			STR_ARG(*chosen), STR_ARG(excerpt(s)));
	return 0;
}

/* Which text a condition chooses; rest begins with ? or :. */
static int
choose(struct expander *e, struct str rest, bool truth, struct str *chosen)
{
	struct str then, otherwise = STR_NONE, s;

	*chosen = STR_NONE;
	if (begins_with(rest, ':')) {
		if (choose_else(e, str_from(rest, 1), &then) < 0)
			return -1;
		if (!truth)
			*chosen = then;
		return 0;
	}
	then = str_from(rest, 1);
	s = skip_blanks(then);
	if (begins_with(s, '{')) {
		if (take_braced(e, &s, &then) < 0)
			return -1;
		if (s.len > 0 && s.data[0] != ':')
			return mistake(e,
				"\":\" expected at: \"..." STR_FMT "}>>>" STR_FMT "\"",
				STR_ARG(then), STR_ARG(excerpt(s)));
		if (s.len > 0 && choose_else(e, str_from(s, 1), &otherwise) < 0)
			return -1;
	}
	*chosen = truth ? then : otherwise;
	return 0;
}

/* ---- comparisons ---- */

enum comparison { IS, IS_NOT, LESS, LESS_OR_SAME, MORE_OR_SAME, MORE };
static const struct {
	const char *sign;
	enum comparison is;
} comparisons[] = {
	/* longest first */
	{ "==", IS },
	{ "!=", IS_NOT },
	{ "<=", LESS_OR_SAME },
	{ ">=", MORE_OR_SAME },
	{ "<", LESS },
	{ ">", MORE },
};

static bool
holds(enum comparison is, int order)
{
	switch (is) {
	case IS:
		return order == 0;
	case IS_NOT:
		return order != 0;
	case LESS:
		return order < 0;
	case LESS_OR_SAME:
		return order <= 0;
	case MORE_OR_SAME:
		return order >= 0;
	case MORE:
		return order > 0;
	}
	ensure(!"a comparison");
	return false;
}

static bool
is_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_digit(s.data[i]))
			return false;
	return s.len > 0;
}

static int
number_of(struct expander *e, struct str s, int64_t *out)
{
	long n;

	if (str_to_long(s, &n) < 0)
		return mistake(
			e, "mac_exp_eval: bad conversion: " STR_FMT, STR_ARG(excerpt(s)));
	*out = n;
	return 0;
}

static int
level_of(struct expander *e, struct str s, int64_t *out)
{
	if (level_parse(s, out) < 0)
		return mistake(e, "malformed compatibility level syntax: \"" STR_FMT "\"",
			STR_ARG(s));
	return 0;
}

/* -1: cannot be compared. Numbers when both are all digits, else bytes. */
static int
compare(struct expander *e, struct str left, struct str right, bool levels, int *order)
{
	int (*as)(struct expander *, struct str, int64_t *) =
		levels ? level_of : number_of;
	int64_t a = 0, b = 0;

	if (!levels && !(is_number(left) && is_number(right))) {
		*order = str_cmp(left, right);
		return 0;
	}
	if (as(e, left, &a) < 0 || as(e, right, &b) < 0)
		return -1;
	*order = (a > b) - (a < b);
	return 0;
}

struct operator
{
	enum comparison is;
	bool levels;     /* compares levels: "<=level" */
	struct str sign; /* without that word */
};

/* Takes the operator off *s; left is the operand before it, for the complaint. */
static int
take_operator(struct expander *e, struct str left, struct str *s, struct operator* op)
{
	struct str suffix;
	size_t i = 0;

	while (i < COUNT(comparisons) && !str_starts(*s, str_c(comparisons[i].sign)))
		i++;
	if (i == COUNT(comparisons))
		return mistake(e,
			"\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected "
			"at: "
			"\"..." STR_FMT "}>>>" STR_FMT "\"",
			STR_ARG(left), STR_ARG(excerpt(*s)));
	op->is = comparisons[i].is;
	op->sign = str_c(comparisons[i].sign);
	*s = str_from(*s, op->sign.len);
	suffix = take_name(s);
	op->levels = str_is(suffix, "level");
	if (suffix.len > 0 && !op->levels)
		return mistake(e,
			"bad operator suffix at: \"..." STR_FMT ">>>" STR_FMT "\"",
			STR_ARG(op->sign), STR_ARG(suffix));
	return 0;
}

/* {left} operator {right}; *rest is what follows. */
static int
comparison_of(struct expander *e, struct str s, bool *truth, struct str *rest)
{
	struct buf a CLEANUP(buf_free) = BUF_INIT, b CLEANUP(buf_free) = BUF_INIT;
	struct operator op = { .sign = STR_NONE };
	struct str left, right, after;
	int order = 0;

	if (take_braced(e, &s, &left) < 0 || take_operator(e, left, &s, &op) < 0)
		return -1;
	after = skip_blanks(s);
	if (!begins_with(after, '{'))
		return mistake(e,
			"\"{expression}\" expected at: \"...{" STR_FMT "} " STR_FMT
			">>>" STR_FMT "\"",
			STR_ARG(left), STR_ARG(op.sign), STR_ARG(excerpt(s)));
	if (take_braced(e, &after, &right) < 0)
		return -1;
	if (expand_text(e, left, &a) < 0 || expand_text(e, right, &b) < 0 ||
		compare(e, buf_str(&a), buf_str(&b), op.levels, &order) < 0)
		return -1;
	*truth = holds(op.is, order);
	*rest = after;
	return 0;
}

static int
expand_comparison(struct expander *e, struct str s, struct buf *out)
{
	struct str rest, chosen;
	bool truth = false;

	if (comparison_of(e, s, &truth, &rest) < 0)
		return -1;
	if (rest.len == 0) {
		if (truth)
			buf_addz(out, "true");
		return 0;
	}
	if (rest.data[0] != '?' && rest.data[0] != ':')
		return mistake(e, "\"?\" or \":\" expected at: \"...}>>>" STR_FMT "\"",
			STR_ARG(excerpt(rest)));
	if (choose(e, rest, truth, &chosen) < 0)
		return -1;
	return expand_text(e, chosen, out);
}

/* ---- names ---- */

static const struct {
	const char *name;
	int (*fn)(struct str text, struct buf *out); /* -1: text is none of its domain */
} functions[] = {
	{ "domain_to_ascii", idna_to_ascii },
};

/* name{text}: rest begins with the {. */
static int
expand_function(struct expander *e, struct str name, struct str rest, struct buf *out)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str whole = rest, payload;
	size_t i = 0;

	while (i < COUNT(functions) && !str_is(name, functions[i].name))
		i++;
	if (i == COUNT(functions))
		return mistake(e,
			"attribute name syntax error at: \"..." STR_FMT ">>>" STR_FMT
			"\"",
			STR_ARG(name), STR_ARG(excerpt(whole)));
	if (take_braced(e, &rest, &payload) < 0)
		return -1;
	if (rest.len > 0)
		return mistake(e,
			"unexpected input at: \"..." STR_FMT "}>>>" STR_FMT "\"",
			STR_ARG(payload), STR_ARG(excerpt(rest)));
	if (expand_text(e, str_trim(payload), &text) < 0)
		return -1;
	if (functions[i].fn(buf_str(&text), out) < 0)
		return mistake(e, STR_FMT ": bad input: \"" STR_FMT "\"", STR_ARG(name),
			STR_ARG(buf_str(&text)));
	return 0;
}

static int
value_of(struct expander *e, struct str name, struct str *value)
{
	*value = STR_NONE;
	return name.len > 0 ? e->get(e, name, value) : 0;
}

/* A name with no condition behind it. */
static int
add_value(struct expander *e, struct str name, struct str value, struct buf *out)
{
	if (e->strict && !value.data)
		return mistake(e, "undefined $" STR_FMT, STR_ARG(name));
	buf_add(out, value);
	return 0;
}

/* What stands between ${ and }; whole is the text that it stands in. */
static int
expand_reference(struct expander *e, struct str body, struct str whole, struct buf *out)
{
	struct str rest = skip_blanks(body), name, after, value, chosen;

	if (body.len == 0)
		return mistake(e, "empty macro name: \"" STR_FMT "\"", STR_ARG(whole));
	if (begins_with(rest, '{'))
		return expand_comparison(e, rest, out);
	name = take_name(&rest);
	if (begins_with(rest, '{'))
		return expand_function(e, name, rest, out);
	after = skip_blanks(rest);
	if (after.len > 0 && after.data[0] != '?' && after.data[0] != ':')
		return mistake(e,
			"attribute name syntax error at: \"..." STR_FMT ">>>" STR_FMT
			"\"",
			STR_ARG(name), STR_ARG(excerpt(rest)));
	if (value_of(e, name, &value) < 0)
		return -1;
	if (after.len == 0)
		return add_value(e, name, value, out);
	if (choose(e, after, value.len > 0, &chosen) < 0)
		return -1;
	return expand_text(e, chosen, out);
}

/* Takes one reference off *rest, which begins with the $. */
static int
expand_dollar(struct expander *e, struct str *rest, struct str whole, struct buf *out)
{
	struct str s = str_from(*rest, 1), name, value;
	bool round = begins_with(s, '(');

	if (begins_with(s, '$')) {
		buf_addc(out, '$');
		*rest = str_from(s, 1);
		return 0;
	}
	if (round || begins_with(s, '{')) {
		ssize_t n = round ? inside(s, '(', ')') : inside(s, '{', '}');

		if (n < 0)
			return mistake(e, "truncated macro reference: \"" STR_FMT "\"",
				STR_ARG(whole));
		*rest = str_from(s, (size_t)n + 2);
		return expand_reference(e, str_sub(s, 1, (size_t)n), whole, out);
	}
	name = take_name(&s);
	if (name.len == 0)
		return mistake(e, "empty macro name: \"" STR_FMT "\"", STR_ARG(whole));
	*rest = s;
	if (value_of(e, name, &value) < 0)
		return -1;
	return add_value(e, name, value, out);
}

int
expand_text(struct expander *e, struct str text, struct buf *out)
{
	struct str rest = text;
	int result = 0;

	if (e->nested == EXPAND_NESTED)
		return mistake(e, "unreasonable macro call nesting: \"" STR_FMT "\"",
			STR_ARG(excerpt(text)));
	e->nested++;
	while (result == 0 && rest.len > 0) {
		ssize_t at = str_chr(rest, '$');
		size_t plain = at < 0 ? rest.len : (size_t)at;

		buf_add(out, str_sub(rest, 0, plain));
		rest = str_from(rest, plain);
		if (rest.len > 0)
			result = expand_dollar(e, &rest, text, out);
		if (result == 0 && out->len > EXPAND_SIZE)
			result =
				mistake(e, "value of more than %d bytes: \"" STR_FMT "\"",
					EXPAND_SIZE, STR_ARG(excerpt(text)));
	}
	e->nested--;
	return result;
}
