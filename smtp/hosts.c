/* hosts.c -- which addresses to try for a next hop, best first. */
#include "smtp.h"
#include "log.h"
#include <arpa/nameser.h>
#include <stdlib.h>

void
hosts_free(struct hosts *h)
{
	vec_free(&h->list);
}

/* "Host or domain name not found. Name service error for name=x type=MX: reason" */
static enum verdict
dns_why(struct str name, const char *type, const struct dns_reply *said, struct why *why)
{
	const char *code = said->status == DNS_TEMPFAIL ? "4.4.3" : "5.4.4";

	return why_set(why, code,
		"Host or domain name not found. Name service error for name=%.*s "
		"type=%s: %.*s",
		STR_ARG(name), type, STR_ARG(said->reason));
}

static int
ask(struct str name, uint16_t type, const struct conf *c, struct arena *arena,
	struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type };

	if (type != ns_t_mx && str_find(c->p.smtp_host_lookup, STR("native")) >= 0)
		question.flags = DNS_HOSTS;
	if (dns_call(service_peer("dns"), &question, said, arena,
		    deadline_in((msec_t)120 * 1000)) == 0)
		return 0;
	*said = (struct dns_reply){ .status = DNS_TEMPFAIL,
		.reason = STR("Host not found, try again") };
	return -1;
}

static void
host_add(struct hosts *h, struct str name, const struct net_addr *addr,
	uint16_t preference)
{
	struct host *host = vec_push(&h->list);

	host->name = name;
	host->addr = *addr;
	host->preference = preference;
}

static bool
wants(const struct conf *c, const char *protocol)
{
	return str_find(c->p.inet_protocols, STR("all")) >= 0 ||
	       str_find(c->p.inet_protocols, str_c(protocol)) >= 0;
}

/* The addresses of one host join the list; how many. -1: nobody could tell now. */
static int
addresses_add(struct hosts *h, struct str name, uint16_t preference, unsigned port,
	const struct conf *c, struct arena *arena, struct dns_reply *last)
{
	static const struct {
		uint16_t type;
		const char *protocol;
	} kinds[] = { { ns_t_aaaa, "ipv6" }, { ns_t_a, "ipv4" } };
	bool later = false;
	int found = 0;

	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct dns_reply said;

		if (!wants(c, kinds[k].protocol))
			continue;
		ask(name, kinds[k].type, c, arena, &said);
		*last = said;
		later |= said.status == DNS_TEMPFAIL;
		for (size_t i = 0; said.status == DNS_OK && i < said.n_records; i++) {
			struct net_addr addr;

			if (said.records[i].type != kinds[k].type ||
				net_addr_parse(said.records[i].data, port, &addr) < 0)
				continue;
			host_add(h, name, &addr, preference);
			found++;
		}
	}
	return found == 0 && later ? -1 : found;
}

/* ---- order: by preference, equals at random (RFC 5321 section 5.1) ---- */

static int
host_compare(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	return (x->preference > y->preference) - (x->preference < y->preference);
}

static void
hosts_sort(struct hosts *h, const struct conf *c)
{
	if (c->p.smtp_randomize_addresses)
		for (size_t i = h->list.n; i > 1; i--) {
			size_t j = (size_t)random() % i;
			struct host swap = h->list.items[i - 1];

			h->list.items[i - 1] = h->list.items[j];
			h->list.items[j] = swap;
		}
	/* glibc's qsort is a stable merge sort for arrays that fit in memory: the shuffle
	 * among equals survives. */
	qsort(h->list.items, h->list.n, sizeof(*h->list.items), host_compare);
}

/* RFC 5321 section 5.1: a host that is in the list itself must only use better ones. */
static enum verdict
hosts_without_us(struct hosts *h, const struct nexthop *n, struct why *why)
{
	for (size_t i = 0; i < h->list.n; i++) {
		const struct host *host = &h->list.items[i];

		if (!own_addresses_have(smtp_own, &host->addr) &&
			!own_addresses_proxied(smtp_own, &host->addr))
			continue;
		while (i > 0 && h->list.items[i - 1].preference == host->preference)
			i--;
		h->list.n = i;
		if (i == 0)
			return why_set(why, "5.4.6", "mail for %.*s loops back to myself",
				STR_ARG(n->host));
	}
	return ACCEPT;
}

/* ---- look-ups ---- */

static enum verdict
hosts_of_name(const struct nexthop *n, struct str name, const struct conf *c,
	struct arena *arena, struct hosts *out, struct why *why)
{
	struct dns_reply last = { .status = DNS_NXDOMAIN,
		.reason = STR("Host not found") };
	int found = addresses_add(out, name, 0, n->port, c, arena, &last);

	if (found > 0)
		return ACCEPT;
	if (found < 0)
		last.status = DNS_TEMPFAIL;
	return dns_why(name, "A", &last, why);
}

static enum verdict
hosts_of_mx(const struct nexthop *n, const struct dns_reply *mx, const struct conf *c,
	struct arena *arena, struct hosts *out, struct why *why)
{
	struct dns_reply last = { .status = DNS_NXDOMAIN,
		.reason = STR("Host not found") };
	bool later = false;

	if (mx->n_records == 1 && mx->records[0].data.len == 0) /* RFC 7505 */
		return why_set(why, "5.1.2", "Domain %.*s does not accept mail (nullMX)",
			STR_ARG(n->host));
	for (size_t i = 0; i < mx->n_records; i++)
		if (mx->records[i].type == ns_t_mx && mx->records[i].data.len > 0)
			later |= addresses_add(out, mx->records[i].data,
					 mx->records[i].preference, n->port, c, arena,
					 &last) < 0;
	if (out->list.n == 0) {
		if (later || c->p.smtp_defer_if_no_mx_address_found)
			last.status = DNS_TEMPFAIL;
		else
			return why_set(why, "5.4.4",
				"unable to find primary relay for %.*s: none of its mail "
				"exchangers has an address",
				STR_ARG(n->host));
		return dns_why(n->host, "A", &last, why);
	}
	return ACCEPT;
}

enum verdict
hosts_find(const struct nexthop *n, const struct conf *c, struct arena *arena,
	struct hosts *out, struct why *why)
{
	struct net_addr addr;
	struct dns_reply mx;
	enum verdict verdict;

	if (net_addr_parse(n->host, n->port, &addr) == 0) {
		host_add(out, n->host, &addr, 0);
		return ACCEPT;
	}
	if (n->literal || str_case_is(c->p.smtp_dns_support_level, "disabled")) {
		verdict = hosts_of_name(n, n->host, c, arena, out, why);
		hosts_sort(out, c);
		return verdict;
	}
	ask(n->host, ns_t_mx, c, arena, &mx);
	if (mx.status == DNS_OK)
		verdict = hosts_of_mx(n, &mx, c, arena, out, why);
	else if (mx.status == DNS_NODATA)
		verdict = hosts_of_name(n, n->host, c, arena, out, why);
	else if (mx.status == DNS_TEMPFAIL && c->p.ignore_mx_lookup_error)
		verdict = hosts_of_name(n, n->host, c, arena, out, why);
	else
		return dns_why(n->host, "MX", &mx, why);
	hosts_sort(out, c);
	return verdict == ACCEPT ? hosts_without_us(out, n, why) : verdict;
}
