/* tls_digest.h -- hashes and what is made of them, by OpenSSL: for mechanisms that prove
 * that they know a password (lib/sasl), and for DKIM (lib/auth). Nothing here switches;
 * digest_pbkdf2() takes some 0.2 ms for a thousand rounds. */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include "base.h"

enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 };
#define DIGEST_MOST 32 /* bytes of the longest */
size_t digest_size(enum digest d);
/* out: digest_size() bytes. -1: this OpenSSL does not do that (MD5 where FIPS 140 rules).
 */
int digest_of(enum digest d, struct str in, unsigned char *out) MUST_CHECK;
/* The same for bytes that come in pieces: NULL where digest_of() fails. The last call
 * gives the hash (out may be NULL: it is not wanted), and *run is gone. */
struct digest_run;
struct digest_run *digest_begin(enum digest d) MUST_CHECK;
void digest_add(struct digest_run *run, struct str in);
int digest_end(struct digest_run *run, unsigned char *out);
int digest_hmac(enum digest d, struct str key, struct str in, unsigned char *out)
	MUST_CHECK; /* RFC 2104 */
/* RFC 8018 section 5.2, one block; iterations > 0. */
int digest_pbkdf2(enum digest d, struct str password, struct str salt,
	unsigned iterations, unsigned char *out) MUST_CHECK;
/* Takes as long wherever they differ. */
bool digest_equal(const unsigned char *a, const unsigned char *b, size_t size);

#endif
