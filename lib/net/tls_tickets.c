/* tls_tickets.c -- sessions are resumed by tickets, which cost a server no memory: it
 * gives the client what it would have to remember, encrypted (RFC 5077 section 4). Who
 * has the key can read what was said in those sessions of TLS 1.2, hence keys that
 * change. */
#include "tls_impl.h"
#include "log.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>

#define LIFETIME_LEAST 120 /* smtpd_tls_session_cache_timeout: less is taken for this */

struct key {
	unsigned char name[16], cipher[32], mac[32];
};
_Static_assert(sizeof(struct key) == TLS_TICKET_KEY, "a key is the bytes that are given");

struct tls_tickets {
	EVP_CIPHER *cipher;
	struct key keys[TLS_TICKET_KEYS];
	size_t n;
};

/* ---- OpenSSL's side. It asks in the middle of a handshake: the keys are at hand. ----
 */

static int
set_mac(EVP_MAC_CTX *mac, struct key *key)
{
	char digest[] = "sha256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int
seal(struct tls_tickets *t, unsigned char *name, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct key *key = &t->keys[0];

	memcpy(name, key->name, sizeof(key->name));
	return RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->cipher)) == 1 &&
			       EVP_EncryptInit_ex(
				       cipher, t->cipher, NULL, key->cipher, iv) == 1 &&
			       set_mac(mac, key) == 1
		       ? 1
		       : -1;
}

/* 0: of a key that we do not have, a full handshake follows; 2: good, and time for
 * another ticket. */
static int
unseal(struct tls_tickets *t, const unsigned char *name, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	for (size_t i = 0; i < t->n; i++) {
		struct key *key = &t->keys[i];

		if (memcmp(name, key->name, sizeof(key->name)) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, t->cipher, NULL, key->cipher, iv) != 1 ||
			set_mac(mac, key) != 1)
			return -1;
		return i == 0 ? 1 : 2;
	}
	return 0;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return encrypt ? seal(t, name, iv, cipher, mac)
		       : unseal(t, name, iv, cipher, mac);
}

/* ---- ours ---- */

static EVP_CIPHER *
cipher_find(struct str name)
{
	char text[80];
	EVP_CIPHER *cipher;

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
	cipher = EVP_CIPHER_fetch(NULL, text, NULL);
	if (cipher && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CBC_MODE &&
		EVP_CIPHER_get_block_size(cipher) == 16 &&
		EVP_CIPHER_get_key_length(cipher) >= 16 &&
		EVP_CIPHER_get_key_length(cipher) <= 32)
		return cipher;
	EVP_CIPHER_free(cipher);
	ERR_clear_error();
	log_warn("invalid tls_session_ticket_cipher: %s; session tickets disabled", text);
	return NULL;
}

/* A session that was begun where no certificate is asked for must not be resumed where
 * one is: with shared keys the context tells them apart. */
static void
use_scope(SSL_CTX *ssl, const struct tls_config *conf)
{
	struct buf scope CLEANUP(buf_free) = BUF_INIT;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	buf_printf(&scope, "%d %d ", conf->ask_certificate, conf->require_certificate);
	buf_printf(&scope, "%zu:" STR_FMT " %zu:" STR_FMT " ", conf->ca_file.len,
		STR_ARG(conf->ca_file), conf->ca_path.len, STR_ARG(conf->ca_path));
	buf_add(&scope, conf->session_scope);
	EVP_Digest(scope.data, scope.len, digest, &len, EVP_sha256(), NULL);
	SSL_CTX_set_session_id_context(ssl, digest, len);
}

static void
no_tickets(SSL_CTX *ssl)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ssl, 0);
}

void
tls_tickets_use(struct tls_context *ctx, const struct tls_config *conf)
{
	struct tls_tickets *t;
	EVP_CIPHER *cipher = NULL;

	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	use_scope(ctx->ssl, conf);
	if (conf->session_lifetime > 0 && conf->ticket_cipher.len > 0)
		cipher = cipher_find(conf->ticket_cipher);
	if (!cipher) {
		no_tickets(ctx->ssl);
		return;
	}
	ctx->tickets = t = mem_alloc(sizeof(*t));
	t->cipher = cipher;
	t->n = 1;
	ensure(RAND_bytes((unsigned char *)&t->keys[0], sizeof(t->keys[0])) == 1);
	SSL_CTX_set_app_data(ctx->ssl, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket);
	SSL_CTX_set_num_tickets(ctx->ssl, 1);
	SSL_CTX_set_timeout(ctx->ssl, MAX(conf->session_lifetime, LIFETIME_LEAST));
}

bool
tls_context_has_tickets(const struct tls_context *ctx)
{
	return ctx->tickets;
}

void
tls_context_ticket_keys(struct tls_context *ctx, const struct str *keys, size_t n)
{
	struct tls_tickets *t = ctx->tickets;

	ensure(t && n > 0 && n <= TLS_TICKET_KEYS);
	for (size_t i = 0; i < n; i++) {
		ensure(keys[i].len == sizeof(t->keys[i]));
		memcpy(&t->keys[i], keys[i].data, keys[i].len);
	}
	t->n = n;
}

void
tls_tickets_free(struct tls_tickets *t)
{
	if (!t)
		return;
	EVP_CIPHER_free(t->cipher);
	mem_wipe(t->keys, sizeof(t->keys));
	mem_free(t);
}
