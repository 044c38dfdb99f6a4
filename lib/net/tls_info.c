/* tls_info.c -- what a finished handshake agreed on, in the words of Postfix's log. */
#include "tls_impl.h"
#include <openssl/conf.h>
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

struct signature {
	int type, digest;
	EVP_PKEY *key; /* of the certificate that signed */
	struct str text, digest_text;
	unsigned bits;
};

static void
describe(struct tls *tls, struct signature *s)
{
	char group[80];
	size_t len;

	s->text = s->digest_text = STR("");
	if (s->type == NID_undef || !s->key)
		return;
	if (s->digest != NID_undef)
		s->digest_text = keep(tls, OBJ_nid2sn(s->digest));
	if (EVP_PKEY_get_base_id(s->key) == EVP_PKEY_EC &&
		EVP_PKEY_get_group_name(s->key, group, sizeof(group), &len) == 1) {
		s->text = arena_printf(tls->arena, "ECDSA (%s)", group);
		return;
	}
	s->text = s->type == EVP_PKEY_RSA_PSS ? STR("RSA-PSS")
					      : keep(tls, OBJ_nid2sn(s->type));
	if (EVP_PKEY_get_base_id(s->key) == EVP_PKEY_RSA)
		s->bits = (unsigned)EVP_PKEY_get_bits(s->key);
}

static struct signature
signature_of(struct tls *tls, bool own)
{
	X509 *x =
		own ? SSL_get_certificate(tls->ssl) : SSL_get0_peer_certificate(tls->ssl);
	struct signature s = { .type = NID_undef,
		.digest = NID_undef,
		.key = x ? X509_get0_pubkey(x) : NULL };

	if (own) {
		(void)SSL_get_signature_type_nid(tls->ssl, &s.type);
		(void)SSL_get_signature_nid(tls->ssl, &s.digest);
	} else {
		(void)SSL_get_peer_signature_type_nid(tls->ssl, &s.type);
		(void)SSL_get_peer_signature_nid(tls->ssl, &s.digest);
	}
	describe(tls, &s);
	return s;
}

/* A resumed session has none. */
static void
fill_signatures(struct tls *tls)
{
	struct tls_info *info = &tls->info;
	bool server = SSL_is_server(tls->ssl);
	struct signature s;

	if (info->reused)
		return;
	s = signature_of(tls, server);
	info->signature = s.text;
	info->signature_digest = s.digest_text;
	info->signature_bits = s.bits;
	if (!server || !SSL_get0_peer_certificate(tls->ssl))
		return;
	s = signature_of(tls, false);
	info->client_signature = s.text;
	info->client_signature_digest = s.digest_text;
	info->client_signature_bits = s.bits;
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
digest_text(struct tls *tls, const unsigned char *digest, unsigned len)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (unsigned i = 0; i < len; i++)
		buf_printf(&text, "%s%02X", i ? ":" : "", digest[i]);
	return arena_str(tls->arena, buf_str(&text));
}

struct str
tls_fingerprint(struct tls *tls, X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;

	if (X509_digest(x, tls->ctx->digest, digest, &len) != 1)
		return STR("");
	return digest_text(tls, digest, len);
}

struct str
tls_key_fingerprint(struct tls *tls, X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	struct str text = STR("");
	unsigned len;

	if (size > 0 &&
		EVP_Digest(der, (size_t)size, digest, &len, tls->ctx->digest, NULL) == 1)
		text = digest_text(tls, digest, len);
	OPENSSL_free(der);
	return text;
}

bool
conn_tls_named(const struct conn *c, struct str name)
{
	X509 *x = c->tls && c->tls->established ? SSL_get0_peer_certificate(c->tls->ssl)
						: NULL;
	bool named = x && name.len > 0 &&
		     X509_check_host(x, name.data, name.len,
			     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;

	ERR_clear_error();
	return named;
}

/* Nobody whom we know has signed the last certificate of those there are. */
static struct str
untrusted_issuer(struct tls *tls)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);
	int n = chain ? sk_X509_num(chain) : 0;
	X509 *last =
		n > 0 ? sk_X509_value(chain, n - 1) : SSL_get0_peer_certificate(tls->ssl);
	char name[512];

	X509_NAME_oneline(X509_get_issuer_name(last), name, sizeof(name));
	return arena_printf(tls->arena, "untrusted issuer %s", name);
}

/* What an administrator may have said is told with OpenSSL's number for it, as Postfix
 * does. */
static struct str
distrust_text(struct tls *tls, long result)
{
	const char *text = X509_verify_cert_error_string(result);

	if (result == X509_V_OK)
		return STR("no trusted certificates are known");
	if (result == X509_V_ERR_DANE_NO_MATCH || result == X509_V_ERR_HOSTNAME_MISMATCH)
		return arena_printf(tls->arena, "num=%ld:%s", result, text);
	if (result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT)
		return untrusted_issuer(tls);
	if (result == X509_V_ERR_CERT_CHAIN_TOO_LONG)
		return arena_printf(tls->arena, "certificate chain longer than limit(%d)",
			tls->ctx->depth + 1);
	return keep(tls, text);
}

/* Of servers; clients' are looked at by the server's callback. Postfix counts so, too:
 * two more than the name of the parameter says. A session that is resumed has none. */
static bool
has_long_chain(const struct tls *tls)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);

	return !SSL_is_server(tls->ssl) && chain &&
	       sk_X509_num(chain) - 1 > tls->ctx->depth + 2;
}

static void
fill_peer(struct tls *tls)
{
	struct tls_info *info = &tls->info;
	X509 *x = SSL_get0_peer_certificate(tls->ssl);
	long result;

	info->peer_cn = info->issuer_cn = info->fingerprint = STR("");
	info->key_fingerprint = info->distrust = STR("");
	if (!x)
		return;
	info->peer_certificate = true;
	result = SSL_get_verify_result(tls->ssl);
	if (result == X509_V_OK && has_long_chain(tls))
		result = X509_V_ERR_CERT_CHAIN_TOO_LONG;
	info->trusted =
		(tls->has_dane || tls->ctx->has_authorities) && result == X509_V_OK;
	if (!info->trusted)
		info->distrust = distrust_text(tls, result);
	info->peer_cn = common_name(tls, X509_get_subject_name(x));
	info->issuer_cn = common_name(tls, X509_get_issuer_name(x));
	info->fingerprint = tls_fingerprint(tls, x);
	info->key_fingerprint = tls_key_fingerprint(tls, x);
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
	info->server_name = keep(
		tls, SSL_is_server(tls->ssl) && !tls->sni_found
			     ? NULL
			     : SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
	info->key_exchange = info->signature = info->signature_digest = STR("");
	info->client_signature = info->client_signature_digest = STR("");
	/* Before TLS 1.3 the name of the cipher says this. */
	if (SSL_version(tls->ssl) >= TLS1_3_VERSION) {
		fill_key_exchange(tls);
		fill_signatures(tls);
	}
	fill_peer(tls);
	ERR_clear_error();
}

static void
add_signature(struct buf *out, const char *whose, struct str text, unsigned bits,
	struct str digest)
{
	if (text.len > 0)
		buf_printf(out, " %s-signature " STR_FMT, whose, STR_ARG(text));
	if (bits > 0)
		buf_printf(out, " (%u bits)", bits);
	if (digest.len > 0)
		buf_printf(out, " %s-digest " STR_FMT, whose, STR_ARG(digest));
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
	add_signature(out, "server", info->signature, info->signature_bits,
		info->signature_digest);
	add_signature(out, "client", info->client_signature, info->client_signature_bits,
		info->client_signature_digest);
}

/* ---- the library ---- */

/* Whatever else the program does with it, this is its first use: settings that cannot be
 * read are told, but for those of the system, which may be none. */
int
tls_library_open(struct str file, struct str application, struct why *why)
{
	OPENSSL_INIT_SETTINGS *settings;
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	bool of_system = str_is(file, "default") && application.len == 0;
	int done;

	if (str_is(file, "none"))
		return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1
			       ? 0
			       : tls_refuse(why, STR("OpenSSL"), "cannot set up");
	settings = OPENSSL_INIT_new();
	buf_add(&path, file);
	buf_add(&name, application);
	if (!str_is(file, "default"))
		OPENSSL_INIT_set_config_filename(settings, buf_cstr(&path));
	if (application.len > 0)
		OPENSSL_INIT_set_config_appname(settings, buf_cstr(&name));
	if (!of_system)
		OPENSSL_INIT_set_config_file_flags(
			settings, application.len > 0 ? 0 : CONF_MFLAGS_DEFAULT_SECTION);
	done = OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, settings);
	OPENSSL_INIT_free(settings);
	return done == 1 || of_system
		       ? 0
		       : tls_refuse(why, file, "error loading tls_config_file");
}

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
