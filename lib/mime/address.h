/* address.h -- RFC 5321 mailboxes, taken apart once and carried as two views.
 *
 * Nothing here blocks or switches, and address_parse does not allocate: local and domain
 * point into the bytes the caller passed, and are good for exactly as long as those are.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "base.h"

struct address {
	struct str local; /* as sent, quotes and backslashes included */
	struct str
		domain; /* without the @; empty for <>, <postmaster> (and loose <user>) */
};

enum {
	ADDRESS_UTF8 = 1, /* after SMTPUTF8: RFC 6531 section 3.3 */
	ADDRESS_LOOSE =
		2, /* what strict_rfc821_envelopes = no forgives: missing <>, a phrase
		      or comment beside them, a missing domain, "a..b", "host_name" */
	ADDRESS_SENDER = 4, /* errors are 5.1.7 (sender) instead of 5.1.3 */
};

/* Reads one path of MAIL FROM or RCPT TO with its angle brackets (RFC 5321
 * section 4.1.2). A source route is accepted and dropped (appendix C).
 *
 * ACCEPT    fills in *out.
 * PERMFAIL  leaves *out alone; *why holds 5.1.3 or 5.1.7 and a text fit for the reply.
 * TEMPFAIL  is never returned. */
enum verdict address_parse(struct str path, unsigned how, struct address *out,
	struct why *why) NONNULL MUST_CHECK;

/* Splits the first path off a command's argument: up to the > that ends it, or the first
 * blank outside quotes when there is no <. What follows stays in *rest. */
struct str address_path_token(struct str *rest) NONNULL;

/* The address as the queue keeps it: local part without quotes and backslashes, an @ and
 * the domain when there is one. A view of what was sent when that is the same. */
struct str address_internal(const struct address *a, struct arena *arena) NONNULL;

/* Is it a domain of RFC 5321 section 4.1.2: labels of letters, digits and inner hyphens
 * (with UTF-8: U-labels)? With ADDRESS_LOOSE underscores are letters too. */
bool address_domain_is_valid(struct str domain, unsigned how);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
bool address_literal_is_valid(struct str literal);
/* Well-formed UTF-8 without surrogates and overlong forms (RFC 3629). */
bool address_utf8_is_valid(struct str s);

#endif
