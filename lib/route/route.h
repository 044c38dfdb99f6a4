/* route.h -- where mail goes: the class of an address, the transport and next hop of a
 * recipient, and addresses in their canonical form. smtpd, cleanup and qmgr use it alike;
 * there is no daemon in between.
 *
 * Addresses are given without <>, their local part unquoted as in the queue ("internal"
 * form); a quoted local part is understood as well. Nothing that is returned is longer
 * lived than its arena, the argument it was made from, and the struct route.
 *
 * Functions marked SWITCHES do so only when route_may_switch() says that one of the
 * tables is asked through another process; otherwise they may be called in the loop. */
#ifndef ROUTE_H
#define ROUTE_H

#include "base.h"
#include "conf.h"
#include "dict.h"
#include "mailbox.h"
#include "net.h"

/* ---- our own addresses: what inet_interfaces and proxy_interfaces mean here ---- */
struct own_addresses;
/* Reads the interfaces and looks up names now: before the jail. Never fails; a name that
 * cannot be found is warned about. */
struct own_addresses *own_addresses_new(const struct conf *c) MUST_CHECK;
void own_addresses_free(struct own_addresses *o);
struct own_addresses *own_addresses_copy(const struct own_addresses *o) MUST_CHECK;
bool own_addresses_have(const struct own_addresses *o, const struct net_addr *a);
bool own_addresses_proxied(const struct own_addresses *o, const struct net_addr *a);
size_t own_addresses_count(const struct own_addresses *o);
/* The n-th of inet_interfaces: smtp binds to one, permit_inet_interfaces asks. */
const struct net_addr *own_addresses_at(const struct own_addresses *o, size_t n);

/* ---- tables and parameters ---- */
/* What a program needs; each opens its tables and no others. */
enum {
	ROUTE_CLASS = 1,     /* route_classify */
	ROUTE_TRANSPORT = 2, /* qmgr, smtpd: route_resolve (includes ROUTE_CLASS) */
};
struct route;
/* Opens the tables and finds our addresses: before the jail. With nothing asked for,
 * rewriting and route_is_local() work (cleanup). Never fails: a bad table defers what
 * needs it. The conf must outlive it. */
struct route *route_open(const struct conf *c, unsigned what) MUST_CHECK;
void route_close(struct route *r);
/* The same for a changed configuration, inside the jail: our addresses are taken from
 * `old`, which stays as it is. */
struct route *route_renew(const struct route *old, const struct conf *fresh) MUST_CHECK;
bool route_may_switch(const struct route *r);
const struct own_addresses *route_own_addresses(const struct route *r);

/* ---- address classes (ADDRESS_CLASS_README's five) ---- */
enum address_class {
	CLASS_LOCAL,         /* mydestination, [address] of inet_ and proxy_interfaces */
	CLASS_VIRTUAL_ALIAS, /* virtual_alias_domains */
	CLASS_VIRTUAL_MAILBOX, /* virtual_mailbox_domains */
	CLASS_RELAY,           /* relay_domains */
	CLASS_DEFAULT,         /* not ours */
};
extern const char *const route_class_names[]; /* "local", "virtual alias" ... */
/* Is this domain in mydestination, or a literal of one of our addresses? Lower and upper
 * case are the same, one dot at its end is ignored. */
SWITCHES enum dict_result route_is_local(
	struct route *r, struct str domain, struct why *why);
/* The same or $myorigin: where canonical, virtual alias and local_recipient_maps also ask
 * for the plain user (contract 5.2). */
SWITCHES enum dict_result route_takes_bare_user(
	struct route *r, struct str domain, struct why *why);
/* The class of a domain alone. TEMPFAIL: a table failed. */
SWITCHES enum verdict route_domain_class(
	struct route *r, struct str domain, enum address_class *out, struct why *why);

struct route_class {
	enum address_class class;
	struct str address; /* after source routes, user%domain@here, here!user ... */
	struct str local,
		domain; /* its parts; domain in lower case, without a dot behind */
	bool routed; /* the sender chose a way: user%elsewhere@not.here. Refuse relaying
			unless allow_untrusted_routing */
};
/* What smtpd asks about a recipient (or sender): rewrites it to canonical form, takes
 * local domains and source routing off, finds the class.
 *
 * ACCEPT    fills in *out.
 * PERMFAIL  bad syntax: why holds 5.1.3.
 * TEMPFAIL  a table failed: 4.3.0. */
SWITCHES enum verdict route_classify(struct route *r, struct str address,
	struct arena *arena, struct route_class *out, struct why *why);

/* ---- transport and next hop ---- */
struct route_result {
	struct str transport; /* a service of master.cf */
	struct str nexthop; /* as the transport reads it: domain, [host]:port, text ... */
	struct str recipient; /* final address */
	enum address_class class;
};
/* Where a recipient of a message from `sender` goes (contract 5.2, recipient resolution).
 *
 * ACCEPT    fills in *out.
 * PERMFAIL  can never be delivered: syntax, moved, unknown in the virtual alias domain.
 * TEMPFAIL  a table failed.
 * In both, out->transport is "error" or "retry" and out->nexthop "5.1.1 text" for it, as
 * a delivery that only tells why. */
enum route_purpose {
	ROUTE_FOR_MAIL,
	ROUTE_FOR_PROBE, /* of an address: by address_verify_transport_maps and its like
			  */
};
SWITCHES enum verdict route_resolve(struct route *r, enum route_purpose purpose,
	struct str sender, struct str recipient, struct arena *arena,
	struct route_result *out, struct why *why);

/* The same for mail that goes through a filter ("transport:nexthop") before anything
 * else. Without a nexthop: $default_filter_nexthop, or the recipient's domain. */
void route_through(const struct route *r, struct str filter, struct str recipient,
	struct route_result *out);

/* ---- canonical form ---- */
enum route_context {
	REWRITE_LOCAL,  /* envelopes, and headers of local clients: myorigin, mydomain */
	REWRITE_REMOTE, /* headers of others: remote_header_rewrite_domain; empty: as it
			   is */
};
/* Source routes off, site!user and user%domain turned round, $myorigin and $mydomain
 * appended (trivial-rewrite(8)). The null address stays null. */
struct str route_rewrite(const struct route *r, enum route_context context,
	struct str address, struct arena *arena);

/* ---- tables that give other addresses ---- */
struct mapping {
	const char *parameter;
	struct maps *maps;
	const char *kind; /* in propagate_unmatched_extensions; NULL: never */
};
/* What the table has for an address: at least one, in canonical form. "@other" keeps the
 * user. */
SWITCHES enum dict_result mapping_find(struct route *r, const struct mapping *m,
	struct str address, struct arena *arena, struct strs *out, struct why *why);

#endif
