/* rules.h -- tables of patterns in order (pcre, regexp, cidr): rules, if ... endif, and
 * results with $1. The types differ in how a pattern is read and matched. */
#ifndef RULES_H
#define RULES_H

#include "dict_impl.h"

/* $0 is not offered; $1 to $98 are. */
enum { GROUPS = 99 };

/* One key on its way through the rules. */
struct subject {
	struct str key;
	struct net_addr address;   /* cidr */
	struct str groups[GROUPS]; /* what $1 ... stand for, from the last match */
	size_t n;                  /* groups[1] to groups[n - 1] are set */
};

struct rule_syntax {
	const char *type;
	bool substitutes; /* $1 in results */
	/* Takes one pattern off *rest. is_if: nothing but the pattern is on the line.
	 * Returns it compiled, with the number of groups it has; or NULL and *why: what
	 * is wrong, and that the rule is skipped. */
	void *(*compile)(struct str *rest, bool is_if, const struct dict *d,
		size_t *groups, struct why *why);
	void (*free)(void *pattern);
	/* False: no rule can match such a key. NULL: all can. */
	bool (*prepare)(struct subject *s);
	/* 1 matches (fills in groups), 0 does not, -1 *why. */
	int (*match)(const void *pattern, struct subject *s, struct why *why);
	/* May "not" say something about this key? NULL: always. */
	bool (*concerns)(const void *pattern, const struct subject *s);
};

/* Reads the file, or {{rule}, {rule}}. A rule that is wrong is warned about and skipped,
 * as in Postfix. NULL and *why when there is no such file. */
struct rules *rules_open(struct dict *d, const struct rule_syntax *syntax,
	struct stamp *stamp, struct why *why);
void rules_close(void *state);
enum dict_result rules_find(struct dict *d, struct str key, struct arena *arena,
	struct str *value, struct why *why);

/* "/pattern/flags": takes it off *rest, for the types whose patterns look so. False and
 * *why. */
bool rules_delimited(
	struct str *rest, struct str *pattern, struct str *flags, struct why *why);
/* The text that goes with "...: skipping this rule". */
PRINTF(2, 3) void rule_skipped(struct why *why, const char *fmt, ...);

/* ---- results: text with $1, ${1}, $(1), $$ (template.c) ---- */
struct template;
/* groups: how many the pattern has. NULL and *why. */
struct template *template_parse(struct str text, size_t groups, bool negated,
	bool forbidden, struct arena *arena, struct why *why);
/* Text in which $ is just a $. */
struct template *template_literal(struct str text, struct arena *arena);
struct str template_expand(
	const struct template *t, const struct subject *s, struct arena *arena);

#endif
