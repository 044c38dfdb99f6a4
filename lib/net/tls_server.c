/* tls_server.c -- what only servers have: parameters for DHE, certificates by name,
 * clients' certificates, ALPN. */
#include "tls_impl.h"
#include "log.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

/* ---- DHE (before TLS 1.3) ---- */

/* A group of 2048 bits that everybody knows (RFC 7919 appendix A.1). */
static EVP_PKEY *
known_group(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	char name[] = "ffdhe2048";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *dh = NULL;

	if (ctx && EVP_PKEY_paramgen_init(ctx) > 0 &&
		EVP_PKEY_CTX_set_params(ctx, params) > 0)
		(void)EVP_PKEY_paramgen(ctx, &dh);
	EVP_PKEY_CTX_free(ctx);
	return dh;
}

static EVP_PKEY *
group_of(struct str file)
{
	char path[4096], reason[200];
	EVP_PKEY *dh = NULL;
	BIO *in;

	snprintf(path, sizeof(path), STR_FMT, STR_ARG(file));
	in = BIO_new_file(path, "r");
	if (in)
		dh = PEM_read_bio_Parameters(in, NULL);
	BIO_free(in);
	if (dh && EVP_PKEY_is_a(dh, "DH"))
		return dh;
	EVP_PKEY_free(dh);
	log_warn("error decoding DH parameters from file \"%s\": %s -- using compiled-in "
		 "defaults",
		path, tls_library_reason(reason, sizeof(reason)));
	return known_group();
}

static void
use_dh(struct tls_context *ctx, const struct tls_config *conf)
{
	if (conf->base)
		ctx->dh = conf->base->dh;
	else if (conf->dh_file.len == 0)
		ctx->dh = known_group();
	else if (!str_case_is(conf->dh_file, "auto"))
		ctx->dh = group_of(conf->dh_file);
	if (conf->base && ctx->dh)
		EVP_PKEY_up_ref(ctx->dh);
	if (ctx->dh && EVP_PKEY_up_ref(ctx->dh) == 1 &&
		SSL_CTX_set0_tmp_dh_pkey(ctx->ssl, ctx->dh) == 1)
		return;
	ERR_clear_error();
	SSL_CTX_set_dh_auto(ctx->ssl, 1);
}

/* ---- names (RFC 6066 section 3) ---- */

/* OpenSSL calls in the middle of the handshake, on the stack of its coroutine. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	struct tls *tls = SSL_get_app_data(ssl);
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_chain *chains;
	size_t n;
	int found;

	(void)arg;
	if (!name || !*name || !tls->ctx->sni)
		return SSL_TLSEXT_ERR_NOACK;
	found = tls->ctx->sni(str_c(name), arena, &chains, &n);
	ERR_clear_error(); /* of those who ran meanwhile */
	if (found == 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (found < 0 || tls_chains_for(ssl, chains, n) < 0) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	tls->sni_found = true;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- ALPN (RFC 7301) ---- */

/* Who names protocols and not ours meant somebody else, perhaps a web server that shares
 * a certificate with us, and was led here by an attacker (the ALPACA attacks). */
static int
on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
	const unsigned char *offered, unsigned len, void *arg)
{
	static const unsigned char ours[] = "\4smtp";
	unsigned char *at;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&at, chosen_len, ours, sizeof(ours) - 1, offered,
		    len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = at;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- clients' certificates ---- */

/* Nobody is turned away for a certificate that we cannot verify: the session looks at
 * tls_info and decides. */
static int
accept_any(int ok, X509_STORE_CTX *store)
{
	SSL *ssl =
		X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls *tls = SSL_get_app_data(ssl);

	(void)ok;
	if (X509_STORE_CTX_get_error_depth(store) > tls->ctx->depth + 1)
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_CHAIN_TOO_LONG);
	return 1;
}

static void
use_client_certificates(struct tls_context *ctx, const struct tls_config *conf)
{
	if (!conf->ask_certificate && !conf->require_certificate)
		return;
	ctx->depth = conf->verify_depth;
	SSL_CTX_set_verify_depth(ctx->ssl, conf->verify_depth + 1);
	SSL_CTX_set_verify(ctx->ssl,
		SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE |
			(conf->require_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
		accept_any);
}

struct tls_context *
tls_server_context(const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = tls_context_new(true, conf, why);

	if (!ctx)
		return NULL;
	if (!conf->no_certificate && !SSL_CTX_get0_certificate(ctx->ssl)) {
		why_set(why, "4.7.0",
			"no server certificate: set smtpd_tls_chain_files to a file with "
			"the private key and the certificates");
		tls_context_free(ctx);
		return NULL;
	}
	tls_tickets_use(ctx, conf);
	use_dh(ctx, conf);
	use_client_certificates(ctx, conf);
	ctx->sni = conf->sni;
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, on_name);
	SSL_CTX_set_alpn_select_cb(ctx->ssl, on_protocols, NULL);
	return ctx;
}
