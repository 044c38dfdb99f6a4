/* dmarc_destinations.c -- see dmarc_destinations.h. Whoever publishes a policy may name
 * anybody's address: without the addressee's word nothing goes there. */
#include "dmarc_destinations.h"
#include "dkim_sign.h"
#include "tags.h"
#include <arpa/nameser.h>

struct asking {
	const struct auth_dns *dns;
	struct str domain;
	struct arena *arena;
	deadline_t until;
	struct dmarc_destinations *out;
};

/* The only record of DMARC at a name; empty: there is none. */
SWITCHES static struct str
record_at(struct asking *a, struct str name)
{
	struct dns_reply said;
	struct str found = STR("");
	unsigned n = 0;

	if (a->dns->ask(a->dns->arg, name, ns_t_txt, a->arena, a->until, &said) ==
		DNS_TEMPFAIL) {
		a->out->in_doubt = true;
		return found;
	}
	for (size_t i = 0; said.status == DNS_OK && i < said.n_records; i++) {
		struct str rest = said.records[i].data, tag, value;

		if (said.records[i].type == ns_t_txt && tag_next(&rest, &tag, &value) &&
			str_case_is(tag, "v") && str_is(value, "DMARC1")) {
			found = said.records[i].data;
			n++;
		}
	}
	return n == 1 ? found : STR("");
}

/* ---- a URI: "mailto:reports@example.org!10m" (RFC 9990 section 3) ---- */

static octets_t
size_of(struct str text)
{
	static const struct str units = STR_INIT("kmgt");
	ssize_t unit =
		text.len > 0 ? str_chr(units, ascii_lower(text.data[text.len - 1])) : -1;
	uint64_t number;

	if (unit >= 0)
		text.len--;
	/* A limit that nobody can read may be any: the least. */
	if (str_to_u64(text, &number) < 0 || number > UINT32_MAX)
		return 1;
	return number << (10 * (unit + 1));
}

/* Bytes that an address may have here: it goes to a command line and to a header. */
static bool
is_plain(struct str local)
{
	for (size_t i = 0; i < local.len; i++)
		if (!ascii_is_alnum(local.data[i]) &&
			str_chr(STR("!#$&'*+-/=?^_."), local.data[i]) < 0)
			return false;
	return local.len > 0 && local.len <= 64 && local.data[0] != '-';
}

/* False: no address that mail can be sent to. */
static bool
read_uri(struct str uri, struct arena *arena, struct dmarc_destination *out)
{
	struct str scheme = STR("mailto:"), address;
	ssize_t bang = str_rchr(uri, '!'), at;

	*out = (struct dmarc_destination){ .most = 0 };
	if (bang >= 0) {
		out->most = size_of(str_from(uri, (size_t)bang + 1));
		uri = str_sub(uri, 0, (size_t)bang);
	}
	if (!str_case_starts(uri, scheme))
		return false;
	address = str_from(uri, scheme.len);
	at = str_rchr(address, '@');
	if (at < 0 || !is_plain(str_sub(address, 0, (size_t)at)) ||
		!dkim_name_is_domain(str_from(address, (size_t)at + 1)))
		return false;
	out->address = arena_str(arena, address);
	return true;
}

/* ---- does whoever gets them want them? (section 4) ---- */

/* *word: the record in which another organization says so. */
SWITCHES static bool
is_wanted(struct asking *a, struct str host, struct str *word)
{
	struct str ours, theirs;

	*word = STR("");

	if (str_case_eq(host, a->domain))
		return true;
	ours = dmarc_organization(a->dns, a->domain, a->arena, a->until);
	theirs = dmarc_organization(a->dns, host, a->arena, a->until);
	if (!ours.len || !theirs.len)
		a->out->in_doubt = true;
	else if (str_case_eq(ours, theirs))
		return true;
	*word = record_at(a, arena_printf(a->arena, STR_FMT "._report._dmarc." STR_FMT,
				     STR_ARG(a->domain), STR_ARG(host)));
	return word->len > 0;
}

static struct str
host_of(const struct dmarc_destination *d)
{
	return str_from(d->address, (size_t)str_rchr(d->address, '@') + 1);
}

/* With its own rua= the addressee chooses another address, of the same host. */
static void
redirect(struct asking *a, struct str word, struct dmarc_destination *d)
{
	struct dmarc_destination other;
	struct str list, uri;

	if (!tag_find(word, "rua", &list))
		return;
	while (str_token(&list, ", \t", &uri))
		if (read_uri(uri, a->arena, &other) &&
			str_case_eq(host_of(&other), host_of(d))) {
			*d = other;
			return;
		}
}

void
dmarc_destinations(const struct auth_dns *dns, struct str domain, struct arena *arena,
	deadline_t until, struct dmarc_destinations *out)
{
	struct asking a = { dns, domain, arena, until, out };
	struct dmarc_destination one;
	struct str list, uri, word;

	*out = (struct dmarc_destinations){ .n = 0 };
	out->record =
		record_at(&a, arena_printf(arena, "_dmarc." STR_FMT, STR_ARG(domain)));
	if (!tag_find(out->record, "rua", &list))
		return;
	for (size_t i = 0; i < DMARC_DESTINATIONS_MOST && str_token(&list, ", \t", &uri);
		i++) {
		if (!read_uri(uri, arena, &one) || !is_wanted(&a, host_of(&one), &word))
			continue;
		redirect(&a, word, &one);
		out->items[out->n++] = one;
	}
}
