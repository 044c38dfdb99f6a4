/* dmarc_destinations.h -- who wants the aggregate reports about a domain (RFC 9990
 * section 3 and 4). */
#ifndef DMARC_DESTINATIONS_H
#define DMARC_DESTINATIONS_H

#include "auth_dns.h"
#include "dmarc.h"

enum { DMARC_DESTINATIONS_MOST = 8 }; /* of a domain; more are not looked at */

struct dmarc_destination {
	struct str address;
	octets_t most; /* "!10m": no larger mail goes there; 0: any */
};
struct dmarc_destinations {
	struct str record; /* as published; empty: there is none any more */
	struct dmarc_destination items[DMARC_DESTINATIONS_MOST];
	size_t n;
	bool in_doubt; /* the DNS did not tell all of it now */
};
/* Only addresses whose domains belong to the same organization or say that they want
 * them. Strings are in arena. */
SWITCHES void dmarc_destinations(const struct auth_dns *dns, struct str domain,
	struct arena *arena, deadline_t until, struct dmarc_destinations *out);

#endif
