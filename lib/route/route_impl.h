/* route_impl.h -- what the files of lib/route share, and nobody else sees. */
#ifndef ROUTE_IMPL_H
#define ROUTE_IMPL_H

#include "route.h"

/* "transport:nexthop", taken apart once. */
struct channel {
	struct str transport, nexthop;
};

struct route {
	const struct conf *conf;
	unsigned what;
	bool may_switch;
	struct own_addresses *own;
	struct match_list *destinations;    /* mydestination */
	struct match_list *alias_domains;   /* virtual_alias_domains */
	struct match_list *mailbox_domains; /* virtual_mailbox_domains */
	struct match_list *relay_domains;
	struct map *compared; /* domains whose conflicts were looked for */
	/* ROUTE_TRANSPORT */
	struct channel by_class[CLASS_DEFAULT + 1];
	struct maps *transport_maps, *relocated_maps;
	struct maps *sender_transports; /* sender_dependent_default_transport_maps */
	struct maps *sender_relayhosts; /* sender_dependent_relayhost_maps */
};

/* "transport:nexthop" -> parts; either may be empty. */
struct channel channel_parse(struct str text);
/* Turns site!user and user%domain into user@domain. STR_NONE when there is neither, or
 * the parameters forbid it. */
struct str route_turn_round(const struct route *r, struct str local, struct arena *arena);
/* Takes local domains off until a domain that is not ours, or a user of ours, is left;
 * and finds the class. The address must be canonical already. */
SWITCHES enum verdict route_locate(struct route *r, struct str address,
	struct arena *arena, struct route_class *out, struct why *why);
/* What is said for any failing table; the reason itself is in the log. */
enum verdict route_table_failed(const char *parameter, struct why *why);

#endif
