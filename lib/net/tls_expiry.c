/* tls_expiry.c -- the certificates in a file: how long they are good for, whose keys they
 * have. */
#include "net.h"
#include "tls_digest.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

static int64_t
end_of(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm)
								: 0;
}

/* Those of authorities do not count: peers have their own, and some are sent along for
 * years after their time. */
static bool
is_authority(X509 *x, int number)
{
	return number > 0 && X509_check_ca(x) > 0;
}

/* Calls fn with each certificate of a file that counts; -1 and *why: there is none. */
static int
each_certificate(
	const char *path, void (*fn)(X509 *x, void *arg), void *arg, struct why *why)
{
	BIO *in = BIO_new_file(path, "r");
	int number = 0;
	X509 *x;

	if (!in) {
		why_set(why, "4.7.0", "cannot open %s: %s", path,
			strerror(errno_of_failure()));
		ERR_clear_error();
		return -1;
	}
	while ((x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL))) {
		if (!is_authority(x, number++))
			fn(x, arg);
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(in);
	if (number > 0)
		return 0;
	why_set(why, "4.7.0", "no certificate in %s", path);
	return -1;
}

static void
take_end(X509 *x, void *arg)
{
	int64_t *ends = arg;

	*ends = MIN(*ends, end_of(x));
}

int
tls_certificate_ends(const char *path, int64_t *ends, struct why *why)
{
	*ends = INT64_MAX;
	return each_certificate(path, take_end, ends, why);
}

static void
take_key(X509 *x, void *arg)
{
	unsigned char hash[DIGEST_MOST], *der = NULL;
	int n = i2d_PUBKEY(X509_get0_pubkey(x), &der);

	if (n > 0 && digest_of(DIGEST_SHA256, str_of(der, (size_t)n), hash) == 0)
		buf_add(arg, str_of(hash, digest_size(DIGEST_SHA256)));
	OPENSSL_free(der);
}

int
tls_certificate_keys(const char *path, struct buf *out, struct why *why)
{
	return each_certificate(path, take_key, out, why);
}
