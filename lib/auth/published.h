/* published.h -- what a domain publishes for mail, and what is wrong with it: MX, SPF,
 * DKIM, DMARC, MTA-STS, TLSRPT, TLSA. What only other servers can tell (the policy of
 * MTA-STS, the certificates of others) is not looked at. */
#ifndef PUBLISHED_H
#define PUBLISHED_H

#include "auth_dns.h"

enum published_level {
	PUBLISHED_GOOD,
	PUBLISHED_ABSENT,  /* and it may be */
	PUBLISHED_WARNING, /* mail goes, but not as well as it might */
	PUBLISHED_ERROR,   /* or it could not be found out */
};
/* "ok", "absent" ... */
const char *published_level_name(enum published_level level);

/* A key that signs for the domain. */
struct published_key {
	struct str selector, domain;
	struct str record; /* what has to be published; empty: not known */
};
struct published_question {
	struct str domain; /* in its ASCII form */
	const struct published_key *keys;
	size_t n_keys;
	struct str host;     /* of ours, */
	struct str tls_keys; /* with the keys of these certificates: SHA-256 of each
			      * (tls_certificate_keys()); empty: not known */
	const struct auth_dns *dns;
	deadline_t until;
	/* Is told each finding; text is printable and good during the call. */
	void (*tell)(void *arg, enum published_level level, const char *subject,
		struct str text);
	void *arg;
};

SWITCHES void published_check(const struct published_question *q, struct arena *arena);

#endif
