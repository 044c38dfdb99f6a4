/* srs.c -- see srs.h. */
#include "srs.h"
#include "tls_digest.h"

#define HASH_LEN     8 /* letters of five bits each */
#define DAY_LEN      2
#define DAYS         1024 /* what they can tell apart */
#define SECONDS      86400
#define ADDRESS_MOST 254 /* octets: RFC 5321 section 4.5.3.1.3, without the brackets */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

int
srs_secrets_read(struct str text, struct srs *out, struct why *why)
{
	struct str line;

	out->n_secrets = 0;
	while (str_split(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		if (line.len < SRS_SECRET_LEAST) {
			why_set(why, "4.3.5",
				"a secret is too short: it needs %d letters at least",
				SRS_SECRET_LEAST);
			return -1;
		}
		if (out->n_secrets == SRS_SECRETS_MOST) {
			why_set(why, "4.3.5", "there are more than %d secrets",
				SRS_SECRETS_MOST);
			return -1;
		}
		out->secrets[out->n_secrets++] = line;
	}
	if (out->n_secrets > 0)
		return 0;
	why_set(why, "4.3.5", "there is no secret in it");
	return -1;
}

/* ---- hash and day ---- */

/* Of what stands behind it in the local part, whose parts are told apart by the kind. */
static int
hash_of(struct str secret, char kind, struct str text, char out[HASH_LEN])
{
	struct buf said CLEANUP(buf_free) = BUF_INIT;
	unsigned char mac[DIGEST_MOST];
	uint64_t bits;

	buf_addc(&said, kind);
	for (size_t i = 0; i < text.len; i++)
		buf_addc(&said, ascii_lower(text.data[i]));
	if (digest_hmac(DIGEST_SHA256, secret, buf_str(&said), mac) < 0)
		return -1;
	bits = get_u64(mac);
	for (size_t i = 0; i < HASH_LEN; i++)
		out[i] = alphabet[(bits >> (59 - 5 * i)) & 31];
	return 0;
}

static bool
hash_is_good(const struct srs *s, char kind, struct str text, struct str hash)
{
	unsigned char given[HASH_LEN], ours[HASH_LEN];
	char made[HASH_LEN];
	bool good = false;

	if (hash.len != HASH_LEN)
		return false;
	for (size_t i = 0; i < HASH_LEN; i++)
		given[i] = (unsigned char)ascii_lower(hash.data[i]);
	for (size_t n = 0; n < s->n_secrets; n++) {
		if (hash_of(s->secrets[n], kind, text, made) < 0)
			return false;
		for (size_t i = 0; i < HASH_LEN; i++)
			ours[i] = (unsigned char)ascii_lower(made[i]);
		good |= digest_equal(given, ours, HASH_LEN);
	}
	return good;
}

static unsigned
day_of(int64_t now)
{
	return (unsigned)(now / SECONDS % DAYS);
}

static int
day_read(struct str text, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		char letter = text.data[i];
		const char *at;

		if (letter >= 'a' && letter <= 'z')
			letter = (char)(letter - 'a' + 'A');
		at = letter ? strchr(alphabet, letter) : NULL;
		if (!at)
			return -1;
		*out = *out * 32 + (unsigned)(at - alphabet);
	}
	return text.len == DAY_LEN ? 0 : -1;
}

/* Another host's clock may be before ours at midnight. */
static bool
day_is_good(const struct srs *s, unsigned day, int64_t now)
{
	unsigned age = (day_of(now) + DAYS - day) % DAYS;

	return age <= s->days || age == DAYS - 1;
}

/* ---- local parts ---- */

static bool
is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* "SRS0" or "SRS1", and one of the separators that are in use. */
static bool
is_kind(struct str local, char kind)
{
	return local.len > 5 && str_case_starts(local, STR("SRS")) &&
	       local.data[3] == kind && is_separator(local.data[4]);
}

bool
srs_is_local_part(struct str local)
{
	return is_kind(local, '0') || is_kind(local, '1');
}

/* What stands behind "SRS1=HASH=": the first forwarder, and, with its separator, what he
 * wrote behind "SRS0". */
static bool
split_second(struct str text, struct str *host, struct str *rest)
{
	*rest = text;
	return str_split(rest, '=', host) && host->len > 0 && rest->len > 1 &&
	       is_separator(rest->data[0]);
}

static int
refuse(struct why *why, const char *text)
{
	why_set(why, "5.1.1", "%s", text);
	return -1;
}

/* kind, hash, text and our domain. */
static int
put_address(
	const struct srs *s, char kind, struct str text, struct buf *out, struct why *why)
{
	size_t len = 5 + HASH_LEN + 1 + text.len + 1 + s->domain.len;
	char hash[HASH_LEN];

	if (len > ADDRESS_MOST)
		return refuse(why, "the rewritten sender would be too long");
	if (s->n_secrets == 0 || hash_of(s->secrets[0], kind, text, hash) < 0)
		return refuse(why, "OpenSSL does not hash");
	buf_printf(out, "SRS%c=%.*s=", kind, HASH_LEN, hash);
	buf_add(out, text);
	buf_addc(out, '@');
	buf_add(out, s->domain);
	return 0;
}

int
srs_forward(const struct srs *s, struct str sender, int64_t now, struct buf *out,
	struct why *why)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	ssize_t at = str_rchr(sender, '@');
	struct str local, domain, behind, hash, host, rest;
	unsigned day = day_of(now);

	if (at <= 0 || (size_t)at + 1 == sender.len)
		return refuse(why, "the sender has no domain");
	local = str_sub(sender, 0, (size_t)at);
	domain = str_from(sender, (size_t)at + 1);
	if (str_chr(domain, '=') >= 0)
		return refuse(why, "the sender's domain is none");
	if (str_case_eq(domain, s->domain))
		return refuse(why, "the sender is ours");
	behind = str_from(local, 5);
	if (is_kind(local, '1') && str_split(&behind, '=', &hash) &&
		split_second(behind, &host, &rest)) {
		buf_add(&text, behind);
		return put_address(s, '1', buf_str(&text), out, why);
	}
	if (is_kind(local, '0')) {
		buf_add(&text, domain);
		buf_addc(&text, '=');
		buf_add(&text, str_from(local, 4));
		return put_address(s, '1', buf_str(&text), out, why);
	}
	buf_printf(&text, "%c%c=", alphabet[day >> 5], alphabet[day & 31]);
	buf_add(&text, domain);
	buf_addc(&text, '=');
	buf_add(&text, local);
	return put_address(s, '0', buf_str(&text), out, why);
}

static int
reverse_first(const struct srs *s, struct str text, int64_t now, struct buf *out,
	struct why *why)
{
	struct str day, domain, local = text;
	unsigned number;

	if (!str_split(&local, '=', &day) || !str_split(&local, '=', &domain) ||
		day_read(day, &number) < 0 || domain.len == 0 || local.len == 0)
		return refuse(why, "malformed SRS address");
	if (!day_is_good(s, number, now))
		return refuse(why, "SRS address has expired");
	buf_add(out, local);
	buf_addc(out, '@');
	buf_add(out, domain);
	return 0;
}

int
srs_reverse(const struct srs *s, struct str address, int64_t now, struct buf *out,
	struct why *why)
{
	ssize_t at = str_rchr(address, '@');
	struct str local = str_sub(address, 0, (size_t)MAX(at, 0)), text, hash, host,
		   rest;
	char kind;

	if (at < 0 || !str_case_eq(str_from(address, (size_t)at + 1), s->domain) ||
		!srs_is_local_part(local))
		return refuse(why, "no SRS address of ours");
	kind = local.data[3];
	text = str_from(local, 5);
	if (!str_split(&text, '=', &hash) || !hash_is_good(s, kind, text, hash))
		return refuse(why, "SRS address was not made here");
	if (kind == '0')
		return reverse_first(s, text, now, out, why);
	if (!split_second(text, &host, &rest))
		return refuse(why, "malformed SRS address");
	buf_addz(out, "SRS0");
	buf_add(out, rest);
	buf_addc(out, '@');
	buf_add(out, host);
	return 0;
}
