/* templates.h -- the words of notices: bounce_template_file, in the syntax of bounce(5).
 *
 * A file may say anew what is built in, kind by kind and header by
 * header. */
#ifndef CONF_TEMPLATES_H
#define CONF_TEMPLATES_H

#include "conf.h"

enum template_kind {
	TEMPLATE_FAILURE,
	TEMPLATE_DELAY,
	TEMPLATE_SUCCESS,
	TEMPLATE_VERIFY,
	TEMPLATES
};
struct template
{
	struct str charset, from, subject;
	struct str postmaster_subject; /* none: the postmaster gets no copies */
	struct str text;               /* not expanded; ends in LF */
};
struct templates {
	struct template of[TEMPLATES];
	struct str file; /* for messages; empty: built in */
};
/* "failure", "delay" ... */
extern const char *const template_names[TEMPLATES];

/* The templates of a file, built-in ones where it has none or one that is not in order;
 * path NULL or empty: all of them. Whatever is wrong is said in `issues`, as Postfix
 * words it; -1 when that is fatal for the file as a whole: then all are built in. BLOCKS.
 */
int templates_read(struct templates *t, const char *path, struct arena *a,
	struct conf_issues *issues) MUST_CHECK;
/* The same of a text; `file` is its name in messages. */
int templates_parse(struct templates *t, struct str file, struct str text,
	struct arena *a, struct conf_issues *issues) MUST_CHECK;
/* The text with its $names replaced. -1: it cannot be used, `issues` says why. */
int templates_expand(const struct templates *t, enum template_kind kind,
	const struct conf *c, struct arena *a, struct str *out,
	struct conf_issues *issues) MUST_CHECK;

#endif
