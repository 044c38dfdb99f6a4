/* sign.h -- fields that dkimsign signs: of DKIM (sign.c) and of ARC (seal.c). */
#ifndef SIGN_H
#define SIGN_H

#include "message.h"
#include "dkim_sign.h"

/* The key says which algorithm it is for, so there are two beginnings and two hashes. */
struct unsigned_field {
	struct buf texts[DKIM_ALGORITHMS];
	unsigned char hashes[DKIM_ALGORITHMS][DKIM_HASH];
};
void unsigned_field_free(struct unsigned_field *f);
/* Appends the one that the key is for, signed. -1 and why->text. */
SWITCHES int sign_field(struct message *m, struct str key, struct unsigned_field *f,
	struct buf *out, struct why *why) MUST_CHECK;
/* Appends the signature of a message, by a plan of whatever algorithm. -1 and why->text.
 */
SWITCHES int sign_message_field(struct message *m, struct dkim_plan *plan, struct str key,
	const struct dkim_content *content, struct buf *out, struct why *why) MUST_CHECK;
/* What main.cf says of all signatures; they never expire. */
struct dkim_plan sign_plan(const struct dkim_signer *signer);
/* The message, lines ending in LF, read as it will be sent. NULL: OpenSSL does not hash.
 */
SWITCHES struct dkim_content *sign_hash(struct buf *text) MUST_CHECK;
/* A signature that cannot be had: the message waits, or goes without. scheme: "DKIM",
 * "ARC". */
void sign_fail(struct message *m, const char *scheme, const char *what);

#endif
