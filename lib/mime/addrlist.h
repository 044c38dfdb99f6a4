/* addrlist.h -- the addresses of To:, Cc:, Bcc: ... (RFC 5322 section 3.4). */
#ifndef ADDRLIST_H
#define ADDRLIST_H

#include "base.h"

/* Appends the address of each mailbox in a field's body, without names, comments, groups
 * and source routes, quoted local parts as they are. Tolerant as sendmail -t has to be:
 * blanks around dots and @ are dropped, what cannot be an address is skipped. Strings are
 * in arena. */
struct addr_list {
	VEC(struct str) list;
};
void addr_list_parse(struct str body, struct arena *a, struct addr_list *out);
void addr_list_free(struct addr_list *l);

#endif
