/* auth_dns.h -- who answers the questions that sender authentication has for the DNS:
 * dns(8), for commands its library, for tests a table. */
#ifndef AUTH_DNS_H
#define AUTH_DNS_H

#include "messages.h"

struct auth_dns {
	/* One question. `name` is as text in the sense of RFC 1035 section 5.1: bytes
	 * that are no letters may come as \DDD. Gives what dns(8) would give, in arena;
	 * DNS_TEMPFAIL also when `until` passes or the caller is cancelled. */
	SWITCHES enum dns_status (*ask)(void *arg, struct str name, uint16_t type,
		struct arena *arena, deadline_t until, struct dns_reply *said);
	void *arg;
};

#endif
