/* regexp.c -- regexp:, POSIX regular expressions. */
#include "rules.h"
#include <regex.h>

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

static regex_t *
compiled(struct str pattern, int options, struct why *why)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	const char *text = arena_cstr(a, pattern);
	regex_t *regex = mem_alloc(sizeof *regex);
	int error = text ? regcomp(regex, text, options) : REG_BADPAT;

	if (error == 0)
		return regex;
	if (text) {
		char said[200];

		regerror(error, regex, said, sizeof said);
		rule_skipped(why, "%s", said);
	} else {
		rule_skipped(why, "a NUL byte in the pattern");
	}
	mem_free(regex);
	return NULL;
}

static void *
regexp_compile(struct str *rest, bool is_if, const struct dict *d UNUSED, size_t *groups,
	struct why *why)
{
	struct str pattern, flags;
	regex_t *regex;
	int options;

	if (!rules_delimited(rest, &pattern, &flags, why))
		return NULL;
	options = toggled(flags, why);
	if (options < 0)
		return NULL;
	if (is_if)
		options |= REG_NOSUB;
	regex = compiled(pattern, options, why);
	if (regex)
		*groups = is_if ? 0 : regex->re_nsub;
	return regex;
}

static void
regexp_free(void *pattern)
{
	regfree(pattern);
	mem_free(pattern);
}

static int
regexp_match(const void *pattern, struct subject *s, struct why *why)
{
	const regex_t *regex = pattern;
	regmatch_t at[GROUPS];
	size_t n = MIN(regex->re_nsub + 1, GROUPS);
	int got;

	/* Keys have a length and perhaps a NUL inside. */
	at[0].rm_so = 0;
	at[0].rm_eo = (regoff_t)s->key.len;
	got = regexec(regex, s->key.data ? s->key.data : "", n, at, REG_STARTEND);
	if (got == REG_NOMATCH)
		return 0;
	if (got != 0) {
		char said[200];

		regerror(got, regex, said, sizeof said);
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
