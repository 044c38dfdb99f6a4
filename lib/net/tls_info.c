/* tls_info.c -- what a finished handshake agreed on, in the words of Postfix's log. */
#include "tls_impl.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>

static struct str
keep(struct tls *tls, const char *text)
{
	return text ? arena_str(tls->arena, str_c(text)) : STR("");
}

/* "X25519", "ECDHE (prime256v1)", "DHE (2048 bits)". */
static struct str
key_exchange_text(struct tls *tls, EVP_PKEY *key)
{
	char group[80];
	size_t len;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1)
			return arena_printf(tls->arena, "ECDHE (%s)", group);
		return STR("ECDHE");
	case EVP_PKEY_DH:
		return arena_printf(tls->arena, "DHE (%d bits)", EVP_PKEY_get_bits(key));
	default:
		return keep(tls, OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	}
}

static void
fill_key_exchange(struct tls *tls)
{
	EVP_PKEY *key = NULL;

	if (SSL_get_peer_tmp_key(tls->ssl, &key) == 1) {
		tls->info.key_exchange = key_exchange_text(tls, key);
		EVP_PKEY_free(key);
	}
}

/* The server's signature: ours as server, the peer's as client. A resumed session has
 * none. key: of the certificate that signed. */
static void
fill_signature(struct tls *tls, int type, int digest, EVP_PKEY *key)
{
	struct tls_info *info = &tls->info;
	char group[80];
	size_t len;

	if (type == NID_undef || !key)
		return;
	if (digest != NID_undef)
		info->signature_digest = keep(tls, OBJ_nid2sn(digest));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
		EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1) {
		info->signature = arena_printf(tls->arena, "ECDSA (%s)", group);
		return;
	}
	info->signature =
		type == EVP_PKEY_RSA_PSS ? STR("RSA-PSS") : keep(tls, OBJ_nid2sn(type));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		info->signature_bits = (unsigned)EVP_PKEY_get_bits(key);
}

static void
fill_server_signature(struct tls *tls)
{
	X509 *x = SSL_is_server(tls->ssl) ? SSL_get_certificate(tls->ssl)
					  : SSL_get0_peer_certificate(tls->ssl);
	int type = NID_undef, digest = NID_undef;

	if (SSL_is_server(tls->ssl)) {
		(void)SSL_get_signature_type_nid(tls->ssl, &type);
		(void)SSL_get_signature_nid(tls->ssl, &digest);
	} else {
		(void)SSL_get_peer_signature_type_nid(tls->ssl, &type);
		(void)SSL_get_peer_signature_nid(tls->ssl, &digest);
	}
	if (tls->info.reused)
		type = NID_undef;
	fill_signature(tls, type, digest, x ? X509_get0_pubkey(x) : NULL);
}

/* A common name as UTF-8; one with an inner NUL is a lie and is left out. */
static struct str
common_name(struct tls *tls, X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8;
	struct str copy;
	int len;

	if (at < 0)
		return STR("");
	len = ASN1_STRING_to_UTF8(
		&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len < 0)
		return STR("");
	copy = arena_str(tls->arena, str_of(utf8, (size_t)len));
	OPENSSL_free(utf8);
	return memchr(copy.data, 0, copy.len) ? STR("") : copy;
}

/* "AB:CD:..." */
static struct str
fingerprint(struct tls *tls, X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned len;

	if (X509_digest(x, tls->ctx->digest, digest, &len) != 1)
		return STR("");
	for (unsigned i = 0; i < len; i++)
		buf_printf(&text, "%s%02X", i ? ":" : "", digest[i]);
	return arena_str(tls->arena, buf_str(&text));
}

static void
fill_peer(struct tls *tls)
{
	struct tls_info *info = &tls->info;
	X509 *x = SSL_get0_peer_certificate(tls->ssl);

	info->peer_cn = info->issuer_cn = info->fingerprint = STR("");
	if (!x)
		return;
	info->peer_certificate = true;
	info->trusted =
		tls->ctx->has_authorities && SSL_get_verify_result(tls->ssl) == X509_V_OK;
	info->peer_cn = common_name(tls, X509_get_subject_name(x));
	info->issuer_cn = common_name(tls, X509_get_issuer_name(x));
	info->fingerprint = fingerprint(tls, x);
}

void
tls_info_fill(struct tls *tls)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	struct tls_info *info = &tls->info;
	int alg_bits = 0;

	info->protocol = keep(tls, SSL_get_version(tls->ssl));
	info->cipher = keep(tls, SSL_CIPHER_get_name(cipher));
	info->used_bits = (unsigned)SSL_CIPHER_get_bits(cipher, &alg_bits);
	info->alg_bits = (unsigned)alg_bits;
	info->reused = SSL_session_reused(tls->ssl);
	info->server_name =
		keep(tls, SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
	info->key_exchange = info->signature = info->signature_digest = STR("");
	/* Before TLS 1.3 the name of the cipher says this. */
	if (SSL_version(tls->ssl) >= TLS1_3_VERSION) {
		fill_key_exchange(tls);
		fill_server_signature(tls);
	}
	fill_peer(tls);
	ERR_clear_error();
}

void
conn_tls_text(const struct conn *c, struct buf *out)
{
	const struct tls_info *info = conn_tls_info(c);

	if (!info)
		return;
	buf_printf(out, STR_FMT " with cipher " STR_FMT " (%u/%u bits)",
		STR_ARG(info->protocol), STR_ARG(info->cipher), info->used_bits,
		info->alg_bits);
	if (info->key_exchange.len > 0)
		buf_printf(out, " key-exchange " STR_FMT, STR_ARG(info->key_exchange));
	if (info->signature.len > 0)
		buf_printf(out, " server-signature " STR_FMT, STR_ARG(info->signature));
	if (info->signature_bits > 0)
		buf_printf(out, " (%u bits)", info->signature_bits);
	if (info->signature_digest.len > 0)
		buf_printf(
			out, " server-digest " STR_FMT, STR_ARG(info->signature_digest));
}

/* ---- the library ---- */

const char *
tls_version_compiled(void)
{
	return OPENSSL_VERSION_TEXT;
}

const char *
tls_version_running(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

void
tls_each_key_algorithm(void (*fn)(const char *name))
{
	static const struct {
		const char *name, *openssl;
	} kinds[] = { { "dsa", "DSA" }, { "ecdsa", "EC" }, { "ed25519", "ED25519" },
		{ "ed448", "ED448" }, { "rsa", "RSA" } };

	for (size_t i = 0; i < COUNT(kinds); i++) {
		EVP_PKEY_CTX *known =
			EVP_PKEY_CTX_new_from_name(NULL, kinds[i].openssl, NULL);

		if (known)
			fn(kinds[i].name);
		EVP_PKEY_CTX_free(known);
	}
	ERR_clear_error();
}
