/* tls_sign.h -- private keys that sign what is no handshake: DKIM (RFC 6376, RFC 8463).
 * By OpenSSL. Nothing here switches; what takes arithmetic BLOCKS for some hundred
 * microseconds (sign_key_make: up to seconds, with RSA), and may do so in any thread. */
#ifndef TLS_SIGN_H
#define TLS_SIGN_H

#include "base.h"

enum sign_kind { SIGN_RSA, SIGN_ED25519 };
#define SIGN_RSA_LEAST 1024 /* bits: what verifiers take (RFC 8301 section 3.2) */
#define SIGN_RSA_MOST  16384

struct sign_key;
/* An unencrypted private key as PEM, or an Ed25519 seed as 32 bytes in base64 (other
 * signers keep it like that). NULL, and why.text says why. */
struct sign_key *sign_key_read(struct str text, struct why *why) MUST_CHECK;
/* A fresh one; bits for RSA only. NULL as above. */
struct sign_key *sign_key_make(enum sign_kind kind, unsigned bits, struct why *why)
	MUST_CHECK;
/* What a record has in p=, before base64: SubjectPublicKeyInfo or RSAPublicKey of RSA
 * (RFC 6376 section 3.6.1 and verifiers differ), the 32 bytes of Ed25519 (RFC 8463
 * section 4). It verifies, and does not sign. NULL as above. */
struct sign_key *sign_key_read_public(
	enum sign_kind kind, struct str bytes, struct why *why) MUST_CHECK;
void sign_key_free(struct sign_key *key); /* NULL: nothing */

enum sign_kind sign_key_kind(const struct sign_key *key);
unsigned sign_key_bits(const struct sign_key *key);
/* Appends the private key as PEM (PKCS#8). */
int sign_key_write(const struct sign_key *key, struct buf *out) MUST_CHECK;
/* Appends what the record of a DKIM key has in p=, before base64: SubjectPublicKeyInfo of
 * RSA, the 32 bytes of Ed25519 (RFC 8463 section 4). */
int sign_key_public(const struct sign_key *key, struct buf *out) MUST_CHECK;
/* How many bits a public key has that is published in that way, an RSA key also as bare
 * RSAPublicKey (RFC 6376 section 3.6.1); 0: it is none. */
unsigned sign_public_bits(enum sign_kind kind, struct str bytes);
/* Signs a SHA-256 hash: RSASSA-PKCS1-v1_5 (RFC 6376 section 3.3.1), or PureEdDSA with the
 * hash as its message (RFC 8463 section 3). Appends to *out. */
int sign_key_use(const struct sign_key *key, struct str hash, struct buf *out) MUST_CHECK;
/* Is it the signature of that hash by that key? */
bool sign_key_verify(const struct sign_key *key, struct str hash, struct str signature);

#endif
