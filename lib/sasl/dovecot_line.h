/* dovecot_line.h -- the lines of Dovecot's authentication protocol, version 1: words and
 * parameters with tabs between them, \001 in front of what would be taken for a separator
 * (Dovecot's documentation, "Authentication Protocol"). */
#ifndef DOVECOT_LINE_H
#define DOVECOT_LINE_H

#include "sasl_impl.h"

#define DOVECOT_LINE_MOST   16384 /* what both sides expect at most, Dovecot says */
#define DOVECOT_MECHS_MOST  100
#define DOVECOT_MECH_LENGTH 64

/* What the server may say. */
enum dovecot_word {
	DOVECOT_VERSION,
	DOVECOT_MECH,
	DOVECOT_DONE, /* that was the handshake */
	DOVECOT_OK,
	DOVECOT_FAIL,
	DOVECOT_CONT,
	DOVECOT_OTHER, /* nothing to us: SPID, CUID, COOKIE, of later versions */
};
struct dovecot_line {
	enum dovecot_word word;
	uint32_t major;                  /* VERSION */
	struct sasl_mechanism mechanism; /* MECH; a view into the line */
	uint32_t id;                     /* of the request: OK, FAIL, CONT */
	struct str challenge;            /* CONT: base64, a view into the line */
	struct str user, reason;         /* OK, FAIL: printable, in the arena; or none */
	bool temporary;                  /* FAIL: nobody was judged */
};
/* Reads one without its line end. False: no server of this protocol says that. */
bool dovecot_line_read(struct str line, struct arena *arena, struct dovecot_line *out)
	MUST_CHECK;
/* Appends a parameter's value, escaped. */
void dovecot_add_escaped(struct buf *out, struct str value);

#endif
