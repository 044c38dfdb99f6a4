/* query.h -- questions to databases: a text in which %s is the key, %u and %d its local
 * part and domain, %1 to %9 the labels of its domain from the right; and what becomes of
 * the answer. The same rules for all types that have a file of settings. */
#ifndef QUERY_H
#define QUERY_H

#include "settings.h"

/* How a text is put into a question so that it cannot become part of it. */
struct quoting {
	void (*quote)(struct buf *out, struct str text, void *arg);
	void *arg;
};
extern const struct quoting quote_nothing;

struct lookup {
	struct str spec;
	struct str query, result_format;
	struct match_list *domain; /* NULL: keys of any domain */
	long expansion_limit;      /* 0: none */
};
/* Reads query (preset: when there is none), result_format, domain and expansion_limit.
 * False and *why. */
bool lookup_read(
	struct lookup *l, const struct settings *s, struct str preset, struct why *why);
void lookup_close(struct lookup *l);
/* DICT_FOUND: the key may be looked up; DICT_NOTFOUND: it is not of one of the domains.
 */
SWITCHES enum dict_result lookup_concerns(
	const struct lookup *l, struct str key, struct why *why);
/* Is a template free of mistakes? *why. */
bool template_check(struct str template, struct str spec, struct why *why);
/* False: the key has not got what the template asks for, so there is no question. */
bool query_expand(
	struct str template, struct str key, const struct quoting *q, struct buf *out);

/* The answer as it comes in, one value after the other; joined by commas. */
struct answer {
	const struct lookup *lookup;
	struct str key;
	struct buf text;
	long n;
	bool too_many;
};
/* False: expansion_limit is exceeded, and more need not be fetched. */
bool answer_add(struct answer *a, struct str value);
/* What the look-up gives; frees the text. */
enum dict_result answer_end(
	struct answer *a, struct arena *arena, struct str *value, struct why *why);

#endif
