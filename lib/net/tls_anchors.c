/* tls_anchors.c -- trust anchors from a file: certificates and public keys that alone
 * vouch for a server (smtp_tls_trust_anchor_file). To OpenSSL each is what a TLSA record
 * of usage 2 would be that holds all of it (RFC 6698 section 2.1). */
#include "tls_impl.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { ANCHORS_MOST = 100, USAGE_TA = 2, WHOLE_CERTIFICATE = 0, KEY = 1 };

static bool
is_certificate(const unsigned char *at, long len)
{
	X509 *cert = d2i_X509(NULL, &at, len);

	X509_free(cert);
	return cert != NULL;
}

static bool
is_key(const unsigned char *at, long len)
{
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, len);

	EVP_PKEY_free(key);
	return key != NULL;
}

/* One block of PEM. False: it is neither, or not in order. */
static bool
take_block(const char *name, const unsigned char *data, long len, struct arena *arena,
	struct tls_tlsa *out)
{
	bool certificate = strcmp(name, PEM_STRING_X509) == 0 ||
			   strcmp(name, PEM_STRING_X509_OLD) == 0;

	if (certificate ? !is_certificate(data, len)
			: strcmp(name, PEM_STRING_PUBLIC) != 0 || !is_key(data, len))
		return false;
	*out = (struct tls_tlsa){ .usage = USAGE_TA,
		.selector = certificate ? WHOLE_CERTIFICATE : KEY,
		.data = arena_str(arena, str_of((const char *)data, (size_t)len)) };
	return true;
}

/* The number of blocks; -1: one of them is no trust anchor. */
static ssize_t
take_blocks(BIO *in, struct arena *arena, struct tls_tlsa *list, size_t room)
{
	size_t n = 0;
	char *name, *header;
	unsigned char *data;
	long len;

	while (PEM_read_bio(in, &name, &header, &data, &len) == 1) {
		bool taken = n < room && take_block(name, data, len, arena, &list[n]);

		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
		if (!taken)
			return -1;
		n++;
	}
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? (ssize_t)n
									    : -1;
}

int
tls_anchors_read(
	struct str path, struct arena *arena, struct tls_dane *anchors, struct why *why)
{
	struct tls_tlsa *list = arena_alloc(arena, ANCHORS_MOST * sizeof(*list));
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	size_t had = anchors->n;
	ssize_t got = -1;
	BIO *in;

	if (had > 0)
		memcpy(list, anchors->records, had * sizeof(*list));
	buf_add(&name, path);
	ERR_clear_error();
	errno = EINVAL;
	in = str_chr(path, '\0') < 0 ? BIO_new_file(buf_cstr(&name), "r") : NULL;
	if (!in) {
		ERR_clear_error();
		why_set(why, "4.7.5", "cannot read " STR_FMT ": %s", STR_ARG(path),
			strerror(errno));
		return -1;
	}
	got = take_blocks(in, arena, list + had, ANCHORS_MOST - had);
	BIO_free(in);
	ERR_clear_error();
	if (got <= 0) {
		why_set(why, "4.7.5",
			"no trust anchors in " STR_FMT
			": there must be certificates and public keys in PEM, "
			"%d at most, and nothing else",
			STR_ARG(path), ANCHORS_MOST);
		return -1;
	}
	anchors->records = list;
	anchors->n = had + (size_t)got;
	return 0;
}
