/* resolve.c -- transport and next hop of a recipient (contract 5.2, recipient
 * resolution).
 *
 * Transport, high to low: transport_maps; the class's transport (for the default class
 * sender_dependent_default_transport_maps first). Next hop, high to low: transport_maps;
 * the next hop of that class transport; for the relay and default classes
 * sender_dependent_relayhost_maps, relayhost; the recipient's domain. */
#include "route_impl.h"
#include "explain.h"
#include "log.h"

struct asked {
	struct route *route;
	const struct ways *ways;
	struct str sender;
	struct route_class *rcpt;
	struct arena *arena;
};

/* A look-up by the sender's address, or by a parameter's word for <>. FOUND gives the
 * value; DUNNO in the table says that the search ends without one. */
static enum dict_result
find_by_sender(const struct asked *a, struct maps *maps, struct str null_key,
	const char *parameter, struct str *value, struct why *why)
{
	struct str local, domain, extension;
	enum dict_result found;

	if (maps_empty(maps))
		return DICT_NOTFOUND;
	if (a->sender.len == 0) {
		found = maps_find(maps, null_key, a->arena, value, why);
	} else {
		address_split(a->sender, &local, &domain);
		found = domain.len ? route_takes_bare_user(a->route, domain, why)
				   : DICT_FOUND;
		if (found != DICT_ERROR)
			found = maps_find_address(maps, a->sender,
				a->route->conf->p.recipient_delimiter,
				FIND_FULL | FIND_USER | FIND_DOMAIN, found == DICT_FOUND,
				a->arena, value, &extension, why);
	}
	if (found == DICT_ERROR)
		(void)route_table_failed(parameter, why);
	if (found == DICT_FOUND && str_case_is(*value, "DUNNO"))
		return DICT_NOTFOUND;
	return found;
}

/* The transport of a foreign recipient, which may depend on the sender. */
static enum verdict
default_channel(const struct asked *a, struct channel *out, struct why *why)
{
	struct route *r = a->route;
	struct str value;
	struct channel found;

	switch (find_by_sender(a, a->ways->sender_transports,
		r->conf->p.empty_address_default_transport_maps_lookup_key,
		WAYS_NAME(a->ways, sender_dependent_default_transport_maps), &value,
		why)) {
	case DICT_ERROR:
		return TEMPFAIL;
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_FOUND:
		break;
	}
	found = channel_parse(value);
	/* An empty part leaves what default_transport says. */
	if (found.transport.len)
		*out = (struct channel){ found.transport, STR("") };
	if (found.nexthop.len)
		out->nexthop = found.nexthop;
	return ACCEPT;
}

static enum verdict
relayhost_of(const struct asked *a, struct str *nexthop, struct why *why)
{
	struct route *r = a->route;

	switch (find_by_sender(a, a->ways->sender_relayhosts,
		r->conf->p.empty_address_relayhost_maps_lookup_key,
		WAYS_NAME(a->ways, sender_dependent_relayhost_maps), nexthop, why)) {
	case DICT_ERROR:
		return TEMPFAIL;
	case DICT_NOTFOUND:
		*nexthop = a->ways->relayhost;
		if (nexthop->len > 0)
			explain_step("setting", str_c(WAYS_NAME(a->ways, relayhost)),
				STR_NONE, "is", *nexthop);
		return ACCEPT;
	case DICT_FOUND:
		return ACCEPT;
	}
	return ACCEPT;
}

static enum verdict
unknown_virtual_alias(const struct route *r, struct why *why)
{
	return why_set(why, "5.1.1", "User unknown%s",
		r->conf->p.show_user_unknown_table_name ? " in virtual alias table" : "");
}

static void
explain_class_channel(const struct route *r, enum address_class class)
{
	const struct params *p = &r->conf->p;
	const struct {
		const char *parameter;
		struct str value;
	} settings[] = {
		[CLASS_LOCAL] = { "local_transport", p->local_transport },
		[CLASS_VIRTUAL_ALIAS] = { "", STR_NONE },
		[CLASS_VIRTUAL_MAILBOX] = { "virtual_transport", p->virtual_transport },
		[CLASS_RELAY] = { "relay_transport", p->relay_transport },
		[CLASS_DEFAULT] = { "default_transport", p->default_transport },
	};

	if (settings[class].value.data)
		explain_step("setting", str_c(settings[class].parameter), STR_NONE, "is",
			settings[class].value);
}

/* What the address class alone decides. */
static enum verdict
class_channel(const struct asked *a, struct channel *out, struct why *why)
{
	enum address_class class = a->rcpt->class;
	enum verdict v = ACCEPT;

	*out = a->ways->by_class[class];
	if (explain_on)
		explain_class_channel(a->route, class);
	if (class == CLASS_DEFAULT)
		v = default_channel(a, out, why);
	if (v == ACCEPT && out->nexthop.len == 0 &&
		(class == CLASS_DEFAULT || class == CLASS_RELAY))
		v = relayhost_of(a, &out->nexthop, why);
	if (v == ACCEPT && out->nexthop.len == 0)
		out->nexthop = a->rcpt->domain;
	return v;
}

/* The keys of transport_maps: the address (with and without its extension), its domain,
 * the parents of that, and *. */
static enum dict_result
find_transport(const struct asked *a, struct str *value, struct why *why)
{
	struct route *r = a->route;
	struct str extension;
	enum dict_result found;

	found = maps_find_address(a->ways->transport_maps, a->rcpt->address,
		r->conf->p.recipient_delimiter, FIND_FULL | FIND_BARE_DOMAIN, false,
		a->arena, value, &extension, why);
	if (found == DICT_NOTFOUND)
		found = maps_find(
			a->ways->transport_maps, STR("*"), a->arena, value, why);
	return found;
}

static enum verdict
apply_transport_maps(const struct asked *a, struct channel *out, struct why *why)
{
	struct channel found;
	struct str value;

	if (maps_empty(a->ways->transport_maps))
		return ACCEPT;
	switch (find_transport(a, &value, why)) {
	case DICT_ERROR:
		return route_table_failed(WAYS_NAME(a->ways, transport_maps), why);
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_FOUND:
		break;
	}
	found = channel_parse(value);
	/* transport(5): without a transport the class's stays, and an empty next hop with
	 * it; a transport without a next hop goes to the recipient's domain. */
	if (found.transport.len) {
		out->transport = found.transport;
		out->nexthop = found.nexthop.len ? found.nexthop : a->rcpt->domain;
	} else if (found.nexthop.len) {
		out->nexthop = found.nexthop;
	}
	return ACCEPT;
}

static enum verdict
check_relocated(const struct asked *a, struct why *why)
{
	struct route *r = a->route;
	enum dict_result found;
	struct str value, extension;

	if (maps_empty(r->relocated_maps))
		return ACCEPT;
	found = route_takes_bare_user(r, a->rcpt->domain, why);
	if (found != DICT_ERROR)
		found = maps_find_address(r->relocated_maps, a->rcpt->address,
			r->conf->p.recipient_delimiter,
			FIND_FULL | FIND_USER | FIND_DOMAIN, found == DICT_FOUND,
			a->arena, &value, &extension, why);
	if (found == DICT_ERROR)
		return route_table_failed("relocated_maps", why);
	if (found == DICT_NOTFOUND)
		return ACCEPT;
	return why_set(why, "5.1.6", "%s" STR_FMT,
		r->conf->p.relocated_prefix_enable ? "User has moved to " : "",
		STR_ARG(value));
}

static enum verdict
resolve_channel(const struct asked *a, struct channel *out, struct why *why)
{
	bool alias = a->rcpt->class == CLASS_VIRTUAL_ALIAS;
	enum verdict v = ACCEPT;

	if (!alias)
		v = class_channel(a, out, why);
	if (v == ACCEPT && !alias)
		v = apply_transport_maps(a, out, why);
	if (v == ACCEPT)
		v = check_relocated(a, why);
	/* Whatever cleanup could expand is no longer in a virtual alias domain; no
	 * transport can be had for the rest. */
	if (v == ACCEPT && alias)
		v = unknown_virtual_alias(a->route, why);
	return v;
}

enum verdict
route_resolve(struct route *r, enum route_purpose purpose, struct str sender,
	struct str recipient, struct arena *arena, struct route_result *out,
	struct why *why)
{
	struct route_class class = { .class = CLASS_DEFAULT };
	struct asked a = { r, purpose == ROUTE_FOR_PROBE ? &r->probes : &r->mail, sender,
		&class, arena };
	struct channel channel = { STR(""), STR("") };
	enum verdict v;

	/* The null address: what a bounce of ours to nobody would carry. */
	if (recipient.len == 0)
		recipient = arena_printf(arena, STR_FMT "@" STR_FMT,
			STR_ARG(r->conf->p.empty_address_recipient),
			STR_ARG(r->conf->p.myorigin));
	/* A command behind us could take it for an option. */
	if (str_starts(recipient, STR("-")) && !r->conf->p.allow_min_user)
		v = why_set(why, "5.1.3", "bad address syntax");
	else
		v = route_locate(r, recipient, arena, &class, why);
	if (v == ACCEPT)
		v = resolve_channel(&a, &channel, why);
	out->class = class.class;
	out->recipient = class.address.len ? class.address : recipient;
	out->transport = channel.transport;
	out->nexthop = channel.nexthop;
	if (v != ACCEPT) {
		out->transport =
			v == PERMFAIL ? r->conf->p.error_service_name : STR("retry");
		out->nexthop = arena_printf(arena, "%s %s", why->code, why->text);
	}
	return v;
}

void
route_through(const struct route *r, struct str filter, struct str recipient,
	struct route_result *out)
{
	struct channel c = channel_parse(filter);
	struct str local, domain;

	address_split(recipient, &local, &domain);
	if (c.nexthop.len == 0)
		c.nexthop = r->conf->p.default_filter_nexthop;
	if (c.nexthop.len == 0)
		c.nexthop = domain.len > 0 ? domain : r->conf->p.myhostname;
	*out = (struct route_result){ .transport = c.transport,
		.nexthop = c.nexthop,
		.recipient = recipient,
		.class = CLASS_DEFAULT };
}
