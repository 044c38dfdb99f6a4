/* tls_sign.c -- see tls_sign.h. */
#include "tls_sign.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ED25519_SIZE 32 /* bytes of either key */
#define HASH_SIZE    32

struct sign_key {
	EVP_PKEY *key;
	enum sign_kind kind;
};

/* OpenSSL's errors are nobody's but this call's. */
static int
result(bool well)
{
	ERR_clear_error();
	return well ? 0 : -1;
}

static struct sign_key *
refuse(struct why *why, const char *text)
{
	ERR_clear_error();
	why_set(why, "4.3.5", "%s", text);
	return NULL;
}

/* Takes over key. */
static struct sign_key *
wrap(EVP_PKEY *key, struct why *why)
{
	int id = EVP_PKEY_get_base_id(key);
	int bits = EVP_PKEY_get_bits(key);
	struct sign_key *made;

	if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return refuse(why, "the key is neither RSA nor Ed25519");
	}
	if (id == EVP_PKEY_RSA && (bits < SIGN_RSA_LEAST || bits > SIGN_RSA_MOST)) {
		EVP_PKEY_free(key);
		return refuse(why, "an RSA key needs 1024 to 16384 bits");
	}
	made = mem_alloc(sizeof(*made));
	made->key = key;
	made->kind = id == EVP_PKEY_RSA ? SIGN_RSA : SIGN_ED25519;
	ERR_clear_error();
	return made;
}

/* An encrypted key: nobody is there to be asked. */
static int
no_password(char *out, int room, int writing, void *arg)
{
	(void)out, (void)room, (void)writing, (void)arg;
	return -1;
}

static EVP_PKEY *
read_pem(struct str text)
{
	BIO *in =
		text.len <= INT32_MAX ? BIO_new_mem_buf(text.data, (int)text.len) : NULL;
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;

	BIO_free(in);
	return key;
}

static EVP_PKEY *
read_seed(struct str text)
{
	struct buf seed CLEANUP(buf_wipe) = BUF_INIT;

	if (base64_decode(str_trim(text), &seed) < 0 || seed.len != ED25519_SIZE)
		return NULL;
	return EVP_PKEY_new_raw_private_key(
		EVP_PKEY_ED25519, NULL, (const unsigned char *)seed.data, seed.len);
}

struct sign_key *
sign_key_read(struct str text, struct why *why)
{
	bool pem = str_find(text, STR("-----BEGIN")) >= 0;
	EVP_PKEY *key = pem ? read_pem(text) : read_seed(text);

	if (!key)
		return refuse(why, pem ? "the private key cannot be read: damaged, "
					 "encrypted, or of another kind"
				       : "there is no private key in it");
	return wrap(key, why);
}

struct sign_key *
sign_key_make(enum sign_kind kind, unsigned bits, struct why *why)
{
	EVP_PKEY *key;

	if (kind == SIGN_RSA && (bits < SIGN_RSA_LEAST || bits > SIGN_RSA_MOST))
		return refuse(why, "an RSA key needs 1024 to 16384 bits");
	key = kind == SIGN_RSA ? EVP_RSA_gen(bits)
			       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!key)
		return refuse(why, "OpenSSL makes no such key");
	return wrap(key, why);
}

static EVP_PKEY *
read_public_rsa(struct str bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)bytes.len);

	at = (const unsigned char *)bytes.data;
	return key ? key : d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)bytes.len);
}

struct sign_key *
sign_key_read_public(enum sign_kind kind, struct str bytes, struct why *why)
{
	EVP_PKEY *key = NULL;
	struct sign_key *made;

	if (bytes.len > INT32_MAX)
		return refuse(why, "there is no public key of that length");
	if (kind == SIGN_RSA)
		key = read_public_rsa(bytes);
	else
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
			(const unsigned char *)bytes.data, bytes.len);
	if (!key)
		return refuse(why, "the public key cannot be read");
	made = wrap(key, why);
	if (!made || made->kind == kind)
		return made;
	sign_key_free(made);
	return refuse(why, "the public key is of another kind");
}

void
sign_key_free(struct sign_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->key);
	mem_free(key);
}

enum sign_kind
sign_key_kind(const struct sign_key *key)
{
	return key->kind;
}

unsigned
sign_key_bits(const struct sign_key *key)
{
	return (unsigned)EVP_PKEY_get_bits(key->key);
}

int
sign_key_write(const struct sign_key *key, struct buf *out)
{
	BIO *memory = BIO_new(BIO_s_secmem());
	bool well = memory && PEM_write_bio_PKCS8PrivateKey(
				      memory, key->key, NULL, NULL, 0, NULL, NULL) == 1;
	char *text;
	long size = well ? BIO_get_mem_data(memory, &text) : 0;

	if (size > 0)
		buf_add(out, str_of(text, (size_t)size));
	BIO_free(memory);
	return result(size > 0);
}

int
sign_key_public(const struct sign_key *key, struct buf *out)
{
	unsigned char raw[ED25519_SIZE], *der = NULL;
	size_t size = sizeof(raw);
	int n;

	if (key->kind == SIGN_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key->key, raw, &size) != 1)
			return result(false);
		buf_add(out, str_of(raw, size));
		return 0;
	}
	n = i2d_PUBKEY(key->key, &der);
	if (n > 0)
		buf_add(out, str_of(der, (size_t)n));
	OPENSSL_free(der);
	return result(n > 0);
}

unsigned
sign_public_bits(enum sign_kind kind, struct str bytes)
{
	unsigned bits = 0;
	EVP_PKEY *key;

	if (kind == SIGN_ED25519)
		return bytes.len == ED25519_SIZE ? 256 : 0;
	key = read_public_rsa(bytes);
	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		bits = (unsigned)EVP_PKEY_get_bits(key);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return bits;
}

/* For a SHA-256 hash; NULL: OpenSSL does not do that. */
static EVP_PKEY_CTX *
rsa_context(const struct sign_key *key, int (*init)(EVP_PKEY_CTX *ctx))
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->key, NULL);

	if (ctx && init(ctx) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static bool
rsa_sign(const struct sign_key *key, struct str hash, unsigned char *out, size_t *size)
{
	EVP_PKEY_CTX *ctx = rsa_context(key, EVP_PKEY_sign_init);
	bool well = ctx && EVP_PKEY_sign(ctx, out, size, (const unsigned char *)hash.data,
				   hash.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return well;
}

static bool
ed25519_sign(
	const struct sign_key *key, struct str hash, unsigned char *out, size_t *size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool well = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key) == 1 &&
		    EVP_DigestSign(ctx, out, size, (const unsigned char *)hash.data,
			    hash.len) == 1;

	EVP_MD_CTX_free(ctx);
	return well;
}

int
sign_key_use(const struct sign_key *key, struct str hash, struct buf *out)
{
	size_t size = (size_t)EVP_PKEY_get_size(key->key);
	unsigned char *at;
	bool well;

	if (hash.len != HASH_SIZE)
		return -1;
	buf_need(out, size);
	at = (unsigned char *)out->data + out->len;
	well = key->kind == SIGN_RSA ? rsa_sign(key, hash, at, &size)
				     : ed25519_sign(key, hash, at, &size);
	if (well)
		out->len += size;
	return result(well);
}

bool
sign_key_verify(const struct sign_key *key, struct str hash, struct str signature)
{
	const unsigned char *text = (const unsigned char *)signature.data;
	const unsigned char *bytes = (const unsigned char *)hash.data;
	EVP_PKEY_CTX *rsa = NULL;
	EVP_MD_CTX *pure = NULL;
	bool good;

	if (key->kind == SIGN_RSA) {
		rsa = rsa_context(key, EVP_PKEY_verify_init);
		good = rsa &&
		       EVP_PKEY_verify(rsa, text, signature.len, bytes, hash.len) == 1;
	} else {
		pure = EVP_MD_CTX_new();
		good = pure &&
		       EVP_DigestVerifyInit(pure, NULL, NULL, NULL, key->key) == 1 &&
		       EVP_DigestVerify(pure, text, signature.len, bytes, hash.len) == 1;
	}
	EVP_PKEY_CTX_free(rsa);
	EVP_MD_CTX_free(pure);
	ERR_clear_error();
	return good;
}
