/* ways.c -- the parameters by which mail of a class goes its way, and those for probes
 * (address_verify_*), which say the same unless they are set. */
#include "route_impl.h"

#define PARAMS(mail, probes) \
	{ \
		offsetof(struct params, mail), offsetof(struct params, probes) \
	}
static const struct {
	enum address_class class;
	size_t value[2]; /* in struct params */
} channels[] = {
	{ CLASS_LOCAL, PARAMS(local_transport, address_verify_local_transport) },
	{ CLASS_VIRTUAL_MAILBOX,
		PARAMS(virtual_transport, address_verify_virtual_transport) },
	{ CLASS_RELAY, PARAMS(relay_transport, address_verify_relay_transport) },
	{ CLASS_DEFAULT, PARAMS(default_transport, address_verify_default_transport) },
};

static const struct {
	const char *name[2];
	size_t value[2];
	size_t at; /* in struct ways */
} tables[] = {
#define TABLE(field, mail, probes) \
	{ \
		{ #mail, #probes }, PARAMS(mail, probes), offsetof(struct ways, field) \
	}
	TABLE(transport_maps, transport_maps, address_verify_transport_maps),
	TABLE(sender_transports, sender_dependent_default_transport_maps,
		address_verify_sender_dependent_default_transport_maps),
	TABLE(sender_relayhosts, sender_dependent_relayhost_maps,
		address_verify_sender_dependent_relayhost_maps),
#undef TABLE
};

static struct str
value_at(const struct params *p, size_t at)
{
	return *(const struct str *)((const char *)p + at);
}

static struct maps **
table_at(const struct ways *w, size_t i)
{
	return (struct maps **)((char *)(uintptr_t)w + tables[i].at);
}

static unsigned
flags_of(const struct route *r, const char *name)
{
	/* Elsewhere a domain stands for itself only. */
	return str_is(STR("transport_maps"), name) &&
			       !match_parents(r->conf, "transport_maps")
		       ? DICT_FOLD | DICT_PARENT_DOT
		       : DICT_FOLD;
}

void
ways_open(struct route *r, struct ways *w, const struct ways *mail)
{
	const struct params *p = &r->conf->p;
	bool probes = mail != NULL;

	w->probes = probes;
	w->relayhost = probes ? p->address_verify_relayhost : p->relayhost;
	for (size_t i = 0; i < COUNT(channels); i++)
		w->by_class[channels[i].class] =
			channel_parse(value_at(p, channels[i].value[probes]));
	if (!(r->what & ROUTE_TRANSPORT))
		return;
	for (size_t i = 0; i < COUNT(tables); i++) {
		struct str value = value_at(p, tables[i].value[probes]);

		if (probes && str_eq(value, value_at(p, tables[i].value[0])))
			*table_at(w, i) = *table_at(mail, i);
		else
			*table_at(w, i) = route_open_maps(r, tables[i].name[probes],
				value, flags_of(r, tables[i].name[0]));
	}
}

size_t
ways_tables(const struct ways *w, struct maps *out[WAYS_TABLES])
{
	_Static_assert(COUNT(tables) == WAYS_TABLES, "");
	for (size_t i = 0; i < COUNT(tables); i++)
		out[i] = *table_at(w, i);
	return COUNT(tables);
}
