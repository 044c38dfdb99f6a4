/* hosts.h -- what hosts.c lends to others: questions to the dns service. */
#ifndef HOSTS_H
#define HOSTS_H

#include "messages.h"
#include <arpa/nameser.h>

struct session;

/* One question. Names that cannot be in the DNS do not exist; a service that does not
 * answer is DNS_TEMPFAIL. `flags`: DNS_HOSTS ... */
SWITCHES enum dns_status hosts_ask(struct str name, uint16_t type, uint32_t flags,
	struct arena *arena, struct dns_reply *said);
/* The same about any name, a host's or not, as text in the sense of RFC 1035 section 5.1.
 * DNS_TEMPFAIL when `until` passes. */
SWITCHES enum dns_status hosts_ask_text(struct str name, uint16_t type, uint32_t flags,
	deadline_t until, struct arena *arena, struct dns_reply *said);
/* RFC 7505: is it the one MX record whose name is the root? */
bool hosts_null_mx(const struct dns_reply *said);

#endif
