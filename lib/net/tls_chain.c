/* tls_chain.c -- the certificates of a server, for people to read. */
#include "tls_impl.h"
#include <openssl/err.h>
#include <openssl/pem.h>

/* "/CN=mx.example" */
static void
add_name(struct buf *out, const X509_NAME *name)
{
	char *text = X509_NAME_oneline(name, NULL, 0);

	buf_addz(out, text ? text : "");
	OPENSSL_free(text);
}

static void
add_pem(struct buf *out, X509 *x)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *pem;
	long len;

	if (memory && PEM_write_bio_X509(memory, x) == 1) {
		len = BIO_get_mem_data(memory, &pem);
		buf_add(out, str_of(pem, (size_t)len));
	}
	BIO_free(memory);
}

void
conn_tls_chain(const struct conn *c, struct buf *out)
{
	struct tls *tls = c->tls;
	STACK_OF(X509) *chain = NULL;

	if (!conn_tls_info(c))
		return;
	if (tls->ctx->has_authorities)
		chain = SSL_get0_verified_chain(tls->ssl);
	if (!chain)
		chain = SSL_get_peer_cert_chain(tls->ssl);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *x = sk_X509_value(chain, i);

		buf_printf(out, "%2d subject: ", i);
		add_name(out, X509_get_subject_name(x));
		buf_addz(out, "\n    issuer: ");
		add_name(out, X509_get_issuer_name(x));
		buf_printf(out,
			"\n   cert digest=" STR_FMT "\n   pkey digest=" STR_FMT "\n",
			STR_ARG(tls_fingerprint(tls, x)),
			STR_ARG(tls_key_fingerprint(tls, x)));
		add_pem(out, x);
	}
	ERR_clear_error();
}
