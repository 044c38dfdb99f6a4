/* dkim_sign.h -- what a DKIM signature says (RFC 6376 section 5), up to the hash that a
 * private key signs, and from the signature on to the finished field. No key is ever seen
 * here, so that the process that reads mail needs none. l= is never set: what stands
 * behind it anybody could write. Nothing here switches. */
#ifndef DKIM_SIGN_H
#define DKIM_SIGN_H

#include "dkim_canon.h"
#include "tls_digest.h"

#define DKIM_HASH           32   /* bytes of SHA-256 */
#define DKIM_SIGNATURE_MOST 2048 /* bytes: of an RSA key of 16384 bits */

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_ALGORITHMS };
const char *dkim_algorithm_name(enum dkim_algorithm algorithm); /* as in a= */

/* What a signature shall say. All views are the caller's. */
struct dkim_plan {
	struct str domain, selector; /* as in the DNS: A-labels */
	enum dkim_algorithm algorithm;
	enum dkim_canon header, body;
	/* Names of fields. Of those in `fields` all that the message has are signed; of
	 * those in `oversigned` one more, which says that there is none: one added on the
	 * way breaks the signature (section 5.4.2). From is always among the latter. */
	struct strs fields, oversigned;
	int64_t at;        /* t=, seconds since 1970 */
	int64_t valid_for; /* seconds from then to x=; 0: for ever */
	/* Of ARC (RFC 8617 section 4.1.2): an ARC-Message-Signature with that i=, which
	 * signs all DKIM-Signature fields as well. 0: a DKIM-Signature. */
	unsigned instance;
};
/* Is it one, or one that cannot break the field out of its tags? */
bool dkim_name_is_domain(struct str name); /* selectors, too (section 3.1) */
bool dkim_name_is_field(struct str name);

/* A message as signers need it, read once for all its signatures. */
struct dkim_content;
/* Which canonical forms of the body there will be: NULL if there is no SHA-256. */
struct dkim_content *dkim_content_new(bool simple, bool relaxed) MUST_CHECK;
/* The message from its first byte on, as it comes; lines end in LF or CRLF, and the first
 * empty one ends the header. The bytes of the header are kept. */
void dkim_content_add(struct dkim_content *c, struct str bytes);
/* -1: the hash failed. Nothing is added any more. */
int dkim_content_end(struct dkim_content *c) MUST_CHECK;
void dkim_content_free(struct dkim_content *c); /* NULL: nothing */
/* The fields, each with its line ends, as they stand; good as long as *c. */
struct strs dkim_content_fields(const struct dkim_content *c);

/* Appends to *field the beginning of a signature's field, folded with LF, up to "b=",
 * and fills in what is to be signed. -1 and why->text: the message has no From field, or
 * the plan is none; *field is then as before. The body's form is one of those that
 * dkim_content_new() was told. */
int dkim_sign_begin(const struct dkim_plan *plan, const struct dkim_content *c,
	struct buf *field, unsigned char hash[DKIM_HASH], struct why *why) MUST_CHECK;
/* Appends the signature and the last LF. */
void dkim_sign_end(struct str signature, struct buf *field);

/* ---- dkim_signers.c: who signs, as a value of dkim_sign_maps says it ---- */
#define DKIM_SIGNERS_MOST 8 /* signatures of one message */
struct dkim_signer {
	struct str domain, selector;
	struct str key; /* a file's name in dkim_sign_key_directory */
};
/* "selector:key", several of them, and "domain=name" for all; otherwise they sign for
 * `domain`. Views of both texts. False: it is something else. */
bool dkim_signers_read(struct str value, struct str domain,
	struct dkim_signer out[DKIM_SIGNERS_MOST], size_t *n) MUST_CHECK;

#endif
