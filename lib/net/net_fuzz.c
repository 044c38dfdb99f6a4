/* net_fuzz.c -- hostile text at the parsers of lib/net: lines (against a plain reading of
 * the rules), addresses, network patterns, TLS protocol lists. */
#include "net_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line of all the bytes, read the simple way. */
static bool
simple_line(struct str all, size_t from, size_t limit, struct str *line, bool *too_long,
	size_t *next)
{
	struct str rest = str_from(all, from);
	ssize_t lf = str_chr(rest, '\n');

	if (lf < 0)
		return false;
	*line = str_sub(rest, 0, (size_t)lf);
	if (str_ends(*line, STR("\r")))
		line->len--;
	*too_long = line->len > limit;
	*next = from + (size_t)lf + 1;
	return true;
}

static void
fuzz_lines(struct str all, size_t piece, size_t limit)
{
	struct conn c = { .line_limit = limit };
	size_t fed = 0, from = 0, next;
	struct str line, want;
	bool too_long;

	while (fed < all.len) {
		enum line_found found;

		buf_drop(&c.in, c.at);
		c.at = 0;
		buf_add(&c.in, str_sub(all, fed, piece));
		fed = MIN(fed + piece, all.len);
		while ((found = conn_take_line(&c, &line)) != LINE_MORE) {
			ensure(simple_line(all, from, limit, &want, &too_long, &next));
			ensure((found == LINE_SKIPPED) == too_long);
			ensure(too_long || str_eq(line, want));
			from = next;
		}
	}
	ensure(!simple_line(all, from, limit, &want, &too_long, &next));
	buf_free(&c.in);
}

static void
fuzz_text(struct str text)
{
	struct net_addr a, again;
	struct net_block b;
	struct tls_protocols p;
	struct why why;
	char shown[NET_ADDR_TEXT];

	if (net_addr_parse(text, 25, &a) == 0) {
		net_addr_unmap(&a);
		ensure(net_addr_parse(str_c(net_addr_text(&a, shown)), 25, &again) == 0);
		ensure(memcmp(&a.sa, &again.sa, sizeof(a.sa)) == 0);
	}
	if (net_block_parse(text, &b, &why) == 0 &&
		net_addr_parse(STR("::1"), 0, &a) == 0)
		(void)net_block_has(&b, &a);
	(void)!tls_protocols_parse(text, &p, &why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = size > 2 ? str_of(data + 2, size - 2) : STR("");

	if (size > 2) {
		fuzz_lines(rest, 1 + data[0] % 16, data[1] % 32);
		fuzz_text(rest);
	}
	return 0;
}
