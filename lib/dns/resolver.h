/* resolver.h -- the suite's one cache of names, on libunbound (which shows nowhere else).
 *
 * libunbound runs in our loop, without threads of its own. Validation decides only where
 * it is asked for: plain look-ups use a second context that does not validate, so that a
 * forwarder without DNSSEC, a split horizon or a wrong clock change nothing for them. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "base.h"
#include "messages.h"

struct resolver_options {
	/* "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"; empty: those of resolv_conf.
	 */
	struct strs servers;
	const char *resolv_conf;
	const char *trust_anchor; /* a file of DNSKEY or DS records, or NULL */
};
struct resolver;
/* NULL and *why. Call after event_init; the files are read again when they change. */
struct resolver *resolver_open(const struct resolver_options *o, struct why *why);
void resolver_close(struct resolver *r);

/* One question. fn is called once, in the loop, perhaps before this returns; the reply's
 * strings and records are in arena. Names are in A-label form, with or without a last
 * dot. SERVFAIL, time-outs and bogus signatures are DNS_TEMPFAIL. */
void resolver_ask(struct resolver *r, struct str name, uint16_t type, bool validate,
	struct arena *arena, void (*fn)(void *arg, const struct dns_reply *reply),
	void *arg);

/* packet.c: a response packet of RFC 1035 section 4 taken apart; status from its rcode
 * and whether there is an answer of that type. Never trusts a length. */
void packet_read(
	struct str packet, uint16_t type, struct arena *arena, struct dns_reply *out);

/* hosts.c: the system's own files, each read again when it changed. */
struct hosts_file;
struct hosts_file *hosts_file_open(
	const char *hosts, const char *nsswitch, const char *resolv_conf);
void hosts_file_close(struct hosts_file *h);
/* A, AAAA by name or PTR by in-addr.arpa/ip6.arpa name. False: it is not there. */
bool hosts_file_find(struct hosts_file *h, struct str name, uint16_t type,
	struct arena *arena, struct dns_reply *out);
/* Does nsswitch.conf ask `dns` before `files`? */
bool hosts_dns_first(struct hosts_file *h);
/* The domains of `search` or `domain`; good until the next call. */
struct strs hosts_search(struct hosts_file *h);
/* The names to ask one after the other for `name` under DNS_DEFNAMES and DNS_SEARCH (as
 * RES_DEFNAMES and RES_DNSRCH in resolver(3), ndots 1). At least one. */
struct strs hosts_names(
	struct hosts_file *h, struct str name, uint32_t flags, struct arena *arena);

#endif
