/* tags.h -- "name=value; name=value", as DKIM, DMARC and their relatives write it.
 * Nothing here switches; views point into the list. */
#ifndef TAGS_H
#define TAGS_H

#include "base.h"

/* ---- as records are read, whatever else stands in them ---- */
/* Takes the next tag off the front of the list, without blanks around its parts. False at
 * its end; a piece that is no tag comes without a name. */
bool tag_next(struct str *rest, struct str *name, struct str *value);
/* The first tag of that name; false: there is none. */
bool tag_find(struct str list, const char *name, struct str *value);

/* ---- by the letter (RFC 6376 section 3.2), as signatures are read ---- */
#define TAGS_MOST 32 /* in one list */

struct tag {
	struct str name;
	struct str raw; /* all between = and the next ; or the end */
};
struct tags {
	struct tag items[TAGS_MOST];
	size_t n;
};
/* -1: it is no such list, or has a name twice, or too many. */
int tags_read(struct str list, struct tags *out) MUST_CHECK;
/* The value as it stands; data is NULL: there is no such tag. Names are told apart by
 * case. */
struct str tags_raw(const struct tags *t, const char *name);
/* The same without white space around it. */
struct str tags_get(const struct tags *t, const char *name);
/* Appends what a value has in base64, with white space anywhere in it. -1: it is none, or
 * empty. */
int tags_base64(struct str value, struct buf *out) MUST_CHECK;

#endif
