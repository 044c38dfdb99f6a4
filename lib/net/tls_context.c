/* tls_context.c -- what many TLS connections share: keys, certificates, what is allowed.
 * Everything is read here, while the process may still read it. */
#include "tls_impl.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

/* The reason that OpenSSL gives; empties its queue. */
static const char *
openssl_reason(char *room, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	snprintf(room, size, "%s", text ? text : "no reason given");
	ERR_clear_error();
	return room;
}

static int
refuse(struct why *why, struct str file, const char *what)
{
	char reason[200];

	why_set(why, "4.7.0", "%s " STR_FMT ": %s", what, STR_ARG(file),
		openssl_reason(reason, sizeof(reason)));
	return -1;
}

/* ---- chain files: a private key, its certificate, the certificates above it; then
 * perhaps another key, and so on through all files in their order ---- */

struct chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * above;
};

static void
chain_clear(struct chain *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->leaf);
	sk_X509_pop_free(c->above, X509_free);
	*c = (struct chain){ NULL, NULL, NULL };
}

/* A key with all its certificates is complete when the next key or the end comes. */
static int
chain_use(SSL_CTX *ssl, struct chain *c, struct str file, struct why *why)
{
	int result = 0;

	if (!c->key)
		return 0;
	if (!c->leaf) {
		why_set(why, "4.7.0",
			STR_FMT ": a private key without its certificate behind it",
			STR_ARG(file));
		result = -1;
	} else if (SSL_CTX_use_cert_and_key(ssl, c->leaf, c->key, c->above, 1) != 1) {
		result = refuse(why, file, "key and certificate do not fit in");
	}
	chain_clear(c);
	return result;
}

static int
chain_add_key(SSL_CTX *ssl, struct chain *c, const char *name, const unsigned char *der,
	long len, struct str file, struct why *why)
{
	if (chain_use(ssl, c, file, why) < 0)
		return -1;
	if (strcmp(name, PEM_STRING_RSA) == 0)
		c->key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &der, len);
	else if (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0)
		c->key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &der, len);
	else
		c->key = d2i_AutoPrivateKey(NULL, &der, len);
	return c->key ? 0 : refuse(why, file, "cannot read a private key in");
}

static int
chain_add_certificate(struct chain *c, const char *name, const unsigned char *der,
	long len, struct str file, struct why *why)
{
	X509 *x;

	if (!c->key) {
		why_set(why, "4.7.0",
			STR_FMT
			": begins with a certificate; the private key has to stand "
			"before its certificate",
			STR_ARG(file));
		return -1;
	}
	x = strcmp(name, PEM_STRING_X509_TRUSTED) == 0 ? d2i_X509_AUX(NULL, &der, len)
						       : d2i_X509(NULL, &der, len);
	if (!x)
		return refuse(why, file, "cannot read a certificate in");
	if (!c->leaf) {
		c->leaf = x;
		return 0;
	}
	if (!c->above)
		c->above = sk_X509_new_null();
	sk_X509_push(c->above, x);
	return 0;
}

static bool
is_key(const char *name)
{
	return strcmp(name, PEM_STRING_PKCS8INF) == 0 ||
	       strcmp(name, PEM_STRING_RSA) == 0 ||
	       strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0;
}

static bool
is_certificate(const char *name)
{
	return strcmp(name, PEM_STRING_X509) == 0 ||
	       strcmp(name, PEM_STRING_X509_OLD) == 0 ||
	       strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
}

/* Other objects (EC PARAMETERS, DH PARAMETERS) are passed over. */
static int
chain_read(SSL_CTX *ssl, struct chain *c, BIO *in, struct str file, struct why *why)
{
	int result = 0, objects = 0;

	while (result == 0) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		long len = 0;

		if (PEM_read_bio(in, &name, &header, &der, &len) != 1)
			break;
		if (is_key(name))
			result = chain_add_key(ssl, c, name, der, len, file, why);
		else if (is_certificate(name))
			result = chain_add_certificate(c, name, der, len, file, why);
		objects++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
	}
	if (result < 0)
		return -1;
	if (objects == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return refuse(why, file, "cannot read keys and certificates in");
	ERR_clear_error();
	return 0;
}

static BIO *
open_file(struct str file, struct why *why)
{
	char path[4096];
	BIO *in;

	snprintf(path, sizeof(path), STR_FMT, STR_ARG(file));
	errno = 0;
	in = BIO_new_file(path, "r");
	if (!in) {
		why_set(why, "4.7.0", "cannot open " STR_FMT ": %s", STR_ARG(file),
			strerror(errno));
		ERR_clear_error();
	}
	return in;
}

static int
use_chain_files(SSL_CTX *ssl, struct strs files, struct why *why)
{
	struct chain c = { NULL, NULL, NULL };
	int result = 0;

	for (size_t i = 0; i < files.n && result == 0; i++) {
		BIO *in = open_file(files.items[i], why);

		result = in ? chain_read(ssl, &c, in, files.items[i], why) : -1;
		BIO_free(in);
	}
	if (result == 0 && files.n > 0)
		result = chain_use(ssl, &c, files.items[files.n - 1], why);
	chain_clear(&c);
	return result;
}

/* ---- the older parameters: certificates in one file, the key there or in another ----
 */

static bool
is_given(struct str file)
{
	return file.len > 0 && !str_case_is(file, "none");
}

static int
read_pair(SSL_CTX *ssl, struct chain *c, struct str cert, struct str key, struct why *why)
{
	BIO *in = open_file(key, why);

	if (!in)
		return -1;
	c->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	BIO_free(in);
	if (!c->key)
		return refuse(why, key, "cannot read the private key in");
	ERR_clear_error();
	in = open_file(cert, why);
	if (!in)
		return -1;
	c->leaf = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
	c->above = sk_X509_new_null();
	for (X509 *x; c->leaf && (x = PEM_read_bio_X509(in, NULL, NULL, NULL));)
		sk_X509_push(c->above, x);
	BIO_free(in);
	if (!c->leaf)
		return refuse(why, cert, "cannot read the certificate in");
	ERR_clear_error(); /* of the end of the file */
	return chain_use(ssl, c, cert, why);
}

static int
use_pair(SSL_CTX *ssl, struct str cert, struct str key, struct why *why)
{
	struct chain c = { NULL, NULL, NULL };
	int result;

	if (!is_given(cert))
		return 0;
	result = read_pair(ssl, &c, cert, is_given(key) ? key : cert, why);
	chain_clear(&c);
	return result;
}

static int
use_certificates(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	if (conf->chain_files.n > 0)
		return use_chain_files(ssl, conf->chain_files, why);
	if (use_pair(ssl, conf->cert_file, conf->key_file, why) < 0)
		return -1;
	return use_pair(ssl, conf->eccert_file, conf->eckey_file, why);
}

/* ---- what is allowed ---- */

static int
use_protocols(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	static const uint64_t off[TLS_PROTOCOLS] = { SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1,
		SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3 };
	struct tls_protocols p;

	if (tls_protocols_parse(conf->protocols, &p, why) < 0)
		return -1;
	/* The system's openssl.cnf may have set bounds; main.cf decides here. */
	SSL_CTX_set_min_proto_version(ssl, 0);
	SSL_CTX_set_max_proto_version(ssl, 0);
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		if (p.allowed[i])
			SSL_CTX_clear_options(ssl, off[i]);
		else
			SSL_CTX_set_options(ssl, off[i]);
	}
	return 0;
}

static int
use_ciphers(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	if (tls_cipher_list(conf, &list, why) < 0)
		return -1;
	/* Protocols and ciphers are named in main.cf; OpenSSL's security levels would
	 * forbid some of them behind our back. */
	SSL_CTX_set_security_level(ssl, 0);
	if (SSL_CTX_set_cipher_list(ssl, buf_cstr(&list)) != 1)
		return refuse(why, buf_str(&list), "no cipher is left by");
	return 0;
}

static int
use_authorities(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	char file[4096], path[4096];

	if (conf->ca_file.len == 0 && conf->ca_path.len == 0)
		return 0;
	snprintf(file, sizeof(file), STR_FMT, STR_ARG(conf->ca_file));
	snprintf(path, sizeof(path), STR_FMT, STR_ARG(conf->ca_path));
	if (SSL_CTX_load_verify_locations(
		    ssl, file[0] ? file : NULL, path[0] ? path : NULL) != 1)
		return refuse(why, conf->ca_file.len ? conf->ca_file : conf->ca_path,
			"cannot read the trusted certificates in");
	return 0;
}

/* Nobody is turned away for a certificate that we cannot verify: the session looks at
 * tls_info and decides. */
static int
accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static void
use_habits(SSL_CTX *ssl)
{
	/* Mail software hangs up without close_notify: the end of a connection that SMTP
	 * itself delimits everything in. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1);
}

static struct tls_context *
context_new(const SSL_METHOD *method, const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = mem_alloc(sizeof(*ctx));
	char digest[32];

	snprintf(digest, sizeof(digest), STR_FMT, STR_ARG(conf->fingerprint_digest));
	ctx->ssl = SSL_CTX_new(method);
	ctx->digest = EVP_get_digestbyname(digest[0] ? digest : "sha256");
	ctx->has_authorities = conf->ca_file.len > 0 || conf->ca_path.len > 0;
	if (!ctx->ssl) {
		refuse(why, STR(""), "OpenSSL cannot be set up");
	} else if (!ctx->digest) {
		why_set(why, "4.7.0", "unknown fingerprint digest \"%s\": use sha256",
			digest);
	} else if (use_protocols(ctx->ssl, conf, why) == 0 &&
		   use_ciphers(ctx->ssl, conf, why) == 0 &&
		   use_certificates(ctx->ssl, conf, why) == 0 &&
		   use_authorities(ctx->ssl, conf, why) == 0) {
		use_habits(ctx->ssl);
		return ctx;
	}
	tls_context_free(ctx);
	return NULL;
}

struct tls_context *
tls_server_context(const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = context_new(TLS_server_method(), conf, why);

	if (!ctx)
		return NULL;
	if (!SSL_CTX_get0_certificate(ctx->ssl)) {
		why_set(why, "4.7.0",
			"no server certificate: set smtpd_tls_chain_files to a file with "
			"the "
			"private key and the certificates");
		tls_context_free(ctx);
		return NULL;
	}
	tls_tickets_use(ctx, conf);
	SSL_CTX_set_dh_auto(ctx->ssl, 1);
	if (conf->ask_certificate || conf->require_certificate)
		SSL_CTX_set_verify(ctx->ssl,
			SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE |
				(conf->require_certificate
						? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
						: 0),
			accept_any);
	return ctx;
}

struct tls_context *
tls_client_context(const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = context_new(TLS_client_method(), conf, why);

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_NONE, NULL);
	if (conf->keep_sessions)
		tls_sessions_use(ctx);
	return ctx;
}

void
tls_context_free(struct tls_context *ctx)
{
	if (!ctx)
		return;
	SSL_CTX_free(ctx->ssl);
	tls_tickets_free(ctx->tickets);
	mem_free(ctx);
}
