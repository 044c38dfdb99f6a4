/* downgrade.h -- 8-bit content made fit for a server without 8BITMIME (RFC 6152 section
 * 3): each MIME part that says that it is 8bit or binary becomes quoted-printable, while
 * the message passes through. Parts that say nothing stay as they are. Nothing here
 * switches. */
#ifndef DOWNGRADE_H
#define DOWNGRADE_H

#include "fields.h"

/* What a body that can hold other bodies left to wait for. */
struct downgrade_level {
	size_t start,
		len; /* the boundary, in downgrade.names; none: of a message/rfc822 */
	bool cut;    /* the boundary was longer than the limit: only compared so far */
	bool digest; /* RFC 2046 section 5.1.5: its parts are messages */
};

struct downgrade {
	size_t nesting_limit;  /* mime_nesting_limit */
	size_t boundary_limit; /* mime_boundary_length_limit */
	const char *problem;   /* why the message must not go like this; NULL: it may */

	enum { DOWNGRADE_HEADER, DOWNGRADE_TEXT, DOWNGRADE_BOUNDARY } state;
	struct fields fields; /* of the entity whose header is being read */
	enum { ENTITY_LEAF, ENTITY_MULTIPART, ENTITY_DIGEST, ENTITY_MESSAGE } entity;
	bool eight_bit;                     /* it says so */
	struct buf boundary;                /* that it names */
	VEC(struct downgrade_level) levels; /* innermost last */
	struct buf names;
	bool convert;    /* the text in hand is to be encoded */
	bool in_line;    /* what comes next cannot be a boundary any more */
	bool closes;     /* the boundary line in hand ends its body */
	struct buf line; /* the beginning of a line that may be a boundary */
	size_t column;   /* of the encoded text */
	char blank;      /* must not be the last one of a line; 0: none */
};

void downgrade_begin(struct downgrade *d, size_t nesting_limit, size_t boundary_limit);
/* Appends what becomes of `in` (lines end in LF) to *out; part of it may come with a
 * later call. */
void downgrade_add(struct downgrade *d, struct str in, struct buf *out);
void downgrade_end(struct downgrade *d, struct buf *out);
void downgrade_free(struct downgrade *d);

/* RFC 2045 section 5.1: "type/subtype" without blanks and comments, and the parameter
 * `boundary` appended to *boundary. */
void content_type_parse(struct str body, struct buf *type, struct buf *boundary);

#endif
