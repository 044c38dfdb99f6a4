/* addrlist.h -- the addresses of To:, Cc:, Bcc: ... (RFC 5322 section 3.4). */
#ifndef ADDRLIST_H
#define ADDRLIST_H

#include "base.h"

/* One mailbox of a list: its address, and where it stands in the body: body[at, at + len)
 * is all that has to be replaced when the address changes. A name, <> and comments beside
 * it are not in there. */
struct addr_item {
	struct str address;
	size_t at, len;
};
struct addr_list {
	VEC(struct addr_item) list;
};
/* Appends the address of each mailbox in a field's body, without names, comments, groups
 * and source routes, quoted local parts as they are. Tolerant as sendmail -t has to be:
 * blanks around dots and @ are dropped, what cannot be an address is skipped. Strings are
 * in arena. */
void addr_list_parse(struct str body, struct arena *a, struct addr_list *out);
void addr_list_free(struct addr_list *l);

#endif
