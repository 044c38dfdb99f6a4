/* messages_lookup.h -- what is looked up elsewhere: names, tables behind a server, peers,
 * policies of MTA-STS. */
#ifndef MESSAGES_LOOKUP_H
#define MESSAGES_LOOKUP_H

#include "ipc.h"

/* ---- dns ---- */
enum dns_status { DNS_OK, DNS_NXDOMAIN, DNS_NODATA, DNS_TEMPFAIL };
enum {
	DNS_VALIDATE = 1, /* use the validating context; `secure` means something */
	DNS_HOSTS = 2,    /* A and AAAA: /etc/hosts in nsswitch order as well */
	DNS_DEFNAMES = 4, /* a name without dots: with the first domain of `search` */
	DNS_SEARCH = 8,   /* any name: with each domain of `search`, resolv.conf(5) */
};
/* data: A and AAAA in text form; of MX, PTR, NS, CNAME and SRV a name without its last
 * dot ("" is the root); TXT joined; of others the rdata. */
#define dns_rr_FIELDS(FIELD, LIST) \
	FIELD(U16, type) \
	FIELD(U16, preference) /* MX, SRV priority */ \
	FIELD(U16, weight) \
	FIELD(U16, port) \
	FIELD(U32, ttl) \
	FIELD(STR, data)
IPC_STRUCT(dns_rr)
#define dns_REQUEST(FIELD, LIST) FIELD(STR, name) FIELD(U16, type) FIELD(U32, flags)
#define dns_REPLY(FIELD, LIST) \
	FIELD(U8, status) \
	FIELD(BOOL, secure) \
	FIELD(STR, name)   /* after CNAMEs */ \
	FIELD(STR, reason) /* "Host not found, try again" ... for DNS_TEMPFAIL */ \
	LIST(dns_rr, records) \
	FIELD(U32, \
		ttl) /* how long the answer is good, also that there is none; seconds */
IPC_RPC(dns, 20)

/* ---- proxymap: one look-up in a table behind a server ---- */
#define proxy_REQUEST(FIELD, LIST) \
	FIELD(STR, table) /* "mysql:/etc/..." */ \
	FIELD(STR, key) \
	FIELD(BOOL, proxied) /* named with proxy: */
#define proxy_REPLY(FIELD, LIST) \
	FIELD(U8, result) /* enum dict_result */ \
	FIELD(STR, value) \
	FIELD(STR, text) /* of an error */
IPC_RPC(proxy, 21)

/* ---- anybody <-> broker, over the socket that master gave to the worker ---- */
#define connect_REQUEST(FIELD, LIST) \
	FIELD(STR, peer) /* a service ("cleanup"), or a configured endpoint */
#define connect_REPLY(FIELD, LIST) \
	FIELD(U32, error) /* errno; 0: the connected descriptor comes along */
IPC_RPC(connect, 30)

/* ---- smtp -> stsd: what does a domain say of its mail exchangers (MTA-STS)? ---- */
#define sts_REQUEST(FIELD, LIST) FIELD(STR, domain)
#define sts_REPLY(FIELD, LIST) \
	FIELD(U8, mode) /* enum mta_sts_mode; MTA_STS_NONE: nothing */ \
	FIELD(STRS, mx)
IPC_RPC(sts, 69)

#endif
