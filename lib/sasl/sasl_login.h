/* sasl_login.h -- proves to a server who we are, by SASL (RFC 4422): the client's side of
 * its mechanisms, each a row of a table and a function from challenge to response. Octets
 * go in and out; base64 is the protocol's affair. Nothing here allocates without a bound,
 * and nothing switches, though a step of SCRAM may take some 50 ms: those that are slow.
 *
 * Not Cyrus SASL: it may hang, reads files, loads plug-ins, and would have to run in the
 * process that talks to strangers. What it is to smtp_sasl_type = cyrus, a set of
 * mechanisms with names and properties, is this table. */
#ifndef SASL_LOGIN_H
#define SASL_LOGIN_H

#include "sasl.h"

/* A server's challenge, and ours: more is a refusal. RFC 4954 section 4.4 wants 12288
 * octets of base64. */
#define SASL_CHALLENGE_MOST ((size_t)8192)

struct sasl_login;
struct sasl_login_mechanism {
	struct sasl_mechanism m;
	bool token;        /* the password is a token of OAuth 2 */
	bool server_first; /* there is no initial response */
	bool slow;
	unsigned digest; /* enum digest, of SCRAM */
	/* challenge NULL: nothing came from the server yet. False and *why: it is over.
	 */
	bool (*step)(struct sasl_login *l, const struct str *challenge, struct buf *out,
		struct why *why);
};
/* What proves it. The strings are copied, and wiped in the end. */
struct sasl_login_secret {
	struct str user, password;
	struct str host; /* the server, for OAUTHBEARER */
	unsigned port;
	struct str nonce; /* of SCRAM: printable without commas; none: by chance */
};
/* All there are, the best first; NULL behind the last. */
const struct sasl_login_mechanism *sasl_login_mechanism(size_t i);
/* The best of those offered that the options allow; NULL: there is none. A mechanism for
 * tokens only where `tokens` holds: a password is no token. */
const struct sasl_login_mechanism *sasl_login_choose(
	const struct strs *offered, const struct sasl_options *options, bool tokens);

/* *out: the initial response; *has_initial: there is one, perhaps of no octets. NULL and
 * *why: it cannot be done with this secret. */
struct sasl_login *sasl_login_begin(const struct sasl_login_mechanism *m,
	const struct sasl_login_secret *secret, struct buf *out, bool *has_initial,
	struct why *why) MUST_CHECK;
/* The response to a challenge goes to *out. False and *why: not a server to go on with,
 * the exchange has to be cancelled. */
bool sasl_login_step(struct sasl_login *l, struct str challenge, struct buf *out,
	struct why *why) MUST_CHECK;
/* The server says that this was it. False and *why: it proved nothing where the mechanism
 * demands that (RFC 5802 section 5). */
bool sasl_login_finish(struct sasl_login *l, struct why *why) MUST_CHECK;
void sasl_login_end(struct sasl_login *l);

#endif
