/* regexp.c -- regexp:, POSIX regular expressions. */
#include "rules.h"
#include <regex.h>

/* Most patterns of big tables end in letters and a $: "/@example\\.org$/". A key that
 * does not end so is passed over for the price of one comparison; regexec() would first
 * translate it and walk the whole of it. */
struct expression {
	regex_t regex;
	struct str tail; /* what a key must end in; empty: anything */
	bool fold;
};

/* Is c itself and nothing else in an extended regular expression? */
static bool
is_plain(char c)
{
	return ascii_is_alnum(c) || c == '@' || c == '-' || c == '_' || c == ' ' ||
	       c == ':' || c == '/' || c == '=' || c == ',';
}

static bool
is_escaped(struct str pattern, size_t at)
{
	size_t n = 0;

	while (n < at && pattern.data[at - n - 1] == '\\')
		n++;
	return n % 2 == 1;
}

/* The literal bytes before the $ at the end of the pattern, without their backslashes.
 * Found from behind: what stands before a literal cannot be a quantifier of it. */
static struct str
literal_tail(struct str pattern, int options)
{
	size_t at = pattern.len ? pattern.len - 1 : 0, len = 0;
	char *tail;

	if (!(options & REG_EXTENDED) || options & REG_NEWLINE ||
		!str_ends(pattern, STR("$")) || is_escaped(pattern, at) ||
		str_chr(pattern, '|') >= 0)
		return STR_NONE;
	tail = mem_alloc(pattern.len);
	while (at > 0) {
		char c = pattern.data[at - 1];
		bool escaped = is_escaped(pattern, at - 1);

		/* \w and its like are not letters; \] may end a bracket. */
		if (escaped ? ascii_is_alnum(c) || !ascii_is_print(c) ||
					strchr("<>`']", c)
			    : !is_plain(c))
			break;
		tail[pattern.len - ++len] = c;
		at -= escaped ? 2 : 1;
	}
	memmove(tail, tail + pattern.len - len, len);
	return str_of(tail, len);
}

static int
toggled(struct str flags, struct why *why)
{
	int options = REG_EXTENDED | REG_ICASE;

	for (size_t i = 0; i < flags.len; i++) {
		switch (flags.data[i]) {
		case 'i':
			options ^= REG_ICASE;
			break;
		case 'm':
			options ^= REG_NEWLINE;
			break;
		case 'x':
			options ^= REG_EXTENDED;
			break;
		default:
			rule_skipped(why, "unknown regexp option \"%c\"", flags.data[i]);
			return -1;
		}
	}
	return options;
}

static struct expression *
compiled(struct str pattern, int options, struct why *why)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	const char *text = arena_cstr(a, pattern);
	struct expression *e = mem_alloc(sizeof *e);
	int error = text ? regcomp(&e->regex, text, options) : REG_BADPAT;

	if (error == 0) {
		e->tail = literal_tail(pattern, options);
		e->fold = options & REG_ICASE;
		return e;
	}
	if (text) {
		char said[200];

		regerror(error, &e->regex, said, sizeof said);
		rule_skipped(why, "%s", said);
	} else {
		rule_skipped(why, "a NUL byte in the pattern");
	}
	mem_free(e);
	return NULL;
}

static void *
regexp_compile(struct str *rest, bool is_if, const struct dict *d UNUSED, size_t *groups,
	struct why *why)
{
	struct str pattern, flags;
	struct expression *e;
	int options;

	if (!rules_delimited(rest, &pattern, &flags, why))
		return NULL;
	options = toggled(flags, why);
	if (options < 0)
		return NULL;
	if (is_if)
		options |= REG_NOSUB;
	e = compiled(pattern, options, why);
	if (e)
		*groups = is_if ? 0 : e->regex.re_nsub;
	return e;
}

static void
regexp_free(void *pattern)
{
	struct expression *e = pattern;

	regfree(&e->regex);
	mem_free((char *)e->tail.data);
	mem_free(e);
}

static int
regexp_match(const void *pattern, struct subject *s, struct why *why)
{
	const struct expression *e = pattern;
	regmatch_t at[GROUPS];
	size_t n = MIN(e->regex.re_nsub + 1, GROUPS);
	int got;

	if (e->fold ? !str_case_ends(s->key, e->tail) : !str_ends(s->key, e->tail))
		return 0;
	/* Keys have a length and perhaps a NUL inside. */
	at[0].rm_so = 0;
	at[0].rm_eo = (regoff_t)s->key.len;
	got = regexec(&e->regex, s->key.data ? s->key.data : "", n, at, REG_STARTEND);
	if (got == REG_NOMATCH)
		return 0;
	if (got != 0) {
		char said[200];

		regerror(got, &e->regex, said, sizeof said);
		why_set(why, "4.3.0", "%s", said);
		return -1;
	}
	s->n = n;
	for (size_t i = 1; i < n; i++)
		s->groups[i] = at[i].rm_so < 0
				       ? STR_NONE
				       : str_sub(s->key, (size_t)at[i].rm_so,
						 (size_t)(at[i].rm_eo - at[i].rm_so));
	return 1;
}

static const struct rule_syntax syntax = {
	.type = "regexp",
	.substitutes = true,
	.compile = regexp_compile,
	.free = regexp_free,
	.match = regexp_match,
};

static void *
regexp_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	return rules_open(d, &syntax, stamp, why);
}

const struct dict_ops dict_regexp = {
	.type = { "regexp", true, false },
	.suffix = "",
	.open = regexp_open,
	.close = rules_close,
	.find = rules_find,
};
