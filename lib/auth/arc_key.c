/* arc_key.c -- the keys of those who sealed. See arc.h. */
#include "arc.h"
#include "tags.h"
#include "tls_sign.h"
#include <arpa/nameser.h>

static struct sign_key *
refuse(struct why *why, const char *text)
{
	why_set(why, "5.7.0", "%s", text);
	return NULL;
}

/* A colon-separated list that has one of two words; none given stands for both. */
static bool
allows(struct str list, const char *word, const char * or)
{
	struct str item;

	if (!list.data)
		return true;
	while (str_split(&list, ':', &item)) {
		item = str_trim(item);
		if (str_is(item, word) || str_is(item, or))
			return true;
	}
	return false;
}

struct sign_key *
arc_key_read(struct str record, enum dkim_algorithm algorithm, unsigned key_bits,
	struct why *why)
{
	enum sign_kind kind = algorithm == DKIM_RSA_SHA256 ? SIGN_RSA : SIGN_ED25519;
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str version, wanted = kind == SIGN_RSA ? STR("rsa") : STR("ed25519"), is;
	struct sign_key *key;
	struct tags tags;

	if (tags_read(record, &tags) < 0)
		return refuse(why, "the key's record cannot be understood");
	version = tags_get(&tags, "v");
	is = tags_get(&tags, "k");
	if (version.data &&
		(!str_is(version, "DKIM1") || !str_is(tags.items[0].name, "v")))
		return refuse(why, "the key's record is of another version");
	if (!str_eq(is.data ? is : STR("rsa"), wanted))
		return refuse(why, "the key is of another kind");
	if (!allows(tags_get(&tags, "h"), "sha256", "sha256") ||
		!allows(tags_get(&tags, "s"), "email", "*"))
		return refuse(why, "the key is for something else");
	if (tags_raw(&tags, "p").data && tags_get(&tags, "p").len == 0)
		return refuse(why, "the key has been revoked");
	if (tags_base64(tags_get(&tags, "p"), &bytes) < 0)
		return refuse(why, "the key's record has no key");
	key = sign_key_read_public(kind, buf_str(&bytes), why);
	if (!key || kind != SIGN_RSA || sign_key_bits(key) >= key_bits)
		return key;
	sign_key_free(key);
	return refuse(why, "the key is too short");
}

/* The first record that has a key (RFC 6376 section 3.6.2.2 leaves open which). */
SWITCHES static enum arc_check
find_key(const struct arc_signature *s, unsigned key_bits, const struct auth_dns *dns,
	deadline_t until, struct sign_key **key, struct why *why)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str name = arena_printf(arena, STR_FMT "._domainkey." STR_FMT,
		STR_ARG(s->selector), STR_ARG(s->domain));
	struct dns_reply said;

	*key = NULL;
	why_set(why, "5.7.0", "there is no key");
	if (dns->ask(dns->arg, name, ns_t_txt, arena, until, &said) == DNS_TEMPFAIL) {
		why_set(why, "4.7.0", "the key cannot be looked up now");
		return ARC_IN_DOUBT;
	}
	for (size_t i = 0; said.status == DNS_OK && i < said.n_records && !*key; i++)
		if (said.records[i].type == ns_t_txt)
			*key = arc_key_read(
				said.records[i].data, s->algorithm, key_bits, why);
	return *key ? ARC_GOOD : ARC_BAD;
}

enum arc_check
arc_check(const struct arc_signature *s, const unsigned char hash[DKIM_HASH],
	unsigned key_bits, const struct auth_dns *dns, deadline_t until, struct why *why)
{
	struct buf signature CLEANUP(buf_free) = BUF_INIT;
	struct sign_key *key;
	enum arc_check got;

	if (tags_base64(s->b, &signature) < 0) {
		why_set(why, "5.7.0", "b= is no base64");
		return ARC_BAD;
	}
	got = find_key(s, key_bits, dns, until, &key, why);
	if (got == ARC_GOOD &&
		!sign_key_verify(key, str_of(hash, DKIM_HASH), buf_str(&signature))) {
		why_set(why, "5.7.0", "the signature does not match");
		got = ARC_BAD;
	}
	sign_key_free(key);
	return got;
}
