/* claims.h -- "NAME=value ..." of XCLIENT and XFORWARD, values in xtext (RFC 3461). */
#ifndef CLAIMS_H
#define CLAIMS_H

#include "session.h"

struct claim {
	const char *name;
	size_t offset; /* of its struct str */
};
/* Puts the values into the strings at `into`, in the session's arena; what is said to be
 * unknown ([UNAVAILABLE]) becomes "", what is not mentioned stays as it is. False: a
 * mistake, and it was replied to. */
SWITCHES bool claims_read(struct session *s, const char *verb, struct str rest,
	const struct claim *known, size_t n, void *into);
/* Is it the "" of [TEMPUNAVAIL]? */
bool claim_is_unsure(struct str value);
/* Is it a host's name, or ""? */
bool claim_is_hostname(struct str s);
/* A number of a port, or "". */
bool claim_is_port(struct str s);

#endif
