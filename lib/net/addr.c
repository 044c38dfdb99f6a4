/* addr.c -- addresses and network patterns, as text and as bytes. */
#include "net.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const struct sockaddr_in *
as_v4(const struct net_addr *a)
{
	return (const struct sockaddr_in *)&a->sa;
}

static const struct sockaddr_in6 *
as_v6(const struct net_addr *a)
{
	return (const struct sockaddr_in6 *)&a->sa;
}

static bool
is_mapped(const struct net_addr *a)
{
	return a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&as_v6(a)->sin6_addr);
}

const char *
net_addr_text(const struct net_addr *a, char *out)
{
	const void *bytes = NULL;
	int family = a->sa.ss_family;

	if (family == AF_INET) {
		bytes = &as_v4(a)->sin_addr;
	} else if (is_mapped(a)) {
		family = AF_INET;
		bytes = &as_v6(a)->sin6_addr.s6_addr[12];
	} else if (family == AF_INET6) {
		bytes = &as_v6(a)->sin6_addr;
	}
	out[0] = 0;
	if (bytes)
		(void)!inet_ntop(family, bytes, out, NET_ADDR_TEXT);
	return out;
}

unsigned
net_addr_port(const struct net_addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohs(as_v4(a)->sin_port);
	return a->sa.ss_family == AF_INET6 ? ntohs(as_v6(a)->sin6_port) : 0;
}

/* A numeric address as its 4 or 16 bytes; the address family, or -1. */
static int
parse_bytes(struct str text, unsigned char out[16])
{
	char z[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(z) || str_chr(text, 0) >= 0)
		return -1;
	memcpy(z, text.data, text.len);
	z[text.len] = 0;
	if (inet_pton(AF_INET, z, out) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, z, out) == 1 ? AF_INET6 : -1;
}

int
net_addr_parse(struct str text, unsigned port, struct net_addr *out)
{
	static const struct str v6_tag = STR_INIT("IPv6:"); /* RFC 5321 section 4.1.3 */
	unsigned char bytes[16];
	bool tagged;
	int family;

	if (str_starts(text, STR("[")) != str_ends(text, STR("]")))
		return -1;
	if (str_starts(text, STR("[")))
		text = str_sub(text, 1, text.len - 2);
	tagged = str_case_starts(text, v6_tag);
	if (tagged)
		text = str_from(text, v6_tag.len);
	family = parse_bytes(text, bytes);
	if (family < 0 || (tagged && family != AF_INET6) || port > 65535)
		return -1;
	memset(out, 0, sizeof(*out));
	out->sa.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sa;

		memcpy(&v4->sin_addr, bytes, 4);
		v4->sin_port = htons((uint16_t)port);
		out->len = sizeof(*v4);
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sa;

		memcpy(&v6->sin6_addr, bytes, 16);
		v6->sin6_port = htons((uint16_t)port);
		out->len = sizeof(*v6);
	}
	return 0;
}

void
net_addr_unmap(struct net_addr *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (!is_mapped(a))
		return;
	memcpy(&v4.sin_addr, &as_v6(a)->sin6_addr.s6_addr[12], 4);
	v4.sin_port = as_v6(a)->sin6_port;
	memset(&a->sa, 0, sizeof(a->sa));
	memcpy(&a->sa, &v4, sizeof(v4));
	a->len = sizeof(v4);
}

/* ---- network patterns ---- */

/* Takes a pattern apart: [address], [address]/bits, [address/bits], or without brackets.
 */
static int
split_pattern(struct str text, struct str *address, struct str *bits)
{
	*bits = STR_NONE;
	if (str_starts(text, STR("["))) {
		ssize_t end = str_chr(text, ']');

		if (end < 0)
			return -1;
		*address = str_sub(text, 1, (size_t)end - 1);
		text = str_from(text, (size_t)end + 1);
		if (text.len > 0) {
			if (text.data[0] != '/' || str_chr(*address, '/') >= 0)
				return -1;
			*bits = str_from(text, 1);
			return 0;
		}
		text = *address;
	}
	*address = text;
	if (str_chr(text, '/') >= 0) {
		size_t slash = (size_t)str_chr(text, '/');

		*address = str_sub(text, 0, slash);
		*bits = str_from(text, slash + 1);
	}
	return 0;
}

/* Clears the host bits; false when there were any. */
static bool
clear_host_bits(struct net_block *b)
{
	bool were_clear = true;

	for (unsigned i = 0; i < (b->v6 ? 16u : 4u); i++) {
		unsigned kept = b->bits >= (i + 1) * 8 ? 8
				: b->bits <= i * 8     ? 0
						       : b->bits - i * 8;
		unsigned char mask = (unsigned char)(0xff00 >> kept);

		were_clear = were_clear && !(b->bytes[i] & ~mask);
		b->bytes[i] &= mask;
	}
	return were_clear;
}

static int
refuse_host_bits(struct str text, const struct net_block *b, struct why *why)
{
	char right[INET6_ADDRSTRLEN];

	(void)!inet_ntop(b->v6 ? AF_INET6 : AF_INET, b->bytes, right, sizeof(right));
	why_set(why, "4.3.5",
		"non-null host address bits in \"" STR_FMT
		"\", perhaps you should use \"%s%s%s/%u\" instead",
		STR_ARG(text), b->v6 ? "[" : "", right, b->v6 ? "]" : "", b->bits);
	return -1;
}

int
net_block_parse(struct str text, struct net_block *out, struct why *why)
{
	struct str address, bits;
	uint64_t n;
	int family;

	memset(out, 0, sizeof(*out));
	family = split_pattern(text, &address, &bits) < 0
			 ? -1
			 : parse_bytes(address, out->bytes);
	if (family < 0) {
		why_set(why, "4.3.5",
			"bad network pattern \"" STR_FMT "\": use "
			"a.b.c.d/bits or [v6-address]/bits",
			STR_ARG(text));
		return -1;
	}
	out->v6 = family == AF_INET6;
	n = out->v6 ? 128 : 32;
	out->bits = (unsigned)n;
	if (bits.data && (str_to_u64(bits, &n) < 0 || n > out->bits)) {
		why_set(why, "4.3.5", "bad mask length in \"" STR_FMT "\": use 0 to %u",
			STR_ARG(text), out->bits);
		return -1;
	}
	out->bits = (unsigned)n;
	return clear_host_bits(out) ? 0 : refuse_host_bits(text, out, why);
}

bool
net_block_has(const struct net_block *b, const struct net_addr *a)
{
	const unsigned char *bytes;
	unsigned whole = b->bits / 8, rest = b->bits % 8;

	if (a->sa.ss_family == AF_INET || is_mapped(a)) {
		if (b->v6)
			return false;
		bytes = is_mapped(a) ? &as_v6(a)->sin6_addr.s6_addr[12]
				     : (const unsigned char *)&as_v4(a)->sin_addr;
	} else if (a->sa.ss_family == AF_INET6 && b->v6) {
		bytes = as_v6(a)->sin6_addr.s6_addr;
	} else {
		return false;
	}
	if (memcmp(bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

const char *
net_endpoint(struct str name, struct arena *arena)
{
	bool whole = str_starts(name, STR("inet:")) || str_starts(name, STR("unix:"));
	struct str prefix = whole ? STR("") : STR("inet:");

	return arena_cstr(
		arena, arena_printf(arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(name)));
}
