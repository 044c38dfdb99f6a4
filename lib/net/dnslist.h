/* dnslist.h -- lists of hosts and domains in the DNS (RFC 5782): which name is asked for,
 * and which of the answers count. Who asks is somebody else. */
#ifndef DNSLIST_H
#define DNSLIST_H

#include "net.h"

struct dnslist {
	struct str domain;
	struct str filter; /* of addresses: "127.0.0.[2..11]"; empty: any */
};
/* "domain" or "domain=d.d.d.d", where each d is a number or, in brackets, numbers and
 * ranges: [1;4..7]. The views point into spec. -1 and *why. */
int dnslist_parse(struct str spec, struct dnslist *out, struct why *why) MUST_CHECK;
/* Does an answer (an IPv4 address as text) say that the subject is listed? */
bool dnslist_counts(const struct dnslist *l, struct str address);
/* RFC 5782 sections 2.1 and 2.4: the address turned round, octets or nibbles, in front of
 * a domain: "1.2.0.192.list.example". */
struct str dnslist_reversed(
	const struct net_addr *a, struct str domain, struct arena *arena) MUST_CHECK;

#endif
