/* tls_digest.c -- see tls_digest.h. */
#include "tls_digest.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *
kind(enum digest d)
{
	switch (d) {
	case DIGEST_MD5:
		return EVP_md5();
	case DIGEST_SHA1:
		return EVP_sha1();
	case DIGEST_SHA256:
		break;
	}
	return EVP_sha256();
}

size_t
digest_size(enum digest d)
{
	return (size_t)EVP_MD_get_size(kind(d));
}

/* What OpenSSL noted of a failure is nobody else's. */
static int
result(bool well)
{
	if (!well)
		ERR_clear_error();
	return well ? 0 : -1;
}

int
digest_of(enum digest d, struct str in, unsigned char *out)
{
	return result(EVP_Digest(in.data, in.len, out, NULL, kind(d), NULL) == 1);
}

struct digest_run {
	EVP_MD_CTX *ctx;
	bool failed;
};

struct digest_run *
digest_begin(enum digest d)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct digest_run *run;

	if (!ctx || EVP_DigestInit_ex(ctx, kind(d), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		ERR_clear_error();
		return NULL;
	}
	run = mem_alloc(sizeof(*run));
	run->ctx = ctx;
	return run;
}

void
digest_add(struct digest_run *run, struct str in)
{
	if (EVP_DigestUpdate(run->ctx, in.data, in.len) != 1)
		run->failed = true;
}

int
digest_end(struct digest_run *run, unsigned char *out)
{
	unsigned char unwanted[EVP_MAX_MD_SIZE];
	int got;

	got = EVP_DigestFinal_ex(run->ctx, out ? out : unwanted, NULL) == 1 &&
	      !run->failed;
	EVP_MD_CTX_free(run->ctx);
	mem_free(run);
	return result(got);
}

int
digest_hmac(enum digest d, struct str key, struct str in, unsigned char *out)
{
	const void *bytes = key.len > 0 ? key.data : ""; /* NULL: the key before */

	return result(key.len <= INT32_MAX &&
		      HMAC(kind(d), bytes, (int)key.len, (const unsigned char *)in.data,
			      in.len, out, NULL) != NULL);
}

int
digest_pbkdf2(enum digest d, struct str password, struct str salt, unsigned iterations,
	unsigned char *out)
{
	if (password.len > INT32_MAX || salt.len > INT32_MAX || iterations > INT32_MAX)
		return -1;
	return result(PKCS5_PBKDF2_HMAC(password.len > 0 ? password.data : "",
			      (int)password.len, (const unsigned char *)salt.data,
			      (int)salt.len, (int)iterations, kind(d),
			      (int)digest_size(d), out) == 1);
}

bool
digest_equal(const unsigned char *a, const unsigned char *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}
