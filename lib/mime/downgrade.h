/* downgrade.h -- 8-bit content made fit for a server without 8BITMIME (RFC 6152 section
 * 3): each MIME part that says that it is 8bit or binary becomes quoted-printable, while
 * the message passes through. Parts that say nothing stay as they are. Nothing here
 * switches. */
#ifndef DOWNGRADE_H
#define DOWNGRADE_H

#include "parts.h"

struct downgrade {
	const char *problem; /* why the message must not go like this; NULL: it may */

	struct parts parts;
	struct buf *out;
	bool eight_bit; /* the header being read says so */
	bool convert;   /* the text in hand is to be encoded */
	size_t column;  /* of the encoded text */
	char blank;     /* must not be the last one of a line; 0: none */
};

void downgrade_begin(struct downgrade *d, size_t nesting_limit, size_t boundary_limit);
/* Appends what becomes of `in` (lines end in LF) to *out; part of it may come with a
 * later call. */
void downgrade_add(struct downgrade *d, struct str in, struct buf *out);
void downgrade_end(struct downgrade *d, struct buf *out);
void downgrade_free(struct downgrade *d);

#endif
