/* tls_certificates.c -- the certificates that a context shows, with their keys: out of
 * files, or of keys that another process has; and which authorities it trusts. */
#include "tls_impl.h"
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

#define CHAIN_FILE_MOST (256 * 1024) /* octets of a file with keys and certificates */

static int
use_own_chains(
	SSL_CTX *ssl, const struct tls_chains *chains, struct str file, struct why *why)
{
	for (size_t i = 0; i < tls_chains_count(chains); i++) {
		const struct tls_own_chain *c = tls_chains_item(chains, i);

		if (SSL_CTX_use_cert_and_key(ssl, c->leaf, c->key, c->above, 1) != 1)
			return tls_refuse(why, file, "key and certificate do not fit in");
	}
	return 0;
}

static int
read_pem(struct str file, struct buf *out, struct why *why)
{
	char path[4096];

	snprintf(path, sizeof(path), STR_FMT, STR_ARG(file));
	if (read_file(path, CHAIN_FILE_MOST, out) == 0)
		return 0;
	why_set(why, "4.7.0", "cannot open %s: %s", path, strerror(errno));
	return -1;
}

static int
read_chain_files(struct tls_chains *chains, struct strs files, struct why *why)
{
	for (size_t i = 0; i < files.n; i++) {
		struct buf pem CLEANUP(buf_wipe) = BUF_INIT;

		if (read_pem(files.items[i], &pem, why) < 0 ||
			tls_chains_add(chains, buf_str(&pem), files.items[i], why) < 0)
			return -1;
	}
	return tls_chains_end(chains, files.items[files.n - 1], why);
}

static bool
is_given(struct str file)
{
	return file.len > 0 && !str_case_is(file, "none");
}

static int
read_pair(struct tls_chains *chains, struct str cert, struct str key, struct why *why)
{
	struct buf cert_pem CLEANUP(buf_wipe) = BUF_INIT;
	struct buf key_pem CLEANUP(buf_wipe) = BUF_INIT;

	if (!is_given(cert))
		return 0;
	if (!is_given(key))
		key = cert;
	if (read_pem(key, &key_pem, why) < 0 || read_pem(cert, &cert_pem, why) < 0)
		return -1;
	return tls_chains_add_pair(chains, (struct tls_pem){ buf_str(&cert_pem), cert },
		(struct tls_pem){ buf_str(&key_pem), key }, why);
}

/* Keys of our own, in files. */
static int
use_files(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	struct tls_chains *chains = tls_chains_new();
	struct str file = conf->cert_file;
	int result;

	if (conf->chain_files.n > 0) {
		file = conf->chain_files.items[0];
		result = read_chain_files(chains, conf->chain_files, why);
	} else {
		result = read_pair(chains, conf->cert_file, conf->key_file, why) < 0 ||
					 read_pair(chains, conf->eccert_file,
						 conf->eckey_file, why) < 0
				 ? -1
				 : 0;
	}
	if (result == 0)
		result = use_own_chains(ssl, chains, file, why);
	tls_chains_free(chains);
	return result;
}

static X509 *
x509_of(struct str der)
{
	const unsigned char *at = (const unsigned char *)der.data;

	return d2i_X509(NULL, &at, (long)der.len);
}

/* A key that another process has, and its certificates. */
static int
open_chain(const struct tls_chain *chain, struct tls_own_chain *out)
{
	bool good;

	*out = (struct tls_own_chain){ .key = NULL };
	if (chain->certificates.n == 0)
		return -1;
	out->leaf = x509_of(chain->certificates.items[0]);
	out->key = out->leaf ? tls_key_elsewhere(X509_get0_pubkey(out->leaf)) : NULL;
	out->above = sk_X509_new_null();
	good = out->key && out->above;
	for (size_t i = 1; good && i < chain->certificates.n; i++) {
		X509 *x = x509_of(chain->certificates.items[i]);

		good = x && sk_X509_push(out->above, x) > 0;
	}
	return good ? 0 : -1;
}

/* For a context, or for one connection instead of what its context has. */
static int
use_chain(SSL_CTX *ctx, SSL *ssl, const struct tls_chain *chain)
{
	struct tls_own_chain c;
	int done = 0;

	if (open_chain(chain, &c) == 0)
		done = ssl ? SSL_use_cert_and_key(ssl, c.leaf, c.key, c.above, 1)
			   : SSL_CTX_use_cert_and_key(ctx, c.leaf, c.key, c.above, 1);
	tls_own_chain_clear(&c);
	return done == 1 ? 0 : -1;
}

int
tls_chains_for(SSL *ssl, const struct tls_chain *chains, size_t n)
{
	int result = n > 0 ? 0 : -1;

	SSL_certs_clear(ssl);
	for (size_t i = 0; i < n && result == 0; i++)
		result = use_chain(NULL, ssl, &chains[i]);
	return result;
}

int
tls_certificates_use(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	for (size_t i = 0; i < conf->n_chains; i++)
		if (use_chain(ssl, NULL, &conf->chains[i]) < 0)
			return tls_refuse(why, STR("a key elsewhere"),
				"cannot use the certificate of");
	return conf->n_chains > 0 ? 0 : use_files(ssl, conf, why);
}

/* ---- authorities ---- */

/* The names of those whose certificates are wanted go to the client (RFC 5246
 * section 7.4.4). */
static void
use_names(SSL_CTX *ssl, const char *file)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);

	if (names)
		SSL_CTX_set_client_CA_list(ssl, names);
	ERR_clear_error();
}

static void
share_authorities(SSL_CTX *ssl, const struct tls_context *base)
{
	const STACK_OF(X509_NAME) *names = SSL_CTX_get_client_CA_list(base->ssl);

	SSL_CTX_set1_cert_store(ssl, SSL_CTX_get_cert_store(base->ssl));
	if (names)
		SSL_CTX_set_client_CA_list(ssl, SSL_dup_CA_list(names));
}

int
tls_authorities_use(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	char file[4096], path[4096];

	if (conf->base) {
		share_authorities(ssl, conf->base);
		return 0;
	}
	if (conf->default_authorities)
		SSL_CTX_set_default_verify_paths(ssl);
	ERR_clear_error();
	if (conf->ca_file.len == 0 && conf->ca_path.len == 0)
		return 0;
	snprintf(file, sizeof(file), STR_FMT, STR_ARG(conf->ca_file));
	snprintf(path, sizeof(path), STR_FMT, STR_ARG(conf->ca_path));
	if (SSL_CTX_load_verify_locations(
		    ssl, file[0] ? file : NULL, path[0] ? path : NULL) != 1)
		return tls_refuse(why, conf->ca_file.len ? conf->ca_file : conf->ca_path,
			"cannot read the trusted certificates in");
	if (file[0] && (conf->ask_certificate || conf->require_certificate))
		use_names(ssl, file);
	return 0;
}
