/* charset.h -- sets of characters: those that messages must not hold
 * (message_reject_characters, message_strip_characters). */
#ifndef CHARSET_H
#define CHARSET_H

#include "base.h"

struct charset {
	bool has[256];
	bool empty;
};

/* Characters as they are, and C's escapes: \a \b \f \n \r \t \v, \ and up to three octal
 * digits; a backslash in front of anything else stands for that. */
void charset_parse(struct charset *set, struct str text);
/* Where the first of them is; -1: there is none. */
ssize_t charset_find(const struct charset *set, struct str text);
/* Appends the text without them. */
void charset_strip(const struct charset *set, struct str text, struct buf *out);

#endif
