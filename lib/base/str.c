/* str.c -- views of bytes, the ASCII classes, numbers, and a keyed hash. */
#include "base.h"
#include <sys/random.h>

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
ascii_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
ascii_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
ascii_is_alnum(char c)
{
	char low = ascii_lower(c);

	return (low >= 'a' && low <= 'z') || ascii_is_digit(c);
}

bool
ascii_is_print(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

struct str
str_c(const char *z)
{
	return z ? str_of(z, strlen(z)) : STR_NONE;
}

bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
str_is(struct str a, const char *z)
{
	return str_eq(a, str_c(z));
}

bool
str_case_eq(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
			return false;
	return true;
}

bool
str_case_is(struct str a, const char *z)
{
	return str_case_eq(a, str_c(z));
}

int
str_cmp(struct str a, struct str b)
{
	size_t least = MIN(a.len, b.len);
	int order = least ? memcmp(a.data, b.data, least) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool
str_case_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_case_eq(str_sub(s, 0, prefix.len), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

bool
str_case_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       str_case_eq(str_from(s, s.len - suffix.len), suffix);
}

ssize_t
str_chr(struct str s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

	return at ? at - s.data : -1;
}

ssize_t
str_rchr(struct str s, char c)
{
	const char *at = s.len ? memrchr(s.data, c, s.len) : NULL;

	return at ? at - s.data : -1;
}

ssize_t
str_find(struct str s, struct str needle)
{
	const char *at;

	if (needle.len == 0)
		return 0;
	at = s.len ? memmem(s.data, s.len, needle.data, needle.len) : NULL;
	return at ? at - s.data : -1;
}

/* A view of nothing stays nothing: NULL + 0 is not arithmetic that C allows. */
struct str
str_sub(struct str s, size_t from, size_t len)
{
	if (!s.data)
		return s;
	from = MIN(from, s.len);
	return str_of(s.data + from, MIN(len, s.len - from));
}

struct str
str_from(struct str s, size_t from)
{
	return str_sub(s, from, s.len);
}

static bool
is_trimmed(char c)
{
	return ascii_is_blank(c) || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && is_trimmed(s.data[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_trimmed(s.data[0]))
		s = str_from(s, 1);
	return s;
}

static bool
is_one_of(char c, const char *set)
{
	for (; *set; set++)
		if (c == *set)
			return true;
	return false;
}

bool
str_assignment(struct str text, struct str *name, struct str *value)
{
	ssize_t equals = str_chr(text, '=');

	if (equals <= 0)
		return false;
	*name = str_trim(str_sub(text, 0, (size_t)equals));
	*value = str_trim(str_from(text, (size_t)equals + 1));
	return true;
}

bool
str_token(struct str *rest, const char *seps, struct str *item)
{
	size_t from = 0, to;

	while (from < rest->len && is_one_of(rest->data[from], seps))
		from++;
	for (to = from; to < rest->len && !is_one_of(rest->data[to], seps);)
		to++;
	*item = str_sub(*rest, from, to - from);
	*rest = str_from(*rest, to);
	return to > from;
}

bool
str_split(struct str *rest, char c, struct str *item)
{
	ssize_t at = str_chr(*rest, c);

	if (rest->len == 0)
		return false;
	if (at < 0) {
		*item = *rest;
		*rest = str_from(*rest, rest->len);
	} else {
		*item = str_sub(*rest, 0, (size_t)at);
		*rest = str_from(*rest, (size_t)at + 1);
	}
	return true;
}

int
str_to_u64(struct str s, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.data[i]) || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(s.data[i] - '0'), &n))
			return -1;
	}
	*out = n;
	return 0;
}

int
str_to_long(struct str s, long *out)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	uint64_t size;

	if (str_to_u64(negative ? str_from(s, 1) : s, &size) < 0)
		return -1;
	if (size > (uint64_t)INT64_MAX + negative)
		return -1;
	*out = (long)(negative ? 0 - size : size);
	return 0;
}

/* ---- SipHash-1-3 (Aumasson and Bernstein): one round per word, three at the end.
 * Enough against strangers who choose keys to collide, which is all a table needs. */

static uint64_t hash_key[2];

/* Before main, so before any jail and any thread. */
__attribute__((constructor)) static void
hash_choose_key(void)
{
	if (getrandom(hash_key, sizeof(hash_key), 0) != sizeof(hash_key)) {
		hash_key[0] = (uint64_t)time_monotonic_us();
		hash_key[1] = (uint64_t)(uintptr_t)&hash_key; /* ASLR's share */
	}
}

static inline uint64_t
rotated(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotated(v[1], 13) ^ v[0];
	v[0] = rotated(v[0], 32);
	v[2] += v[3];
	v[3] = rotated(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotated(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotated(v[1], 17) ^ v[2];
	v[2] = rotated(v[2], 32);
}

/* Lowers the ASCII letters among eight bytes at once: in each byte without its top bit,
 * adding 0x3f carries into the top bit from 'A' up, adding 0x25 from behind 'Z' up. */
static inline uint64_t
lowered(uint64_t w)
{
	const uint64_t each = 0x0101010101010101;
	uint64_t seven = w & 0x7f * each;
	uint64_t from_a = seven + 0x3f * each, behind_z = seven + 0x25 * each;
	uint64_t upper = (from_a ^ behind_z) & ~w & 0x80 * each;

	return w | upper >> 2;
}

static inline uint64_t
hash(struct str s, bool fold)
{
	uint64_t v[4] = {
		hash_key[0] ^ 0x736f6d6570736575,
		hash_key[1] ^ 0x646f72616e646f6d,
		hash_key[0] ^ 0x6c7967656e657261,
		hash_key[1] ^ 0x7465646279746573,
	};
	uint64_t word;
	size_t at = 0;

	for (; s.len - at >= 8; at += 8) {
		memcpy(&word, s.data + at, 8);
		word = fold ? lowered(word) : word;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	if (s.len > at)
		memcpy(&word, s.data + at, s.len - at);
	word = (fold ? lowered(word) : word) | (uint64_t)s.len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
str_hash(struct str s)
{
	return hash(s, false);
}

uint64_t
str_case_hash(struct str s)
{
	return hash(s, true);
}
