/* published_keys.c -- DKIM and TLSA. See published.h. */
#include "published_impl.h"
#include "tags.h"
#include "tls_digest.h"
#include "tls_sign.h"

/* RFC 8301 section 3.2 */
#define RSA_LEAST  1024
#define RSA_WANTED 2048

/* ---- DKIM (RFC 6376 section 3.6.1) ---- */

/* The value of p= without its blanks. */
static struct str
key_text(struct published *p, struct str record)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str value;

	(void)tag_find(record, "p", &value);
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_space(value.data[i]))
			buf_addc(&text, value.data[i]);
	return arena_str(p->arena, buf_str(&text));
}

struct read_key {
	enum sign_kind kind;
	struct str text; /* base64 */
	unsigned bits;   /* 0: it is none */
};

/* What is wrong with the record, if anything; empty: nothing. */
static struct str
read_record(struct published *p, struct str record, struct read_key *out)
{
	struct buf key CLEANUP(buf_free) = BUF_INIT;
	struct str value;

	*out = (struct read_key){ .kind = SIGN_RSA, .text = key_text(p, record) };
	if (tag_find(record, "v", &value) && !str_is(value, "DKIM1"))
		return STR("it is of another version than DKIM1");
	if (tag_find(record, "k", &value) && str_case_is(value, "ed25519"))
		out->kind = SIGN_ED25519;
	else if (value.len > 0 && !str_case_is(value, "rsa"))
		return STR("k= is neither rsa nor ed25519");
	if (!tag_find(record, "p", &value))
		return STR("it has no p=");
	if (out->text.len == 0)
		return STR("its p= is empty: the key is revoked");
	if (tag_find(record, "h", &value) && str_find(value, STR("sha256")) < 0)
		return STR("h= excludes sha256, with which everybody signs");
	if (base64_decode(out->text, &key) == 0)
		out->bits = sign_public_bits(out->kind, buf_str(&key));
	if (out->bits == 0)
		return STR("its p= is no public key");
	if (out->kind == SIGN_RSA && out->bits < RSA_LEAST)
		return arena_printf(p->arena,
			"its RSA key has %u bits: verifiers want %d at least", out->bits,
			RSA_LEAST);
	return STR("");
}

static void
judge_key(struct published *p, const struct published_key *key, struct str name,
	struct str record)
{
	struct str ours, flags;
	struct read_key read;
	struct str problem = read_record(p, record, &read);

	if (problem.len > 0) {
		published_tell(p, PUBLISHED_ERROR, "DKIM", STR_FMT ": " STR_FMT,
			STR_ARG(name), STR_ARG(problem));
		return;
	}
	ours = key_text(p, key->record);
	if (ours.len > 0 && !str_eq(ours, read.text)) {
		published_tell(p, PUBLISHED_ERROR, "DKIM",
			STR_FMT ": it is another key than the one that signs: publish "
				"what postauth dns says",
			STR_ARG(name));
		return;
	}
	if (read.kind == SIGN_RSA && read.bits < RSA_WANTED)
		published_tell(p, PUBLISHED_WARNING, "DKIM",
			STR_FMT ": an RSA key of %u bits: make one of %d", STR_ARG(name),
			read.bits, RSA_WANTED);
	(void)tag_find(record, "t", &flags);
	if (str_chr(flags, 'y') >= 0)
		published_tell(p, PUBLISHED_WARNING, "DKIM",
			STR_FMT ": t=y: it is for trial only", STR_ARG(name));
	published_tell(p, PUBLISHED_GOOD, "DKIM", STR_FMT ": %u bits%s", STR_ARG(name),
		read.bits, ours.len > 0 ? ", the key that signs" : "");
}

SWITCHES static void
check_key(struct published *p, const struct published_key *key)
{
	struct str name = arena_printf(p->arena, STR_FMT "._domainkey." STR_FMT,
		STR_ARG(key->selector), STR_ARG(key->domain));
	struct dns_reply said;
	struct str record = STR_NONE;
	unsigned n = 0;

	if (!published_ask(p, "DKIM", name, ns_t_txt, &said))
		return;
	for (size_t i = 0; i < said.n_records; i++)
		if (said.records[i].type == ns_t_txt) {
			record = said.records[i].data;
			n++;
		}
	if (n == 1)
		judge_key(p, key, name, record);
	else
		published_tell(p, PUBLISHED_ERROR, "DKIM", STR_FMT ": there %s",
			STR_ARG(name),
			n ? "are several records: publish one" : "is no record");
}

void
published_dkim(struct published *p)
{
	if (p->q->n_keys == 0)
		published_tell(
			p, PUBLISHED_ABSENT, "DKIM", "no key is known to sign for it");
	for (size_t i = 0; i < p->q->n_keys; i++)
		check_key(p, &p->q->keys[i]);
}

/* ---- TLSA (RFC 6698 section 2.1, RFC 7672 section 3.1) ---- */

enum { USAGE_CA = 2, USAGE_KEY = 3, SELECTOR_KEY = 1, MATCH_SHA256 = 1, MATCH_MOST = 2 };

static bool
is_well_formed(struct str data)
{
	static const size_t sizes[MATCH_MOST + 1] = { 0, 32, 64 }; /* 0: any */
	unsigned char match;

	if (data.len < 4 || (unsigned char)data.data[0] > USAGE_KEY ||
		(unsigned char)data.data[1] > SELECTOR_KEY ||
		(unsigned char)data.data[2] > MATCH_MOST)
		return false;
	match = (unsigned char)data.data[2];
	return sizes[match] == 0 || data.len == 3 + sizes[match];
}

enum tlsa_fit { TLSA_FITS, TLSA_FITS_NOT, TLSA_UNKNOWN };

/* Is it of one of our keys? */
static enum tlsa_fit
fit_of(struct published *p, struct str host, struct str data)
{
	const size_t size = digest_size(DIGEST_SHA256);
	struct str keys = p->q->tls_keys;

	if (keys.len == 0 || !str_case_eq(host, p->q->host) ||
		data.data[0] != USAGE_KEY || data.data[1] != SELECTOR_KEY ||
		data.data[2] != MATCH_SHA256)
		return TLSA_UNKNOWN;
	for (size_t at = 0; at < keys.len; at += size)
		if (str_eq(str_sub(keys, at, size), str_from(data, 3)))
			return TLSA_FITS;
	return TLSA_FITS_NOT;
}

/* True: it can be used. */
static bool
judge_tlsa(struct published *p, struct str name, struct str data)
{
	if (!is_well_formed(data)) {
		published_tell(p, PUBLISHED_ERROR, "TLSA",
			STR_FMT ": a record is malformed", STR_ARG(name));
		return false;
	}
	if (data.data[0] < USAGE_CA) {
		published_tell(p, PUBLISHED_WARNING, "TLSA",
			STR_FMT ": usage %d is passed over for mail: use 3 1 1",
			STR_ARG(name), data.data[0]);
		return false;
	}
	return true;
}

SWITCHES static void
check_host(struct published *p, struct str host)
{
	struct str name = published_shown(p, published_name(p, "_25._tcp", host));
	unsigned n = 0, usable = 0, count[TLSA_UNKNOWN + 1] = { 0 };
	struct dns_reply said;

	if (!published_ask(
		    p, "TLSA", published_name(p, "_25._tcp", host), ns_t_tlsa, &said))
		return;
	for (size_t i = 0; i < said.n_records; i++) {
		if (said.records[i].type != ns_t_tlsa)
			continue;
		n++;
		if (!judge_tlsa(p, name, said.records[i].data))
			continue;
		usable++;
		count[fit_of(p, host, said.records[i].data)]++;
	}
	if (n == 0)
		published_tell(p, PUBLISHED_ABSENT, "TLSA", STR_FMT, STR_ARG(name));
	else if (usable > 0 && count[TLSA_FITS_NOT] == usable)
		published_tell(p, PUBLISHED_ERROR, "TLSA",
			STR_FMT ": none is of a certificate that smtpd shows: mail "
				"from those who check it does not come",
			STR_ARG(name));
	else if (usable > 0)
		published_tell(p, PUBLISHED_GOOD, "TLSA",
			STR_FMT ": %u record%s, good if the zone is signed%s",
			STR_ARG(name), usable, usable > 1 ? "s" : "",
			count[TLSA_FITS] ? "; smtpd's certificate" : "");
}

void
published_tlsa(struct published *p)
{
	for (size_t i = 0; i < p->n_hosts; i++)
		check_host(p, p->hosts[i]);
}
