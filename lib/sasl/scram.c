/* scram.c -- SCRAM (RFC 5802, RFC 7677), the client's side, without channel binding: the
 * server shows that it knows the password, too, or something that was made of it.
 *
 * Names and passwords go as they are: of SASLprep (RFC 4013) only what it does to ASCII,
 * nothing, holds for all of them. */
#include "sasl_login_impl.h"
#include <string.h>

/* What OpenSSL does in some 100 ms. RFC 7677 section 4: at least 4096; who asks for more
 * than a million wants to keep us busy. */
#define ITERATIONS_MOST 1000000

/* "c=" of the first message's header: "n,," in base64. */
#define NO_BINDING "biws"

/* Takes the next attribute off *rest: "r=value" (RFC 5802 section 5.1). False: it is not
 * this one. */
static bool
attribute(struct str *rest, char name, struct str *value)
{
	struct str item;

	if (!str_split(rest, ',', &item) || item.len < 2 || item.data[0] != name ||
		item.data[1] != '=')
		return false;
	*value = str_from(item, 2);
	return true;
}

static void
first(struct sasl_login *l, struct buf *out)
{
	buf_addz(&l->said, "n=");
	sasl_add_name(&l->said, buf_str(&l->user));
	buf_printf(&l->said, ",r=" STR_FMT, STR_ARG(buf_str(&l->nonce)));
	buf_addz(out, "n,,");
	buf_add(out, buf_str(&l->said));
}

/* RFC 5802 section 3: ClientProof and ServerKey. */
static int
prove(struct sasl_login *l, struct str salt, unsigned iterations, unsigned char *proof)
{
	enum digest d = l->m->digest;
	size_t size = digest_size(d);
	unsigned char salted[DIGEST_MOST], client[DIGEST_MOST], stored[DIGEST_MOST];
	struct str salted_password = str_of(salted, size);
	int well = -1;

	if (digest_pbkdf2(d, buf_str(&l->password), salt, iterations, salted) == 0 &&
		digest_hmac(d, salted_password, STR("Client Key"), client) == 0 &&
		digest_hmac(d, salted_password, STR("Server Key"), l->server_key) == 0 &&
		digest_of(d, str_of(client, size), stored) == 0 &&
		digest_hmac(d, str_of(stored, size), buf_str(&l->said), proof) == 0)
		well = 0;
	for (size_t i = 0; i < size && well == 0; i++)
		proof[i] ^= client[i];
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	explicit_bzero(stored, sizeof(stored));
	return well;
}

/* server-first-message: "r=" nonce ",s=" salt ",i=" count, extensions behind them. One
 * that has to be understood stands in front ("m="), and is refused like any mistake. */
static bool
final(struct sasl_login *l, struct str challenge, struct buf *out, struct why *why)
{
	struct str rest = challenge, nonce, salt64, count;
	struct buf salt CLEANUP(buf_free) = BUF_INIT;
	unsigned char proof[DIGEST_MOST];
	uint64_t iterations;
	size_t from;

	if (!attribute(&rest, 'r', &nonce) || !attribute(&rest, 's', &salt64) ||
		!attribute(&rest, 'i', &count))
		return sasl_bad_protocol(why);
	if (nonce.len <= l->nonce.len || !str_starts(nonce, buf_str(&l->nonce)) ||
		salt64.len == 0 || base64_decode(salt64, &salt) < 0 ||
		str_to_u64(count, &iterations) < 0 || iterations == 0 ||
		iterations > ITERATIONS_MOST)
		return sasl_bad_protocol(why);
	buf_addc(&l->said, ',');
	buf_add(&l->said, challenge);
	buf_addc(&l->said, ',');
	from = l->said.len;
	buf_printf(&l->said, "c=" NO_BINDING ",r=" STR_FMT, STR_ARG(nonce));
	if (prove(l, buf_str(&salt), (unsigned)iterations, proof) < 0)
		return sasl_failure(why);
	buf_add(out, str_from(buf_str(&l->said), from));
	buf_addz(out, ",p=");
	base64_encode(str_of(proof, digest_size(l->m->digest)), out);
	return true;
}

/* server-final-message: "v=" signature, or "e=" what is wrong. */
static bool
verify(struct sasl_login *l, struct str challenge, struct why *why)
{
	enum digest d = l->m->digest;
	struct str rest = challenge, signature64;
	struct buf signature CLEANUP(buf_free) = BUF_INIT;
	unsigned char want[DIGEST_MOST];

	if (!attribute(&rest, 'v', &signature64))
		return str_starts(challenge, STR("e=")) ? sasl_bad_server(why)
							: sasl_bad_protocol(why);
	if (base64_decode(signature64, &signature) < 0 || signature.len != digest_size(d))
		return sasl_bad_protocol(why);
	if (digest_hmac(d, str_of(l->server_key, digest_size(d)), buf_str(&l->said),
		    want) < 0)
		return sasl_failure(why);
	l->server_proved =
		digest_equal(want, (const unsigned char *)signature.data, digest_size(d));
	return l->server_proved || sasl_bad_server(why);
}

bool
sasl_scram_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	switch (l->steps) {
	case 0:
		if (challenge && challenge->len > 0)
			return sasl_bad_protocol(why);
		first(l, out);
		return true;
	case 1:
		return final(l, *challenge, out, why);
	case 2: /* nothing is left to say: a response of no octets */
		return verify(l, *challenge, why);
	default:
		return sasl_failure(why);
	}
}
