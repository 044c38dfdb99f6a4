/* dnslist.c -- see dnslist.h. */
#include "dnslist.h"
#include <arpa/inet.h>
#include <netinet/in.h>

enum found { NO, YES, MALFORMED };

/* A number of 0 to 255 off the front of *f. */
static bool
take_octet(struct str *f, unsigned *out)
{
	unsigned n = 0;
	size_t i = 0;

	while (i < f->len && ascii_is_digit(f->data[i]) && n <= 255)
		n = n * 10 + (unsigned)(f->data[i++] - '0');
	*f = str_from(*f, i);
	*out = n;
	return i > 0 && n <= 255;
}

static bool
take(struct str *f, struct str what)
{
	if (!str_starts(*f, what))
		return false;
	*f = str_from(*f, what.len);
	return true;
}

/* One item between brackets: "4", "4..7". */
static enum found
take_range(struct str *f, unsigned octet)
{
	unsigned least, most;

	if (!take_octet(f, &least))
		return MALFORMED;
	most = least;
	if (take(f, STR("..")) && (!take_octet(f, &most) || most < least))
		return MALFORMED;
	return octet >= least && octet <= most ? YES : NO;
}

static enum found
take_part(struct str *f, unsigned octet)
{
	enum found found = NO, one;
	unsigned number;

	if (!take(f, STR("["))) {
		if (!take_octet(f, &number))
			return MALFORMED;
		return number == octet ? YES : NO;
	}
	do {
		one = take_range(f, octet);
		found = one == NO ? found : one;
	} while (one != MALFORMED && take(f, STR(";")));
	return one != MALFORMED && take(f, STR("]")) ? found : MALFORMED;
}

static enum found
filter_ask(struct str f, const unsigned char octets[4])
{
	enum found all = YES;

	for (int i = 0; i < 4; i++) {
		enum found one = i > 0 && !take(&f, STR(".")) ? MALFORMED
							      : take_part(&f, octets[i]);

		if (one == MALFORMED)
			return MALFORMED;
		if (one == NO)
			all = NO;
	}
	return f.len == 0 ? all : MALFORMED;
}

int
dnslist_parse(struct str spec, struct dnslist *out, struct why *why)
{
	static const unsigned char any[4];
	ssize_t equals = str_chr(spec, '=');

	out->domain = equals < 0 ? spec : str_sub(spec, 0, (size_t)equals);
	out->filter = equals < 0 ? STR("") : str_from(spec, (size_t)equals + 1);
	if (out->domain.len > 0 && out->domain.data[out->domain.len - 1] == '.')
		out->domain.len--;
	if (out->domain.len > 0 &&
		(equals < 0 || filter_ask(out->filter, any) != MALFORMED))
		return 0;
	why_set(why, "4.3.5", "bad DNS list \"%.*s\": specify domain or domain=d.d.d.d",
		STR_ARG(spec));
	return -1;
}

bool
dnslist_counts(const struct dnslist *l, struct str address)
{
	unsigned char octets[4];
	char text[INET_ADDRSTRLEN];

	if (address.len >= sizeof(text))
		return false;
	memcpy(text, address.data, address.len);
	text[address.len] = 0;
	if (inet_pton(AF_INET, text, octets) != 1)
		return false;
	return l->filter.len == 0 || filter_ask(l->filter, octets) == YES;
}

struct str
dnslist_reversed(const struct net_addr *a, struct str domain, struct arena *arena)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;

	if (a->sa.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

		for (int i = 15; i >= 0; i--)
			buf_printf(&name, "%x.%x.", in6->sin6_addr.s6_addr[i] & 15,
				in6->sin6_addr.s6_addr[i] >> 4);
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
		const unsigned char *b = (const unsigned char *)&in->sin_addr;

		buf_printf(&name, "%u.%u.%u.%u.", b[3], b[2], b[1], b[0]);
	}
	buf_add(&name, domain);
	return arena_str(arena, buf_str(&name));
}
