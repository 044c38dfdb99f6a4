/* tls_expiry.c -- how long the certificates in a file are good for. */
#include "net.h"
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

int
tls_certificate_ends(const char *path, int64_t *ends, struct why *why)
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
	*ends = INT64_MAX;
	while ((x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL))) {
		if (!is_authority(x, number++))
			*ends = MIN(*ends, end_of(x));
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(in);
	if (number > 0)
		return 0;
	why_set(why, "4.7.0", "no certificate in %s", path);
	return -1;
}
