/* dkim_canon.h -- the two canonical forms of DKIM (RFC 6376 section 3.4), for signers and
 * verifiers. Lines end in LF or CRLF on the way in, in CRLF on the way out; a CR without
 * LF behind it is a byte like any other. Nothing here allocates (but for the bytes behind
 * *out) or switches. */
#ifndef DKIM_CANON_H
#define DKIM_CANON_H

#include "base.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };
/* "simple" and "relaxed". */
const char *dkim_canon_name(enum dkim_canon how);
/* "header/body", or one word, where the body's is simple then (section 3.5, c=). -1: it
 * is neither. */
int dkim_canon_read(struct str text, enum dkim_canon *header, enum dkim_canon *body)
	MUST_CHECK;

/* Appends one header field (sections 3.4.1 and 3.4.2). field: with its continuation lines
 * and their ends; the last one may be missing. */
void dkim_canon_field(enum dkim_canon how, struct str field, struct buf *out);

/* A body that comes in pieces (sections 3.4.3 and 3.4.4). */
struct dkim_body {
	enum dkim_canon how;
	void (*give)(void *arg, struct str bytes); /* good during the call */
	void *arg;

	uint64_t lines; /* ends of lines, which count if text follows */
	bool any;       /* text was given */
	bool blank;     /* relaxed: blanks of this line, which count likewise */
	bool cr;        /* what may become the end of a line */
	size_t staged;
	char stage[1024];
};
void dkim_body_begin(struct dkim_body *b, enum dkim_canon how,
	void (*give)(void *arg, struct str bytes), void *arg);
void dkim_body_add(struct dkim_body *b, struct str bytes);
void dkim_body_end(struct dkim_body *b);

#endif
