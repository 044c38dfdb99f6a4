/* tls_dane.c -- servers' certificates that the DNS vouches for (RFC 6698, RFC 7671): what
 * OpenSSL has of DANE, for the usages of SMTP only (RFC 7672 section 3.1). */
#include "tls_impl.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { USAGE_TA = 2, USAGE_EE = 3, MATCH_MOST = 254 };

/* ---- tls_dane_digests ---- */

/* Digests whose matching type is known to everybody (RFC 6698 section 7.4). */
static const struct {
	const char *name;
	unsigned number;
} known[] = { { "sha256", 1 }, { "sha512", 2 } };

static int
bad_digest(struct why *why, const char *what, struct str word)
{
	why_set(why, "4.7.5",
		"%s \"" STR_FMT "\": use names of digests as in \"sha512 sha256\", "
		"with =NUMBER for others than these",
		what, STR_ARG(word));
	return -1;
}

/* "sha512", "sha512=2". */
static int
parse_digest(struct str word, char *name, size_t size, unsigned *number, struct why *why)
{
	ssize_t equals = str_chr(word, '=');
	struct str left = equals < 0 ? word : str_sub(word, 0, (size_t)equals);
	uint64_t given = 0;

	if (equals >= 0 && (str_to_u64(str_from(word, (size_t)equals + 1), &given) < 0 ||
				   given == 0 || given > MATCH_MOST))
		return bad_digest(why, "bad matching type", word);
	*number = (unsigned)given;
	snprintf(name, size, STR_FMT, STR_ARG(left));
	for (size_t i = 0; i < COUNT(known); i++) {
		bool is_name = str_case_is(left, known[i].name);

		if (is_name && *number == 0)
			*number = known[i].number;
		if (is_name != (*number == known[i].number))
			return bad_digest(why, "another digest's matching type", word);
	}
	return *number > 0 ? 0 : bad_digest(why, "no matching type for", word);
}

static int
use_digest(SSL_CTX *ssl, struct str word, uint8_t rank, struct why *why)
{
	const EVP_MD *digest;
	unsigned number;
	char name[64];

	if (parse_digest(word, name, sizeof(name), &number, why) < 0)
		return -1;
	digest = EVP_get_digestbyname(name);
	if (!digest)
		return bad_digest(why, "unknown digest", word);
	if (SSL_CTX_dane_mtype_set(ssl, digest, (uint8_t)number, rank) == 1)
		return 0;
	ERR_clear_error();
	return bad_digest(why, "OpenSSL does not take", word);
}

int
tls_dane_use(struct tls_context *ctx, struct str digests, struct why *why)
{
	struct str rest = digests, word;
	uint8_t rank = UINT8_MAX; /* of several digests the best one counts */

	if (SSL_CTX_dane_enable(ctx->ssl) != 1)
		return tls_refuse(why, STR("DANE"), "OpenSSL cannot set up");
	for (size_t i = 0; i < COUNT(known); i++)
		SSL_CTX_dane_mtype_set(ctx->ssl, NULL, (uint8_t)known[i].number, 0);
	while (str_token(&rest, " \t\r\n,", &word)) {
		if (rank == 0)
			return bad_digest(why, "too many digests at", word);
		if (use_digest(ctx->ssl, word, rank--, why) < 0)
			return -1;
	}
	/* RFC 7672 section 3.1.1: the key itself is enough, whatever name it is for. */
	SSL_CTX_dane_set_flags(ctx->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	ctx->has_dane = true;
	return 0;
}

bool
tls_context_has_dane(const struct tls_context *ctx)
{
	return ctx->has_dane;
}

/* ---- records ---- */

/* False: OpenSSL cannot make use of it. */
static bool
add_record(SSL *ssl, const struct tls_tlsa *r)
{
	bool taken = (r->usage == USAGE_TA || r->usage == USAGE_EE) &&
		     SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching,
			     (const unsigned char *)r->data.data, r->data.len) == 1;

	ERR_clear_error();
	return taken;
}

size_t
tls_dane_usable(struct tls_context *ctx, struct tls_tlsa *records, size_t n)
{
	SSL *ssl = ctx->has_dane ? SSL_new(ctx->ssl) : NULL;
	size_t usable = 0;

	if (ssl && SSL_dane_enable(ssl, "trial.invalid") == 1)
		for (size_t i = 0; i < n; i++)
			if (add_record(ssl, &records[i]))
				records[usable++] = records[i];
	SSL_free(ssl);
	ERR_clear_error();
	return usable;
}

int
tls_dane_start(struct tls *tls, const struct tls_dane *dane)
{
	struct buf base CLEANUP(buf_free) = BUF_INIT;
	size_t taken = 0;

	buf_add(&base, dane->base);
	if (!tls->ctx->has_dane ||
		SSL_dane_enable(tls->ssl, base.len > 0 ? buf_cstr(&base) : NULL) != 1)
		return -1;
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < dane->names.n; i++) {
		struct buf name CLEANUP(buf_free) = BUF_INIT;

		buf_add(&name, dane->names.items[i]);
		if (SSL_add1_host(tls->ssl, buf_cstr(&name)) != 1)
			return -1;
	}
	for (size_t i = 0; i < dane->n; i++)
		taken += add_record(tls->ssl, &dane->records[i]);
	tls->has_dane = true;
	return taken > 0 ? 0 : -1;
}
