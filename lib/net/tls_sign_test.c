/* tls_sign_test.c -- keys are made, written, read, and sign. */
#include "tls_digest.h"
#include "tls_sign.h"
#include "test.h"

static const char hash[32] = "a hash of thirty-two bytes, this";
#define HASH str_of(hash, sizeof(hash))

static void
check_kind(enum sign_kind kind, unsigned bits, size_t public_size)
{
	struct buf pem CLEANUP(buf_wipe) = BUF_INIT;
	struct buf public CLEANUP(buf_free) = BUF_INIT, same CLEANUP(buf_free) = BUF_INIT;
	struct buf signature CLEANUP(buf_free) = BUF_INIT;
	struct why why = { "", "" };
	struct sign_key *key = sign_key_make(kind, bits, &why), *copy, *other;

	CHECK(key != NULL);
	CHECK_INT(sign_key_write(key, &pem), 0);
	copy = sign_key_read(buf_str(&pem), &why);
	CHECK(copy != NULL);
	CHECK_INT(sign_key_kind(copy), kind);
	if (kind == SIGN_RSA)
		CHECK_INT(sign_key_bits(copy), bits);
	CHECK_INT(sign_key_public(key, &public), 0);
	CHECK_INT(sign_key_public(copy, &same), 0);
	CHECK(str_eq(buf_str(&public), buf_str(&same)));
	CHECK_INT(public.len, public_size);
	CHECK_INT(sign_public_bits(kind, buf_str(&public)), sign_key_bits(key));
	CHECK_INT(sign_public_bits(kind, str_sub(buf_str(&public), 0, 20)), 0);
	CHECK_INT(sign_key_use(key, HASH, &signature), 0);
	CHECK(sign_key_verify(copy, HASH, buf_str(&signature)));
	other = sign_key_read_public(kind, buf_str(&public), &why);
	CHECK(other != NULL);
	CHECK(sign_key_verify(other, HASH, buf_str(&signature)));
	signature.data[0] ^= 1;
	CHECK(!sign_key_verify(copy, HASH, buf_str(&signature)));
	CHECK(!sign_key_verify(other, HASH, buf_str(&signature)));
	CHECK(sign_key_read_public(kind == SIGN_RSA ? SIGN_ED25519 : SIGN_RSA,
		      buf_str(&public), &why) == NULL);
	sign_key_free(other);
	CHECK_INT(sign_key_use(key, STR("no hash"), &signature), -1);
	sign_key_free(key);
	sign_key_free(copy);
}

TEST(keys_sign)
{
	check_kind(SIGN_RSA, 1024, 162);
	check_kind(SIGN_ED25519, 0, 32);
}

/* RFC 8032 section 7.1, TEST 1 has the seed; RFC 8463 appendix A.2 publishes its key. */
TEST(seeds_are_read)
{
	struct why why;
	struct buf public CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT;
	struct sign_key *key = sign_key_read(
		STR("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"), &why);

	CHECK(key != NULL);
	CHECK_INT(sign_key_kind(key), SIGN_ED25519);
	CHECK_INT(sign_key_public(key, &public), 0);
	base64_encode(buf_str(&public), &text);
	CHECK_STR(buf_str(&text), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
	sign_key_free(key);
}

TEST(what_is_no_key_is_refused)
{
	static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
					"AAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
	struct why why;

	CHECK(!sign_key_read(STR(""), &why));
	CHECK(!sign_key_read(STR("c2hvcnQ="), &why));
	CHECK(!sign_key_read(STR("-----BEGIN PRIVATE KEY-----\n"), &why));
	CHECK(!sign_key_read(str_c(encrypted), &why));
	CHECK(why.text[0]);
	CHECK(!sign_key_make(SIGN_RSA, 512, &why));
	CHECK(!sign_key_make(SIGN_RSA, 1000000, &why));
}

TEST(hashes_come_in_pieces)
{
	unsigned char whole[DIGEST_MOST], pieces[DIGEST_MOST];
	struct digest_run *run = digest_begin(DIGEST_SHA256);

	CHECK(run != NULL);
	digest_add(run, STR("two "));
	digest_add(run, STR("pieces"));
	CHECK_INT(digest_end(run, pieces), 0);
	CHECK_INT(digest_of(DIGEST_SHA256, STR("two pieces"), whole), 0);
	CHECK(memcmp(whole, pieces, digest_size(DIGEST_SHA256)) == 0);
	run = digest_begin(DIGEST_SHA256);
	CHECK_INT(digest_end(run, NULL), 0);
}
