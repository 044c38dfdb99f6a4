/* fields.h -- a message's header section taken apart into fields while it arrives
 * (RFC 5322 section 2.2). Nothing here switches or knows what a field means. */
#ifndef FIELDS_H
#define FIELDS_H

#include "base.h"

/* One header field with its continuation lines, each line ending in LF. */
struct field {
	struct str text; /* all of it */
	struct str name; /* without the colon and blanks before it */
	struct str body; /* behind the colon, to the end, last LF included */
};

/* Feed it lines as they come; it gathers one field at a time. */
struct fields {
	size_t limit; /* header_size_limit, without the last LF: longer fields are cut */
	struct buf line;    /* a line that came in pieces, or is looked at twice */
	struct buf pending; /* the field that may still be continued */
	bool given;         /* pending was given out: the next call forgets it */
	bool skipping;      /* dropping the rest of a line that was too long */
	bool cut;           /* some field was longer than the limit */
	bool ended;         /* the header section is over */
	bool unterminated;  /* by a line that is no field, not by an empty one */
};

enum fields_event {
	FIELDS_MORE,  /* *in is used up, no field is complete */
	FIELDS_FIELD, /* *field is good until the next call */
	FIELDS_END,   /* the header section ended; *in is at the body */
};
/* Takes complete lines off *in until a field or the end of the section is reached. The
 * empty line that ends the section is consumed; a line that cannot be a field also ends
 * it, and stays in *in or, where it came in pieces, in fields.line (then it is the body's
 * first bytes). FIELDS_FIELD is given for the last field before FIELDS_END. */
enum fields_event fields_next(struct fields *f, struct str *in, struct field *field);
/* At the end of the content: the field or line that was not complete. */
enum fields_event fields_finish(struct fields *f, struct field *field);
void fields_free(struct fields *f);

/* Is the line (without LF) the start of a field? Fills in the name. RFC 5322 section 2.2:
 * at most 998 printable characters other than the colon; blanks before it are tolerated.
 */
bool field_start(struct str line, struct str *name);
bool field_is(const struct field *f, const char *name); /* any case */
/* The body on one line: folds removed, blanks trimmed. */
struct str field_unfold(const struct field *f, struct arena *a);

#endif
