/* tls_context.c -- what many TLS connections share: what is allowed, and how both sides
 * use the library. Everything is read here, while the process may still read it. */
#include "tls_impl.h"
#include "log.h"
#include <openssl/err.h>
#include <stdio.h>

/* ---- what is allowed ---- */

static const uint64_t protocol_off[TLS_PROTOCOLS] = { SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1,
	SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3 };

static int
use_protocols(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	struct tls_protocols p;

	if (tls_protocols_parse(conf->protocols, &p, why) < 0)
		return -1;
	/* The system's openssl.cnf may have set bounds; main.cf decides here. */
	SSL_CTX_set_min_proto_version(ssl, 0);
	SSL_CTX_set_max_proto_version(ssl, 0);
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		if (p.allowed[i])
			SSL_CTX_clear_options(ssl, protocol_off[i]);
		else
			SSL_CTX_set_options(ssl, protocol_off[i]);
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
		return tls_refuse(why, buf_str(&list), "no cipher is left by");
	return 0;
}

int
tls_terms_check(const struct tls_config *terms, struct why *why)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct tls_protocols p;

	if (tls_protocols_parse(terms->protocols, &p, why) < 0)
		return -1;
	return tls_cipher_list(terms, &list, why);
}

int
tls_terms_use(SSL *ssl, const struct tls_config *terms)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;
	struct tls_protocols p;
	struct why why;

	if (tls_protocols_parse(terms->protocols, &p, &why) < 0 ||
		tls_cipher_list(terms, &list, &why) < 0)
		return -1;
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		if (p.allowed[i])
			SSL_clear_options(ssl, protocol_off[i]);
		else
			SSL_set_options(ssl, protocol_off[i]);
	}
	return SSL_set_cipher_list(ssl, buf_cstr(&list)) == 1 ? 0 : -1;
}

/* Groups for key exchange by name, the best first: those that this OpenSSL does not know
 * are passed over. */
static int
use_groups(SSL_CTX *ssl, const struct tls_config *conf, struct why *why)
{
	struct buf known CLEANUP(buf_free) = BUF_INIT;
	struct str rest = conf->groups, word;

	while (str_token(&rest, " \t\r\n,:", &word)) {
		struct buf one CLEANUP(buf_free) = BUF_INIT;

		buf_add(&one, word);
		if (SSL_CTX_set1_groups_list(ssl, buf_cstr(&one)) != 1) {
			if (!conf->base)
				log_warn("ignoring unknown ECDHE curve \"" STR_FMT "\"",
					STR_ARG(word));
			continue;
		}
		if (known.len > 0)
			buf_addc(&known, ':');
		buf_add(&known, word);
	}
	ERR_clear_error();
	if (known.len == 0 && conf->groups.len == 0)
		return 0;
	if (known.len > 0 && SSL_CTX_set1_groups_list(ssl, buf_cstr(&known)) == 1)
		return 0;
	return tls_refuse(why, conf->groups, "no group for key exchange is left by");
}

static void
use_habits(SSL_CTX *ssl, const struct tls_config *conf)
{
	uint64_t unwanted = tls_workarounds_parse(conf->disabled_workarounds);

	/* All that OpenSSL does for the mistakes of others, but for what is not wanted.
	 */
	SSL_CTX_set_options(ssl, SSL_OP_ALL & ~unwanted);
	SSL_CTX_clear_options(ssl, unwanted);
	/* Mail software hangs up without close_notify: the end of a connection that SMTP
	 * itself delimits everything in. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1);
	if (conf->prefer_own_ciphers)
		SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_options(ssl, tls_options_parse(conf->ssl_options));
}

struct tls_context *
tls_context_new(bool server, const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = mem_alloc(sizeof(*ctx));
	char digest[32];

	snprintf(digest, sizeof(digest), STR_FMT, STR_ARG(conf->fingerprint_digest));
	ctx->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	ctx->digest = EVP_get_digestbyname(digest[0] ? digest : "sha256");
	ctx->has_authorities = conf->ca_file.len > 0 || conf->ca_path.len > 0 ||
			       conf->default_authorities;
	if (!ctx->ssl) {
		tls_refuse(why, STR(""), "OpenSSL cannot be set up");
	} else if (!ctx->digest) {
		why_set(why, "4.7.0", "unknown fingerprint digest \"%s\": use sha256",
			digest);
	} else if (use_protocols(ctx->ssl, conf, why) == 0 &&
		   use_ciphers(ctx->ssl, conf, why) == 0 &&
		   use_groups(ctx->ssl, conf, why) == 0 &&
		   tls_certificates_use(ctx->ssl, conf, why) == 0 &&
		   tls_authorities_use(ctx->ssl, conf, why) == 0) {
		use_habits(ctx->ssl, conf);
		return ctx;
	}
	tls_context_free(ctx);
	return NULL;
}

struct tls_context *
tls_client_context(const struct tls_config *conf, struct why *why)
{
	struct tls_context *ctx = tls_context_new(false, conf, why);
	struct why trouble;

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_NONE, NULL);
	ctx->depth = conf->verify_depth;
	if (conf->keep_sessions)
		tls_sessions_use(ctx);
	if (conf->dane_digests.len > 0 &&
		tls_dane_use(ctx, conf->dane_digests, &trouble) < 0)
		log_warn("tls_dane_digests: %s: DANE is off", trouble.text);
	return ctx;
}

struct tls_context *
tls_context_share(struct tls_context *ctx)
{
	ctx->shared++;
	return ctx;
}

void
tls_context_free(struct tls_context *ctx)
{
	if (!ctx || ctx->shared-- > 0)
		return;
	SSL_CTX_free(ctx->ssl);
	tls_tickets_free(ctx->tickets);
	EVP_PKEY_free(ctx->dh);
	mem_free(ctx);
}
