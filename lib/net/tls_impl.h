/* tls_impl.h -- shared by the files of TLS; the only header of ours that knows OpenSSL.
 */
#ifndef TLS_IMPL_H
#define TLS_IMPL_H

#include "net_impl.h"
#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl;
	const EVP_MD *digest; /* of fingerprints */
	bool has_authorities; /* without any, nobody is trusted */
};

struct tls {
	SSL *ssl;
	const struct tls_context *ctx;
	bool established;
	bool broken; /* a fatal error: no goodbye */
	struct tls_info info;
	struct arena *arena; /* its texts */
	char error[256];
};

/* Fills in tls->info after the handshake. */
void tls_info_fill(struct tls *tls);

#endif
