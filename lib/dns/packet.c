/* packet.c -- DNS responses (RFC 1035 section 4). glibc's ns_* functions do the walking:
 * they check every length and compression pointer. */
#include "resolver.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>

#define RECORDS_MOST 256

/* A domain name inside the packet as text without its last dot. False: malformed. */
static bool
name_at(const ns_msg *m, const unsigned char *at, struct arena *arena, struct str *out)
{
	char text[NS_MAXDNAME];

	if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), at, text, sizeof(text)) <
		0)
		return false;
	if (strcmp(text, ".") == 0)
		text[0] = '\0';
	*out = arena_str(arena, str_c(text));
	return true;
}

/* The strings of a TXT record, joined (RFC 7208 section 3.3 and everybody else). */
static bool
text_of(const ns_rr *rr, struct arena *arena, struct str *out)
{
	const unsigned char *at = ns_rr_rdata(*rr), *end = at + ns_rr_rdlen(*rr);
	char *text = arena_alloc(arena, ns_rr_rdlen(*rr) + 1u);
	size_t n = 0;

	while (at < end) {
		size_t len = *at++;

		if (len > (size_t)(end - at))
			return false;
		memcpy(text + n, at, len);
		n += len;
		at += len;
	}
	*out = str_of(text, n);
	return true;
}

static bool
address_of(const ns_rr *rr, int family, size_t len, struct arena *arena, struct str *out)
{
	char text[INET6_ADDRSTRLEN];

	if (ns_rr_rdlen(*rr) != len ||
		!inet_ntop(family, ns_rr_rdata(*rr), text, sizeof(text)))
		return false;
	*out = arena_str(arena, str_c(text));
	return true;
}

static bool
record_read(const ns_msg *m, const ns_rr *rr, struct arena *arena, struct dns_rr *out)
{
	const unsigned char *data = ns_rr_rdata(*rr);
	size_t len = ns_rr_rdlen(*rr);

	out->type = ns_rr_type(*rr);
	out->ttl = ns_rr_ttl(*rr);
	switch (out->type) {
	case ns_t_a:
		return address_of(rr, AF_INET, 4, arena, &out->data);
	case ns_t_aaaa:
		return address_of(rr, AF_INET6, 16, arena, &out->data);
	case ns_t_mx:
		if (len < 3)
			return false;
		out->preference = get_u16(data);
		return name_at(m, data + 2, arena, &out->data);
	case ns_t_srv:
		if (len < 7)
			return false;
		out->preference = get_u16(data);
		out->weight = get_u16(data + 2);
		out->port = get_u16(data + 4);
		return name_at(m, data + 6, arena, &out->data);
	case ns_t_ns:
	case ns_t_cname:
	case ns_t_ptr:
		return name_at(m, data, arena, &out->data);
	case ns_t_txt:
		return text_of(rr, arena, &out->data);
	default:
		out->data = arena_str(arena, str_of(data, len));
		return true;
	}
}

static void
set_status(struct dns_reply *out, int rcode, bool answered)
{
	if (rcode == ns_r_nxdomain) {
		out->status = DNS_NXDOMAIN;
		out->reason = STR("Host not found");
	} else if (rcode != ns_r_noerror) {
		out->status = DNS_TEMPFAIL;
		out->reason = STR("Host not found, try again");
	} else if (!answered) {
		out->status = DNS_NODATA;
		out->reason = STR("Host found but no data record of requested type");
	} else {
		out->status = DNS_OK;
	}
}

/* RFC 2308 section 5: an answer that there is nothing is good for the lesser of the SOA's
 * TTL and its last field. Without SOA not at all. */
static uint32_t
negative_ttl(ns_msg *m)
{
	size_t n = MIN((size_t)ns_msg_count(*m, ns_s_ns), RECORDS_MOST);

	for (size_t i = 0; i < n; i++) {
		ns_rr rr;

		if (ns_parserr(m, ns_s_ns, (int)i, &rr) < 0)
			break;
		if (ns_rr_type(rr) == ns_t_soa && ns_rr_rdlen(rr) >= 20)
			return MIN((uint32_t)ns_rr_ttl(rr),
				get_u32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4));
	}
	return 0;
}

void
packet_read(struct str packet, uint16_t type, struct arena *arena, struct dns_reply *out)
{
	bool answered = false;
	size_t n;
	ns_msg m;

	*out = (struct dns_reply){ .status = DNS_TEMPFAIL,
		.reason = STR("Malformed reply") };
	if (packet.len > INT32_MAX ||
		ns_initparse((const unsigned char *)packet.data, (int)packet.len, &m) < 0)
		return;
	n = MIN((size_t)ns_msg_count(m, ns_s_an), RECORDS_MOST);
	out->records = arena_alloc(arena, (n + 1) * sizeof(*out->records));
	for (size_t i = 0; i < n; i++) {
		struct dns_rr *record = &out->records[out->n_records];
		ns_rr rr;

		if (ns_parserr(&m, ns_s_an, (int)i, &rr) < 0)
			return; /* temporary: the status says so still */
		if (!record_read(&m, &rr, arena, record))
			continue;
		if (record->type == type)
			out->name = arena_str(arena, str_c(ns_rr_name(rr)));
		answered |= record->type == type;
		out->ttl = out->n_records ? MIN(out->ttl, record->ttl) : record->ttl;
		out->n_records++;
	}
	if (!answered)
		out->ttl = negative_ttl(&m);
	set_status(out, (int)ns_msg_getflag(m, ns_f_rcode), answered);
}
