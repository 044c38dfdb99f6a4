/* route_impl.h -- what the files of lib/route share, and nobody else sees. */
#ifndef ROUTE_IMPL_H
#define ROUTE_IMPL_H

#include "route.h"

/* "transport:nexthop", taken apart once. */
struct channel {
	struct str transport, nexthop;
};

/* Where mail of a class goes, or where probes go. */
#define WAYS_TABLES 3
struct ways {
	bool probes; /* these are address_verify_'s */
	struct channel by_class[CLASS_DEFAULT + 1];
	struct str relayhost;
	struct maps *transport_maps;
	struct maps *sender_transports; /* sender_dependent_default_transport_maps */
	struct maps *sender_relayhosts; /* sender_dependent_relayhost_maps */
};
/* The name of one of their parameters. */
#define WAYS_NAME(ways, name) ((ways)->probes ? "address_verify_" #name : #name)

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
	struct ways mail, probes;
	struct maps *relocated_maps;
};

/* "transport:nexthop" -> parts; either may be empty. */
struct channel channel_parse(struct str text);
/* Opens a table and remembers whether it may switch. */
struct maps *route_open_maps(
	struct route *r, const char *parameter, struct str value, unsigned flags);
/* Opens what is for mail, or, with `mail`, what is for probes: tables that are the same
 * are mail's. */
void ways_open(struct route *r, struct ways *w, const struct ways *mail);
/* Its tables; NULL: not open. Gives WAYS_TABLES. */
size_t ways_tables(const struct ways *w, struct maps *out[WAYS_TABLES]);
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
