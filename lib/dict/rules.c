/* rules.c -- tables of patterns: reads the rules once, then walks them for each key.
 *
 * An if knows where its endif is, so that skipping a block is a jump and nesting costs no
 * recursion. */
#include "rules.h"
#include "log.h"
#include "source.h"
#include <errno.h>

struct rule {
	bool is_if, negated;
	int line;
	void *pattern;
	struct template *result; /* NULL for an if */
	size_t end;              /* an if: the rule behind its endif */
};

struct rules {
	const struct rule_syntax *syntax;
	const struct dict *dict;
	struct arena *arena;
	VEC(struct rule) list;
	VEC(size_t) open; /* ifs that wait for their endif, while reading */
	const char *file;
	int line;
	struct why why; /* what is wrong with the pattern read last */
};

void
rule_skipped(struct why *why, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	why_set(why, "4.3.5", STR_FMT ": skipping this rule", STR_ARG(buf_str(&text)));
}

PRINTF(2, 3)
static void
warn(const struct rules *r, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	log_warn("%s map %s, line %d: " STR_FMT, r->syntax->type, r->file, r->line,
		STR_ARG(buf_str(&text)));
}

static void
skip_blanks(struct str *rest)
{
	while (rest->len && ascii_is_space(rest->data[0]))
		*rest = str_from(*rest, 1);
}

bool
rules_delimited(struct str *rest, struct str *pattern, struct str *flags, struct why *why)
{
	char delimiter = rest->len ? rest->data[0] : '\0';
	size_t end, n;

	if (rest->len == 0) {
		rule_skipped(why, "no regexp");
		return false;
	}
	if (ascii_is_alnum(delimiter)) {
		why_set(why, "4.3.5",
			"ignoring unrecognized request: a rule begins with /pattern/, "
			"!, if or endif");
		return false;
	}
	for (end = 1; end < rest->len && rest->data[end] != delimiter; end++)
		if (rest->data[end] == '\\')
			end++;
	if (end >= rest->len) {
		rule_skipped(why, "no closing regexp delimiter \"%c\"", delimiter);
		return false;
	}
	*pattern = str_sub(*rest, 1, end - 1);
	for (n = end + 1; n < rest->len && !ascii_is_space(rest->data[n]); n++)
		;
	*flags = str_sub(*rest, end + 1, n - end - 1);
	*rest = str_from(*rest, n);
	return true;
}

/* ---- reading ---- */

/* Is this the word `if` or `endif`? Takes it off. */
static bool
takes_word(struct str *rest, const char *word)
{
	size_t n = strlen(word);

	if (!str_case_starts(*rest, str_c(word)) ||
		(rest->len > n && ascii_is_alnum(rest->data[n])))
		return false;
	*rest = str_from(*rest, n);
	skip_blanks(rest);
	return true;
}

/* The pattern behind any number of `!`. NULL after a warning. */
static void *
read_pattern(struct rules *r, struct str *rest, bool is_if, bool *negated, size_t *groups)
{
	void *pattern;

	*negated = false;
	while (rest->len && rest->data[0] == '!') {
		*negated = !*negated;
		*rest = str_from(*rest, 1);
		skip_blanks(rest);
	}
	*groups = 0;
	pattern = r->syntax->compile(rest, is_if, r->dict, groups, &r->why);
	if (!pattern)
		warn(r, "%s", r->why.text);
	skip_blanks(rest);
	return pattern;
}

static void
read_if(struct rules *r, struct str rest)
{
	struct rule rule = { .is_if = true, .line = r->line };
	size_t groups;

	rule.pattern = read_pattern(r, &rest, true, &rule.negated, &groups);
	if (!rule.pattern)
		return;
	if (rest.len) {
		warn(r, "ignoring extra text after IF statement: \"" STR_FMT "\"",
			STR_ARG(rest));
		warn(r, "do not prepend whitespace to statements between IF and ENDIF");
	}
	*vec_push(&r->open) = r->list.n;
	*vec_push(&r->list) = rule;
}

static void
read_endif(struct rules *r, struct str rest)
{
	if (rest.len)
		warn(r, "ignoring extra text after ENDIF");
	if (r->open.n == 0) {
		warn(r, "ignoring ENDIF without matching IF");
		return;
	}
	r->list.items[r->open.items[--r->open.n]].end = r->list.n;
}

static void
read_result(struct rules *r, struct str rest)
{
	struct rule rule = { .line = r->line };
	struct why why;
	size_t groups;

	rule.pattern = read_pattern(r, &rest, false, &rule.negated, &groups);
	if (!rule.pattern)
		return;
	if (rest.len == 0)
		warn(r, "no replacement text: using empty string");
	if (r->syntax->substitutes) {
		rule.result = template_parse(rest, groups, rule.negated,
			r->dict->flags & DICT_NO_REGSUB, r->arena, &why);
	} else {
		rule.result = template_literal(rest, r->arena);
	}
	if (rule.result) {
		*vec_push(&r->list) = rule;
		return;
	}
	warn(r, "%s", why.text);
	r->syntax->free(rule.pattern);
}

static void
read_rule(struct rules *r, struct str rest)
{
	if (takes_word(&rest, "if"))
		read_if(r, rest);
	else if (takes_word(&rest, "endif"))
		read_endif(r, rest);
	else
		read_result(r, rest);
}

/* An if without endif reaches to the end. */
static void
read_end(struct rules *r)
{
	while (r->open.n) {
		struct rule *rule = &r->list.items[r->open.items[--r->open.n]];

		r->line = rule->line;
		warn(r, "IF has no matching ENDIF");
		rule->end = r->list.n;
	}
	vec_free(&r->open);
}

static bool
read_file_rules(struct rules *r, struct stamp *stamp, struct why *why)
{
	struct source s CLEANUP(source_close) = { 0 };
	FILE *file = fopen(r->file, "re");
	struct str line;

	if (!file) {
		dict_fails_errno(why, "open", r->file);
		return false;
	}
	source_open(&s, file, r->file);
	stamp_take(stamp, fileno(file));
	while (source_line(&s, &line)) {
		r->line = s.line;
		read_rule(r, line);
	}
	if (!ferror(file))
		return true;
	dict_fails_errno(why, "read", r->file);
	return false;
}

/* {{rule}, {rule}}: numbered as if each were a line. */
static bool
read_inline_rules(struct rules *r, struct str items, struct why *why)
{
	struct str item;

	*why = (struct why){ 0 };
	while (braces_item(&items, &item, why)) {
		r->line++;
		if (!braces_strip(item, &item)) {
			dict_fails(why,
				"%s map: no '{' at start of text in \"" STR_FMT "\"",
				r->syntax->type, STR_ARG(item));
			break;
		}
		if (item.len && item.data[0] != '#')
			read_rule(r, item);
	}
	return !why->code[0];
}

struct rules *
rules_open(struct dict *d, const struct rule_syntax *syntax, struct stamp *stamp,
	struct why *why)
{
	struct rules *r = mem_alloc(sizeof *r);
	struct str items;
	bool well;

	r->arena = arena_new();
	r->syntax = syntax;
	r->dict = d;
	r->file = d->name;
	well = braces_strip(str_c(d->name), &items) ? read_inline_rules(r, items, why)
						    : read_file_rules(r, stamp, why);
	read_end(r);
	if (well)
		return r;
	rules_close(r);
	return NULL;
}

void
rules_close(void *state)
{
	struct rules *r = state;

	for (size_t i = 0; i < r->list.n; i++)
		r->syntax->free(r->list.items[i].pattern);
	vec_free(&r->list);
	arena_free(r->arena);
	mem_free(r);
}

/* ---- asking ---- */

/* 1, 0 or -1 like the type's match, with `!` taken into account. */
static int
rule_matches(const struct rules *r, const struct rule *rule, struct subject *s,
	struct why *why)
{
	int got;

	if (rule->negated && r->syntax->concerns &&
		!r->syntax->concerns(rule->pattern, s))
		return 0;
	got = r->syntax->match(rule->pattern, s, why);
	return got < 0 ? got : got ^ rule->negated;
}

enum dict_result
rules_find(struct dict *d, struct str key, struct arena *arena, struct str *value,
	struct why *why)
{
	const struct rules *r = d->state;
	/* with a NUL behind it: regexec() as the sanitizers wrap it wants a C string */
	struct subject s = { .key = arena_str(arena, key) };
	size_t i = 0;

	if (r->syntax->prepare && !r->syntax->prepare(&s))
		return DICT_NOTFOUND;
	while (i < r->list.n) {
		const struct rule *rule = &r->list.items[i];
		int got = rule_matches(r, rule, &s, why);

		if (got < 0) {
			struct why what = *why;

			dict_fails(why, "%s map %s, line %d: %s", r->syntax->type,
				r->file, rule->line, what.text);
			return DICT_ERROR;
		}
		if (got && !rule->is_if) {
			*value = template_expand(rule->result, &s, arena);
			return DICT_FOUND;
		}
		i = got || !rule->is_if ? i + 1 : rule->end;
	}
	return DICT_NOTFOUND;
}
