/* tls_keys.h -- private keys with their certificates, and keys that another process has.
 *
 * Who has the keys reads them into struct tls_chains, tells others the certificates
 * (tls_chains_show), and does with a key what they ask for (tls_chains_use). The others
 * give the certificates to tls_server_context(), and set tls_key_ask: OpenSSL calls it
 * in the middle of a handshake, on the stack of the coroutine whose handshake it is,
 * which may wait there for an answer. */
#ifndef TLS_KEYS_H
#define TLS_KEYS_H

#include "net.h"

#define TLS_KEY_ID 32 /* bytes: SHA-256 of the public key as SubjectPublicKeyInfo */

/* A key, by its name, and what the peer is shown. */
struct tls_chain {
	struct str key;
	struct strs certificates; /* DER; that of the key first, then those above it */
};

/* What is asked of a private key. Signatures and premaster secrets of TLS only: the key
 * decrypts nothing else. */
struct tls_key_use {
	struct str key;
	bool decrypt;      /* the premaster secret of an RSA key exchange; else: sign */
	struct str digest; /* "SHA2-256"; empty with Ed25519 and Ed448 */
	bool pss;          /* RSASSA-PSS, its salt as long as the digest */
	uint32_t client_version, negotiated_version; /* of TLS, when decrypting */
	struct str data;
};
#define TLS_KEY_DATA 8192 /* longest data that a handshake has for a key */

/* 0: the signature, or the premaster secret, is appended to *out. -1: there is none, and
 * the handshake fails. NULL where keys are never elsewhere. May switch. */
extern int (*tls_key_ask)(const struct tls_key_use *use, struct buf *out);

/* ---- for who has them ---- */
struct tls_chains;
struct tls_chains *tls_chains_new(void);
void tls_chains_free(struct tls_chains *c);
/* PEM as smtpd_tls_chain_files takes it, called for each file in turn: a private key, its
 * certificate, those above it, perhaps another key ... `file` is for messages. Ends with
 * tls_chains_end(). -1 and *why. */
int tls_chains_add(struct tls_chains *c, struct str pem, struct str file, struct why *why)
	MUST_CHECK;
int tls_chains_end(struct tls_chains *c, struct str file, struct why *why) MUST_CHECK;
/* The older parameters: certificates in one file, the key there or in another. */
struct tls_pem {
	struct str text, file;
};
int tls_chains_add_pair(struct tls_chains *c, struct tls_pem cert, struct tls_pem key,
	struct why *why) MUST_CHECK;
size_t tls_chains_count(const struct tls_chains *c);
/* The name of a key, TLS_KEY_ID bytes that stay with *c; what peers are shown of it. */
struct str tls_chains_key(const struct tls_chains *c, size_t i);
struct tls_chain tls_chains_show(
	const struct tls_chains *c, size_t i, struct arena *arena);
/* BLOCKS: some hundred microseconds of arithmetic; in any thread. As tls_key_ask. */
int tls_chains_use(const struct tls_chains *c, size_t i, const struct tls_key_use *use,
	struct buf *out) MUST_CHECK;

/* Reads the settings of the OpenSSL library (tls_config_file, tls_config_name) before its
 * first use, and before the jail. */
int tls_library_open(struct str file, struct str application, struct why *why) MUST_CHECK;

#endif
