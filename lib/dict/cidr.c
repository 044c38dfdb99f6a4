/* cidr.c -- cidr:, rules by network: 192.0.2.0/24, 2001:db8::/32, [2001:db8::]/32. */
#include "rules.h"
#include <netinet/in.h>

/* A rule ends its pattern with a blank; the pattern of an if is all there is. */
static void *
cidr_compile(struct str *rest, bool is_if, const struct dict *d UNUSED, size_t *groups,
	struct why *why)
{
	struct net_block *block;
	struct str pattern;
	struct why what = { 0 };
	size_t n = 0;

	while (n < rest->len && (is_if || !ascii_is_space(rest->data[n])))
		n++;
	pattern = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	*groups = 0;
	if (n == 0) {
		rule_skipped(why, "no address pattern");
		return NULL;
	}
	if (!is_if && str_trim(*rest).len == 0) {
		rule_skipped(why, "no lookup result");
		return NULL;
	}
	block = mem_alloc(sizeof *block);
	if (net_block_parse(pattern, block, &what) == 0)
		return block;
	rule_skipped(why, "%s", what.text);
	mem_free(block);
	return NULL;
}

/* Only plain addresses are looked up: not [these], not IPv6:these. */
static bool
cidr_prepare(struct subject *s)
{
	char first = s->key.len ? s->key.data[0] : 'x';

	return (ascii_is_alnum(first) || first == ':') && ascii_lower(first) != 'i' &&
	       net_addr_parse(s->key, 0, &s->address) == 0;
}

static int
cidr_match(const void *pattern, struct subject *s, struct why *why UNUSED)
{
	return net_block_has(pattern, &s->address);
}

/* !192.0.2.0/24 says nothing about IPv6. */
static bool
cidr_concerns(const void *pattern, const struct subject *s)
{
	const struct net_block *block = pattern;

	return block->v6 == (s->address.sa.ss_family == AF_INET6);
}

static const struct rule_syntax syntax = {
	.type = "cidr",
	.compile = cidr_compile,
	.free = mem_free,
	.prepare = cidr_prepare,
	.match = cidr_match,
	.concerns = cidr_concerns,
};

static void *
cidr_open(struct dict *d, struct stamp *stamp, struct why *why)
{
	return rules_open(d, &syntax, stamp, why);
}

const struct dict_ops dict_cidr = {
	.type = { "cidr", true, false },
	.suffix = "",
	.open = cidr_open,
	.close = rules_close,
	.find = rules_find,
};
