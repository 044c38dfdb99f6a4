/* tls_impl.h -- shared by the files of TLS; the only header of ours that knows OpenSSL.
 */
#ifndef TLS_IMPL_H
#define TLS_IMPL_H

#include "net_impl.h"
#include "tls_keys.h"
#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl;
	const EVP_MD *digest; /* of fingerprints */
	bool has_authorities; /* without any, nobody is trusted */
	bool has_dane;
	struct tls_tickets *tickets; /* NULL: none */
	size_t shared;               /* by whom else: connections */
	/* Servers: */
	EVP_PKEY *dh; /* parameters for DHE; NULL: OpenSSL's own choice */
	int depth;    /* of peers' chains */
	int (*sni)(struct str name, struct arena *arena, const struct tls_chain **chains,
		size_t *n);
};

struct tls {
	SSL *ssl;
	struct tls_context *ctx; /* shared */
	bool established;
	bool broken;   /* a fatal error: no goodbye */
	bool has_dane; /* TLSA records decide whom we trust */
	int trace;     /* see tls_trace.c */
	struct str who;
	SSL_verify_cb verify; /* which tracing stands in front of */
	struct tls_info info;
	struct arena *arena; /* its texts */
	char error[256];
	struct strs problems; /* of the last error */
	bool sni_found;     /* certificates were chosen by the name that was asked for */
	struct buf session; /* for conn_tls_session() */
};

/* ---- tls_context.c ---- */
struct tls_context *tls_context_new(
	bool server, const struct tls_config *conf, struct why *why);
/* Protocols and ciphers for one connection. -1: there are none like that. */
int tls_terms_use(SSL *ssl, const struct tls_config *terms) MUST_CHECK;
/* For one more owner; each ends with tls_context_free(). */
struct tls_context *tls_context_share(struct tls_context *ctx);

/* ---- tls_keys.c ---- */
struct tls_own_chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * above; /* NULL: none */
	unsigned char id[TLS_KEY_ID];
};
void tls_own_chain_clear(struct tls_own_chain *c);
const struct tls_own_chain *tls_chains_item(const struct tls_chains *c, size_t i);
/* The name of a key, either half of it. -1: it has none. */
int tls_key_id(EVP_PKEY *key, unsigned char *id);
/* What OpenSSL says was wrong; empties its queue. */
const char *tls_library_reason(char *room, size_t size);
/* -1, and in *why: WHAT FILE: the reason. */
int tls_refuse(struct why *why, struct str file, const char *what);

/* ---- tls_certificates.c ---- */
int tls_certificates_use(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
	MUST_CHECK;
int tls_authorities_use(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
	MUST_CHECK;
/* Instead of those of its context. -1: it has none now. */
int tls_chains_for(SSL *ssl, const struct tls_chain *chains, size_t n) MUST_CHECK;

/* ---- tls_options.c: bits of OpenSSL by name, or in hexadecimal ---- */
uint64_t tls_options_parse(struct str text);     /* tls_ssl_options */
uint64_t tls_workarounds_parse(struct str text); /* tls_disable_workarounds */

/* ---- tls_elsewhere.c ---- */
/* The private key that belongs to a public one, for TLS contexts: what it is used for is
 * asked of tls_key_ask. The caller's; NULL: not of a type for TLS. */
EVP_PKEY *tls_key_elsewhere(EVP_PKEY *public);

/* ---- tls_trace.c ---- */
void tls_trace_begin(struct tls *tls, int level, struct str who);

/* ---- tls_dane.c ---- */
/* Clients: turns DANE on. -1: digests name none. */
int tls_dane_use(struct tls_context *ctx, struct str digests, struct why *why) MUST_CHECK;
/* Before the handshake. -1: it must not be. */
int tls_dane_start(struct tls *tls, const struct tls_dane *dane) MUST_CHECK;

/* ---- tls_tickets.c ---- */
/* Turns tickets on as configured, or off. */
void tls_tickets_use(struct tls_context *ctx, const struct tls_config *conf);
void tls_tickets_free(struct tls_tickets *t);

/* ---- tls_sessions.c ---- */
void tls_sessions_use(struct tls_context *ctx);
void tls_session_resume(struct tls *tls, struct str session);

/* ---- tls_info.c ---- */
/* Fills in tls->info after the handshake. */
void tls_info_fill(struct tls *tls);
/* Of a certificate, and of the key in it (its SubjectPublicKeyInfo), with the context's
 * digest. */
struct str tls_fingerprint(struct tls *tls, X509 *x);
struct str tls_key_fingerprint(struct tls *tls, X509 *x);

#endif
