/* parts.h -- a message taken apart while it passes through: the fields of its header and
 * of the headers of its MIME parts (RFC 2046), text, and the boundary lines between
 * parts. All bytes are given to one of the calls, in their order. */
#ifndef PARTS_H
#define PARTS_H

#include "fields.h"

/* Whose header it is. */
enum part_header {
	HEADER_PRIMARY, /* the message's */
	HEADER_PART,    /* of a part of a multipart */
	HEADER_NESTED,  /* of a message within the message */
};
/* What a header says of its body. */
enum part_entity {
	ENTITY_LEAF,
	ENTITY_MULTIPART,
	ENTITY_DIGEST,
	ENTITY_MESSAGE,
	ENTITY_FRAGMENT /* message/partial, message/external-body: not looked into */
};
/* RFC 2045 section 6.1: what may be in the body as it is sent. */
enum part_encoding {
	ENCODING_7BIT,
	ENCODING_8BIT,
	ENCODING_BINARY,
	ENCODING_QUOTED_PRINTABLE,
	ENCODING_BASE64
};

struct parts;
/* Each may switch if the caller of parts_add() may. */
struct parts_calls {
	void (*field)(void *arg, struct field *f);
	/* The empty line is not given: it is the callee's to write. cut_short: there is
	 * none, the message ends in its header, or the header of a part with a line that
	 * is no field. */
	void (*header_end)(void *arg, bool cut_short);
	/* Part of a body, of any length. */
	void (*text)(void *arg, struct str bytes);
	/* Part of a boundary line; a new header or an epilogue follows. */
	void (*boundary)(void *arg, struct str bytes);
};

/* What a body that can hold other bodies left to wait for. */
struct parts_level {
	size_t start, len; /* the boundary, in names; none: of a message/rfc822 */
	bool digest;       /* RFC 2046 section 5.1.5: its parts are messages */
};

struct parts {
	/* Set by the user, with zeroes behind it. */
	const struct parts_calls *calls;
	void *arg;
	size_t field_limit;    /* header_size_limit: a longer field is cut */
	size_t nesting_limit;  /* mime_nesting_limit: what is deeper, by two, is text */
	size_t boundary_limit; /* mime_boundary_length_limit */
	bool only_primary;     /* all behind the message's own header is text */
	/* May be read. */
	enum part_header header; /* being read, or read last */
	enum part_entity entity; /* of the body behind it */
	/* Of the header so far, then of the text in hand. */
	enum part_encoding encoding;
	bool unterminated;  /* the header ended with a line that is no field */
	bool too_deep, cut; /* a limit was met */
	/* Its own. */
	enum { PARTS_HEADER, PARTS_TEXT, PARTS_BOUNDARY } state;
	struct fields fields;
	struct buf name;                /* the boundary that the header names */
	VEC(struct parts_level) levels; /* innermost last */
	struct buf names, line; /* line: the beginning of one that may be a boundary */
	bool in_line;           /* what comes next cannot be a boundary any more */
	bool closes;            /* the boundary line in hand ends its body */
	bool begun;
};

/* Lines end in LF. Some of it may come with a later call. */
void parts_add(struct parts *p, struct str in);
void parts_end(struct parts *p);
/* All behind the header in hand is text: nobody looks for parts any more. */
void parts_ignore(struct parts *p);
void parts_free(struct parts *p);

/* RFC 2045 section 5.1: "type/subtype" without blanks and comments, and the parameter
 * `boundary` appended to *boundary. */
void content_type_parse(struct str body, struct buf *type, struct buf *boundary);
/* What the field's Content-Transfer-Encoding says. RFC 2045 section 6.4: what nobody
 * knows is octets that have to pass: 7-bit ones, for all we can tell. */
enum part_encoding transfer_encoding_parse(struct str body);

#endif
