/* spf_ptr.c -- the client's name by its address, confirmed (RFC 7208 section 5.5). */
#include "dnslist.h"
#include "spf_impl.h"
#include <arpa/nameser.h>

/* A trouble means that there are no names. Of more than ten the first ten count (section
 * 4.6.4): the domain's owner has no hand in them. */
static void
find_names(struct spf_evaluation *e)
{
	struct dns_reply said;
	struct str name;

	if (e->have_ptr)
		return;
	e->have_ptr = true;
	name = dnslist_reversed(
		&e->client, e->v6 ? STR("ip6.arpa") : STR("in-addr.arpa"), e->arena);
	if (spf_ask(e, name, ns_t_ptr, &said) != DNS_OK)
		return;
	for (size_t i = 0; i < said.n_records && e->n_ptr < SPF_PTR_MOST; i++)
		/* A host's name needs no \DDD. */
		if (said.records[i].type == ns_t_ptr &&
			str_chr(said.records[i].data, '\\') < 0)
			e->ptr[e->n_ptr++].name = said.records[i].data;
}

/* Does it lead back to the client? Asked once. */
static bool
is_valid(struct spf_evaluation *e, size_t i)
{
	struct dns_reply said;

	if (e->ptr[i].state == PTR_UNKNOWN)
		e->ptr[i].state =
			spf_name_is_valid(e->ptr[i].name) &&
					spf_ask(e, e->ptr[i].name, spf_address_type(e),
						&said) == DNS_OK &&
					spf_addresses_match(e, &said, 32, 128)
				? PTR_VALID
				: PTR_INVALID;
	return e->ptr[i].state == PTR_VALID;
}

static bool
is_same(struct str name, struct str domain)
{
	return str_case_eq(name, domain);
}

static bool
is_below(struct str name, struct str domain)
{
	return name.len > domain.len && str_case_ends(name, domain) &&
	       name.data[name.len - domain.len - 1] == '.';
}

static bool
is_any(struct str name, struct str domain)
{
	(void)name, (void)domain;
	return true;
}

static struct str
find_valid(struct spf_evaluation *e, struct str domain,
	bool (*fits)(struct str name, struct str domain))
{
	find_names(e);
	for (size_t i = 0; i < e->n_ptr; i++)
		if (fits(e->ptr[i].name, domain) && is_valid(e, i))
			return e->ptr[i].name;
	return STR_NONE;
}

bool
spf_ptr_matches(struct spf_evaluation *e, struct str domain)
{
	if (str_ends(domain, STR(".")))
		domain.len--;
	return find_valid(e, domain, is_same).len > 0 ||
	       find_valid(e, domain, is_below).len > 0;
}

/* Section 7.3: the domain itself, or else a name below it, or else any. */
struct str
spf_ptr_name(struct spf_evaluation *e, struct str domain)
{
	bool (*const fits[])(struct str, struct str) = { is_same, is_below, is_any };

	for (size_t i = 0; i < COUNT(fits); i++) {
		struct str name = find_valid(e, domain, fits[i]);

		if (name.len)
			return name;
	}
	return STR("unknown");
}
