/* dkim_verify.h -- what the DKIM signatures of a message are worth (RFC 6376, RFC 8463).
 *
 * libopendkim judges, and nothing of it shows. Around it is what it needs: it gets its
 * DNS from struct auth_dns, lines with CRLF, keys in the form that it reads; what it
 * would let pass and RFC 8301 does not, is not passed. It has been broken into before:
 * strangers' mail is shown to it in mailauth only. */
#ifndef DKIM_VERIFY_H
#define DKIM_VERIFY_H

#include "auth_dns.h"

enum dkim_result { /* RFC 8601 section 2.7.1 */
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY, /* good, but not good enough: rsa-sha1, a short key */
	DKIM_NEUTRAL,
	DKIM_TEMPERROR,
	DKIM_PERMERROR,
};

struct dkim_rules {
	unsigned signatures; /* looked at; further ones are passed over */
	unsigned key_bits;   /* the shortest RSA key that counts */
};

struct dkim_verifier;
/* The caller keeps *dns. NULL and *why: there is no memory, or no library in this build.
 */
struct dkim_verifier *dkim_verify_new(const struct auth_dns *dns,
	const struct dkim_rules *rules, deadline_t until, struct why *why) MUST_CHECK;
/* The message from its first byte on, as it comes; lines end in LF. */
SWITCHES void dkim_verify_add(struct dkim_verifier *v, struct str bytes);
/* Says of each signature, in the order of the header, what came of it (struct
 * dkim_verdict, lib/ipc/messages_auth.h). Everything in *out is in arena. Nothing is
 * added any more. */
SWITCHES void dkim_verify_end(struct dkim_verifier *v, struct arena *arena,
	struct dkim_verdict **out, size_t *n);
void dkim_verify_free(struct dkim_verifier *v); /* NULL: nothing */

/* ---- dkim_key.c ---- */
/* The reply of the DNS as the packet that libopendkim reads: the code, the question, and
 * the texts, bare RSA public keys (RFC 3447 appendix A.1.1, as RFC 6376 section 3.6.1 has
 * them in its text) wrapped up as it wants them. Its length; 0: it does not fit. */
size_t dkim_key_packet(
	struct str name, const struct dns_reply *said, unsigned char *out, size_t room);
/* Appends the text of a key record, its p= perhaps wrapped up. */
void dkim_key_wrap(struct str record, struct buf *out);

#endif
