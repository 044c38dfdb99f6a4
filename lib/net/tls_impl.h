/* tls_impl.h -- shared by the files of TLS; the only header of ours that knows OpenSSL.
 */
#ifndef TLS_IMPL_H
#define TLS_IMPL_H

#include "net_impl.h"
#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl;
	const EVP_MD *digest;        /* of fingerprints */
	bool has_authorities;        /* without any, nobody is trusted */
	struct tls_tickets *tickets; /* NULL: none */
};

struct tls {
	SSL *ssl;
	const struct tls_context *ctx;
	bool established;
	bool broken; /* a fatal error: no goodbye */
	struct tls_info info;
	struct arena *arena; /* its texts */
	char error[256];
	struct buf session; /* for conn_tls_session() */
};

/* ---- tls_tickets.c ---- */
/* Turns tickets on as configured, or off. */
void tls_tickets_use(struct tls_context *ctx, const struct tls_config *conf);
void tls_tickets_free(struct tls_tickets *t);

/* ---- tls_sessions.c ---- */
void tls_sessions_use(struct tls_context *ctx);
void tls_session_resume(struct tls *tls, struct str session);

/* Fills in tls->info after the handshake. */
void tls_info_fill(struct tls *tls);

#endif
