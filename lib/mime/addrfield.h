/* addrfield.h -- header fields in which addresses stand (RFC 5322 section 3.6). */
#ifndef ADDRFIELD_H
#define ADDRFIELD_H

#include "fields.h"

/* Whose addresses: parameters treat senders and recipients each in their own way. */
enum addr_field { ADDR_FIELD_OTHER, ADDR_FIELD_SENDER, ADDR_FIELD_RECIPIENT };
enum addr_field addr_field_kind(const struct field *f);

/* Puts what become() makes of each address (without quotes, as in the queue) where it
 * stands, of the first `most` ones; names, comments, blanks and folds stay as the author
 * wrote them. The field changes, in arena, only if one of them did. Switches if become()
 * does. */
void addr_field_rewrite(struct field *f, size_t most,
	struct str (*become)(void *arg, struct str address), void *arg,
	struct arena *arena);

#endif
