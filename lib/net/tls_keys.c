/* tls_keys.c -- private keys and their certificates, out of PEM files. See tls_keys.h.
 */
#include "tls_impl.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define PREMASTER 48 /* bytes of a premaster secret (RFC 5246 section 7.4.7.1) */

struct tls_chains {
	VEC(struct tls_own_chain) list;
	struct tls_own_chain reading; /* not complete before the next key or the end */
};

/* The reason that OpenSSL gives; empties its queue. */
const char *
tls_library_reason(char *room, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	snprintf(room, size, "%s", text ? text : "no reason given");
	ERR_clear_error();
	return room;
}

int
tls_refuse(struct why *why, struct str file, const char *what)
{
	char reason[200];

	why_set(why, "4.7.0", "%s " STR_FMT ": %s", what, STR_ARG(file),
		tls_library_reason(reason, sizeof(reason)));
	return -1;
}

struct tls_chains *
tls_chains_new(void)
{
	return mem_alloc(sizeof(struct tls_chains));
}

void
tls_own_chain_clear(struct tls_own_chain *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->leaf);
	sk_X509_pop_free(c->above, X509_free);
	*c = (struct tls_own_chain){ .key = NULL };
}

void
tls_chains_free(struct tls_chains *c)
{
	if (!c)
		return;
	tls_own_chain_clear(&c->reading);
	for (size_t i = 0; i < c->list.n; i++)
		tls_own_chain_clear(&c->list.items[i]);
	vec_free(&c->list);
	mem_free(c);
}

int
tls_key_id(EVP_PKEY *key, unsigned char *id)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	int done =
		len > 0 ? EVP_Digest(der, (size_t)len, id, NULL, EVP_sha256(), NULL) : 0;

	OPENSSL_free(der);
	return done == 1 ? 0 : -1;
}

/* ---- reading: a private key, its certificate, the certificates above it; then perhaps
 * another key, and so on through all files in their order ---- */

static int
complete(struct tls_chains *c, struct str file, struct why *why)
{
	struct tls_own_chain *r = &c->reading;
	int result = -1;

	if (!r->key)
		return 0;
	if (!r->leaf)
		why_set(why, "4.7.0",
			STR_FMT ": a private key without its certificate behind it",
			STR_ARG(file));
	else if (X509_check_private_key(r->leaf, r->key) != 1 ||
		 tls_key_id(r->key, r->id) < 0)
		tls_refuse(why, file, "key and certificate do not fit in");
	else
		result = 0;
	if (result < 0) {
		tls_own_chain_clear(r);
		return -1;
	}
	*vec_push(&c->list) = *r;
	*r = (struct tls_own_chain){ .key = NULL };
	return 0;
}

struct object {
	char *name;
	unsigned char *der;
	long len;
};

static int
add_key(struct tls_chains *c, const struct object *o, struct str file, struct why *why)
{
	const unsigned char *der = o->der;
	EVP_PKEY *key;

	if (complete(c, file, why) < 0)
		return -1;
	if (strcmp(o->name, PEM_STRING_RSA) == 0)
		key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &der, o->len);
	else if (strcmp(o->name, PEM_STRING_ECPRIVATEKEY) == 0)
		key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &der, o->len);
	else
		key = d2i_AutoPrivateKey(NULL, &der, o->len);
	c->reading.key = key;
	return key ? 0 : tls_refuse(why, file, "cannot read a private key in");
}

static int
add_certificate(
	struct tls_chains *c, const struct object *o, struct str file, struct why *why)
{
	const unsigned char *der = o->der;
	struct tls_own_chain *r = &c->reading;
	X509 *x;

	if (!r->key) {
		why_set(why, "4.7.0",
			STR_FMT ": begins with a certificate; the private key has to "
				"stand before its certificate",
			STR_ARG(file));
		return -1;
	}
	x = strcmp(o->name, PEM_STRING_X509_TRUSTED) == 0
		    ? d2i_X509_AUX(NULL, &der, o->len)
		    : d2i_X509(NULL, &der, o->len);
	if (!x)
		return tls_refuse(why, file, "cannot read a certificate in");
	if (!r->leaf) {
		r->leaf = x;
		return 0;
	}
	if (!r->above)
		r->above = sk_X509_new_null();
	sk_X509_push(r->above, x);
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
read_objects(struct tls_chains *c, BIO *in, struct str file, struct why *why)
{
	int result = 0, objects = 0;

	while (result == 0) {
		struct object o = { .name = NULL };
		char *header = NULL;

		if (PEM_read_bio(in, &o.name, &header, &o.der, &o.len) != 1)
			break;
		if (is_key(o.name))
			result = add_key(c, &o, file, why);
		else if (is_certificate(o.name))
			result = add_certificate(c, &o, file, why);
		objects++;
		OPENSSL_free(o.name);
		OPENSSL_free(header);
		OPENSSL_clear_free(o.der, (size_t)o.len);
	}
	if (result < 0)
		return -1;
	if (objects == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return tls_refuse(why, file, "cannot read keys and certificates in");
	ERR_clear_error();
	return 0;
}

static BIO *
bio_of(struct str text)
{
	BIO *in = BIO_new_mem_buf(text.len ? text.data : "", (int)text.len);

	ensure(in);
	return in;
}

int
tls_chains_add(struct tls_chains *c, struct str pem, struct str file, struct why *why)
{
	BIO *in = bio_of(pem);
	int result = read_objects(c, in, file, why);

	BIO_free(in);
	return result;
}

int
tls_chains_end(struct tls_chains *c, struct str file, struct why *why)
{
	return complete(c, file, why);
}

int
tls_chains_add_pair(
	struct tls_chains *c, struct tls_pem cert, struct tls_pem key, struct why *why)
{
	struct tls_own_chain *r = &c->reading;
	BIO *in = bio_of(key.text);

	tls_own_chain_clear(r);
	r->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	BIO_free(in);
	if (!r->key)
		return tls_refuse(why, key.file, "cannot read the private key in");
	ERR_clear_error();
	in = bio_of(cert.text);
	r->leaf = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
	r->above = sk_X509_new_null();
	for (X509 *x; r->leaf && (x = PEM_read_bio_X509(in, NULL, NULL, NULL));)
		sk_X509_push(r->above, x);
	BIO_free(in);
	if (!r->leaf)
		return tls_refuse(why, cert.file, "cannot read the certificate in");
	ERR_clear_error(); /* of the end of the file */
	return complete(c, cert.file, why);
}

/* ---- what is shown ---- */

size_t
tls_chains_count(const struct tls_chains *c)
{
	return c->list.n;
}

const struct tls_own_chain *
tls_chains_item(const struct tls_chains *c, size_t i)
{
	return &c->list.items[i];
}

struct str
tls_chains_key(const struct tls_chains *c, size_t i)
{
	return str_of(c->list.items[i].id, TLS_KEY_ID);
}

static struct str
der_of(X509 *x, struct arena *arena)
{
	int len = i2d_X509(x, NULL);
	unsigned char *room, *at;

	ensure(len > 0);
	room = at = arena_alloc(arena, (size_t)len);
	i2d_X509(x, &at);
	return str_of(room, (size_t)len);
}

struct tls_chain
tls_chains_show(const struct tls_chains *c, size_t i, struct arena *arena)
{
	const struct tls_own_chain *own = &c->list.items[i];
	int above = own->above ? sk_X509_num(own->above) : 0;
	struct tls_chain shown = { .key = arena_str(arena, tls_chains_key(c, i)) };

	shown.certificates.n = (size_t)above + 1;
	shown.certificates.items =
		arena_alloc(arena, shown.certificates.n * sizeof(struct str));
	shown.certificates.items[0] = der_of(own->leaf, arena);
	for (int j = 0; j < above; j++)
		shown.certificates.items[j + 1] =
			der_of(sk_X509_value(own->above, j), arena);
	return shown;
}

/* ---- what is done with a key ---- */

static int
sign(EVP_PKEY *key, const struct tls_key_use *use, struct buf *out)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	char digest[32];
	size_t len = (size_t)EVP_PKEY_get_size(key);
	int done;

	snprintf(digest, sizeof(digest), STR_FMT, STR_ARG(use->digest));
	buf_need(out, len);
	done = EVP_DigestSignInit_ex(
		       md, &ctx, digest[0] ? digest : NULL, NULL, NULL, key, NULL) == 1 &&
	       (!use->pss ||
		       (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
			       EVP_PKEY_CTX_set_rsa_pss_saltlen(
				       ctx, RSA_PSS_SALTLEN_DIGEST) > 0)) &&
	       EVP_DigestSign(md, (unsigned char *)out->data + out->len, &len,
		       (const unsigned char *)use->data.data, use->data.len) == 1;
	EVP_MD_CTX_free(md);
	if (!done)
		return -1;
	out->len += len;
	return 0;
}

/* What is no premaster secret becomes a random one, which tells nobody anything: OpenSSL
 * does that in constant time (RFC 5246 section 7.4.7.1). */
static int
decrypt(EVP_PKEY *key, const struct tls_key_use *use, struct buf *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	unsigned client = use->client_version, negotiated = use->negotiated_version;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(
			OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &client),
		negotiated ? OSSL_PARAM_construct_uint(
				     OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION,
				     &negotiated)
			   : OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};
	unsigned char secret[PREMASTER];
	size_t len = sizeof(secret);
	int done;

	done = ctx && EVP_PKEY_decrypt_init(ctx) > 0 &&
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_WITH_TLS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_params(ctx, params) > 0 &&
	       EVP_PKEY_decrypt(ctx, secret, &len, (const unsigned char *)use->data.data,
		       use->data.len) > 0 &&
	       len == sizeof(secret);
	EVP_PKEY_CTX_free(ctx);
	if (done)
		buf_add(out, str_of(secret, len));
	mem_wipe(secret, sizeof(secret));
	return done ? 0 : -1;
}

int
tls_chains_use(const struct tls_chains *c, size_t i, const struct tls_key_use *use,
	struct buf *out)
{
	EVP_PKEY *key = c->list.items[i].key;
	int result;

	ERR_clear_error();
	if (use->data.len > TLS_KEY_DATA || use->digest.len > 20)
		return -1;
	if (use->decrypt)
		result = EVP_PKEY_is_a(key, "RSA") ? decrypt(key, use, out) : -1;
	else
		result = sign(key, use, out);
	ERR_clear_error();
	return result;
}
