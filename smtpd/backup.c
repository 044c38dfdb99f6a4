/* backup.c -- permit_mx_backup: mail for domains that have this host among their mail
 * exchangers, and, where permit_mx_backup_networks is set, only those whose primary
 * exchangers are in these networks. */
#include "hosts.h"
#include "log.h"
#include "session.h"

#define ADDRESSES_MOST 100

enum answer { NO, YES, UNSURE };

/* Asks `fits` about each address of a host, until one does not; or, with `any`, until one
 * does. */
static enum answer
ask_addresses(struct session *s, struct str host, bool any,
	enum answer (*fits)(struct session *s, const struct net_addr *a))
{
	static const uint16_t types[] = { ns_t_a, ns_t_aaaa };
	enum answer all = NO;
	struct dns_reply said;
	struct net_addr a;

	for (size_t t = 0; t < COUNT(types); t++) {
		enum dns_status got =
			hosts_ask(host, types[t], DNS_HOSTS, s->command, &said);

		if (got == DNS_TEMPFAIL)
			return UNSURE;
		for (size_t i = 0;
			got == DNS_OK && i < said.n_records && i < ADDRESSES_MOST; i++) {
			if (said.records[i].type != types[t] ||
				net_addr_parse(said.records[i].data, 0, &a) < 0)
				continue;
			all = fits(s, &a);
			if (all == UNSURE || (all == YES) == any)
				return all;
		}
	}
	return all;
}

static enum answer
is_ours(struct session *s, const struct net_addr *a)
{
	const struct own_addresses *own = route_own_addresses(s->site->route);

	return own_addresses_have(own, a) || own_addresses_proxied(own, a) ? YES : NO;
}

static enum answer
is_allowed(struct session *s, const struct net_addr *a)
{
	struct why why;

	switch (match_client(s->site->mx_backup_networks, STR("unknown"), a, &why)) {
	case DICT_FOUND:
		return YES;
	case DICT_NOTFOUND:
		return NO;
	case DICT_ERROR:
		log_warn("permit_mx_backup_networks: %s", why.text);
		break;
	}
	return UNSURE;
}

static unsigned
best_preference(const struct dns_reply *mx)
{
	unsigned best = UINT16_MAX;

	for (size_t i = 0; i < mx->n_records; i++)
		if (mx->records[i].type == ns_t_mx)
			best = MIN(best, mx->records[i].preference);
	return best;
}

/* Is this host one of the exchangers, and are all addresses of the best ones allowed? */
static enum answer
is_backed_up(struct session *s, const struct dns_reply *mx)
{
	unsigned best = best_preference(mx);
	enum answer here = NO;

	for (size_t i = 0; i < mx->n_records && i < ADDRESSES_MOST && here != YES; i++)
		if (mx->records[i].type == ns_t_mx) {
			enum answer one =
				ask_addresses(s, mx->records[i].data, true, is_ours);

			here = one == NO ? here : one;
		}
	if (here != YES || !s->site->mx_backup_networks)
		return here;
	for (size_t i = 0; i < mx->n_records && i < ADDRESSES_MOST && here == YES; i++)
		if (mx->records[i].type == ns_t_mx && mx->records[i].preference == best)
			here = ask_addresses(s, mx->records[i].data, false, is_allowed);
	return here;
}

static enum decision
unsure(struct session *s, struct str reason)
{
	return defer_if_reject(s, 450, "4.4.4",
		"<%.*s>: %s rejected: Unable to look up mail exchanger information: %.*s",
		STR_ARG(s->asked_recipient), subject_class(SUBJECT_RECIPIENT),
		STR_ARG(reason));
}

enum decision
permit_mx_backup(struct session *s, const struct check *c)
{
	struct route_class class;
	struct dns_reply said;
	enum dns_status got;

	if (!s->asked_recipient.data)
		return DUNNO;
	switch (walk_classify(s, &class)) {
	case TEMPFAIL:
		return refuse_lookup(s, s->asked_recipient);
	case PERMFAIL:
		return DUNNO;
	case ACCEPT:
		break;
	}
	if ((class.routed && !s->p->allow_untrusted_routing) || class.domain.len == 0)
		return DUNNO;
	if (class.class != CLASS_DEFAULT)
		return permit_because(s, c->name, SUBJECT_RECIPIENT, STR_NONE);
	if (class.domain.data[0] == '[')
		return DUNNO;
	got = hosts_ask(class.domain, ns_t_mx, 0, s->command, &said);
	if (got == DNS_TEMPFAIL)
		return unsure(s, said.reason);
	if (got != DNS_OK || hosts_null_mx(&said))
		return DUNNO;
	switch (is_backed_up(s, &said)) {
	case YES:
		return permit_because(s, c->name, SUBJECT_RECIPIENT, STR_NONE);
	case UNSURE:
		return unsure(s, STR("Host not found, try again"));
	case NO:
		break;
	}
	return DUNNO;
}
