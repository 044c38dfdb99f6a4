/* expand.h -- $name, ${name?{text}:{text}} and ${{a} == {b} ? {text} : {text}} in values.
 *
 * Whose names they are is the caller's affair. Values are not looked at again here: a
 * getter that wants that calls expand_text itself, with the same depth. */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base.h"

enum {
	EXPAND_DEPTH = 101,        /* of one name in another, as Postfix */
	EXPAND_NESTED = 64,        /* of ${} in ${} in one text: recursion follows it */
	EXPAND_SIZE = 1024 * 1024, /* of a value */
};

struct expander {
	/* Puts the value of name into *value (STR_NONE: undefined). -1: *why tells. */
	int (*get)(struct expander *e, struct str name, struct str *value);
	void *arg;
	int depth;       /* names in names, so far */
	int nested;      /* braces in braces, so far */
	bool strict;     /* a name that stands alone has to be defined */
	struct why *why; /* what is wrong with a text, with code 4.3.5 */
};

/* Appends text to *out with the names replaced. -1 and *why. */
int expand_text(struct expander *e, struct str text, struct buf *out) MUST_CHECK;

/* Dotted levels as in compatibility_level: "3.6" -> an ordered number. -1 on junk. */
int level_parse(struct str text, int64_t *out) MUST_CHECK;

/* Calls fn with each name that text may refer to, also in parts that would not be chosen.
 * Mistakes are passed over: expand_text tells of them. */
void expand_names(struct str text, void (*fn)(struct str name, void *arg), void *arg);

#endif
