/* mapping.c -- what one address becomes: canonical form, canonical(5) tables,
 * masquerading (contract 6.1). */
#include "message.h"
#include "conf.h"
#include "explain.h"
#include "log.h"

/* A table that leads in a circle, or nearly, is left after so many steps. */
enum { NESTING_MOST = 100 };

/* The tables, in the order in which they are asked. */
static struct {
	struct mapping map;
	unsigned places;
} mappings[3];

static struct {
	struct strs domains;
	struct match_list *exceptions;
	unsigned places;
} masquerade;

static const struct {
	const char *name;
	enum address_place place;
} place_names[] = {
	{ "envelope_sender", ENVELOPE_SENDER },
	{ "envelope_recipient", ENVELOPE_RECIPIENT },
	{ "header_sender", HEADER_SENDER },
	{ "header_recipient", HEADER_RECIPIENT },
};

static unsigned
places_of(const char *parameter, struct str value, struct arena *a)
{
	struct strs words = conf_list(value, a);
	unsigned places = 0;

	for (size_t i = 0; i < words.n; i++) {
		size_t k = 0;

		while (k < COUNT(place_names) &&
			!str_case_is(words.items[i], place_names[k].name))
			k++;
		if (k == COUNT(place_names))
			log_fatal("unknown %s value \"%.*s\"; it is one of "
				  "envelope_sender, envelope_recipient, header_sender, "
				  "header_recipient",
				parameter, STR_ARG(words.items[i]));
		places |= place_names[k].place;
	}
	return places;
}

void
mapping_open(const struct conf *c, struct arena *a)
{
	const struct params *p = &c->p;

	mappings[0].map = (struct mapping){ "sender_canonical_maps",
		maps_open(
			"sender_canonical_maps", p->sender_canonical_maps, DICT_FOLD, c),
		"canonical" };
	mappings[0].places =
		places_of("sender_canonical_classes", p->sender_canonical_classes, a) &
		(ENVELOPE_SENDER | HEADER_SENDER);
	mappings[1].map = (struct mapping){ "recipient_canonical_maps",
		maps_open("recipient_canonical_maps", p->recipient_canonical_maps,
			DICT_FOLD, c),
		"canonical" };
	mappings[1].places = places_of("recipient_canonical_classes",
				     p->recipient_canonical_classes, a) &
			     (ENVELOPE_RECIPIENT | HEADER_RECIPIENT);
	mappings[2].map = (struct mapping){ "canonical_maps",
		maps_open("canonical_maps", p->canonical_maps, DICT_FOLD, c),
		"canonical" };
	mappings[2].places = places_of("canonical_classes", p->canonical_classes, a);
	masquerade.domains = conf_list(arena_lower(a, p->masquerade_domains), a);
	masquerade.exceptions = match_list_open(
		"masquerade_exceptions", p->masquerade_exceptions, false, c);
	masquerade.places = places_of("masquerade_classes", p->masquerade_classes, a);
}

bool
mapping_targets(struct message *m, const struct mapping *map, struct str address,
	struct strs *out)
{
	struct why why;

	switch (mapping_find(tables.route, map, address, m->arena, out, &why)) {
	case DICT_FOUND:
		return true;
	case DICT_NOTFOUND:
		return false;
	case DICT_ERROR:
		break;
	}
	log_warn("%s: %s map lookup problem for %.*s -- message not accepted, try again "
		 "later",
		m->queue_id, map->parameter, STR_ARG(address));
	message_fail(m, TEMPFAIL, 451, "4.3.0", "queue file write error");
	return false;
}

/* ---- canonical tables ---- */

/* One look-up. False: there is nothing, or the message has failed. */
SWITCHES static bool
map_once(struct message *m, const struct mapping *map, struct str *address)
{
	struct strs targets;

	if (!mapping_targets(m, map, *address, &targets))
		return false;
	if (targets.n > 1)
		log_warn("%s: multi-valued %s entry for %.*s: the first is taken",
			m->queue_id, map->parameter, STR_ARG(*address));
	explain_rewrite(map->parameter, *address, targets.items[0]);
	*address = targets.items[0];
	return true;
}

/* Asked again for each result, until an address is not in the table or stands for itself.
 */
SWITCHES static struct str
map_canonical(struct message *m, const struct mapping *map, struct str address)
{
	struct str before = address, first = address;

	for (int depth = 0; depth < NESTING_MOST; depth++) {
		if (!map_once(m, map, &address) || str_case_eq(before, address))
			return address;
		before = address;
	}
	log_warn("%s: unreasonable %s map nesting for %.*s: it stays as it is",
		m->queue_id, map->parameter, STR_ARG(first));
	return first;
}

/* ---- masquerading ---- */

/* Is it the domain, or below it? */
static bool
is_within(struct str domain, struct str parent)
{
	return str_case_ends(domain, parent) &&
	       (domain.len == parent.len ||
		       domain.data[domain.len - parent.len - 1] == '.');
}

/* The first domain of the list that fits decides; `!` in front of it: nothing changes. */
SWITCHES static struct str
masqueraded(struct message *m, struct str address)
{
	struct str local, domain;
	struct why why;

	address_split(address, &local, &domain);
	for (size_t i = 0; domain.data && i < masquerade.domains.n; i++) {
		struct str parent = masquerade.domains.items[i];
		bool stays = str_starts(parent, STR("!"));

		if (!is_within(domain, stays ? str_from(parent, 1) : parent))
			continue;
		if (stays || domain.len == parent.len ||
			match_string(masquerade.exceptions, local, &why) == DICT_FOUND)
			return address;
		return arena_printf(
			m->arena, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(parent));
	}
	return address;
}

struct str
mapping_apply(struct message *m, enum address_place place, struct str address)
{
	bool is_header = place & (HEADER_SENDER | HEADER_RECIPIENT);
	bool is_ours = !is_header || (m->envelope.flags & ENVELOPE_REWRITE);
	struct str before = address;

	if (address.len == 0)
		return address;
	address = route_rewrite(tables.route, is_ours ? REWRITE_LOCAL : REWRITE_REMOTE,
		address, m->arena);
	explain_rewrite("canonical form", before, address);
	if (m->envelope.flags & ENVELOPE_NO_MAPPING)
		return address;
	for (size_t i = 0; i < COUNT(mappings); i++)
		if (mappings[i].places & place)
			address = map_canonical(m, &mappings[i].map, address);
	before = address;
	if (masquerade.places & place)
		address = masqueraded(m, address);
	explain_rewrite("masquerade_domains", before, address);
	return address;
}
