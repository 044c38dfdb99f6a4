/* hosts.c -- which addresses to try for a next hop, best first. */
#include "smtp.h"
#include "explain.h"
#include "idna.h"
#include "log.h"
#include <arpa/nameser.h>
#include <stdlib.h>

#define DNS_PATIENCE ((msec_t)120 * 1000) /* dns gives up long before */
#define MX_MOST      50                   /* mail exchangers whose addresses are asked */

void
hosts_free(struct hosts *h)
{
	vec_free(&h->list);
}

/* ---- questions ---- */

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

static bool
has_word(struct str list, const char *word)
{
	struct str item;

	while (str_token(&list, " \t\r\n,", &item))
		if (str_case_is(item, word))
			return true;
	return false;
}

static bool
dns_disabled(const struct conf *c)
{
	struct str level = c->p.smtp_dns_support_level;

	return str_case_is(level, "disabled") ||
	       (level.len == 0 && c->p.disable_dns_lookups);
}

bool
hosts_by_dns(const struct conf *c)
{
	return !dns_disabled(c) && has_word(c->p.smtp_host_lookup, "dns");
}

static uint32_t
question_flags(const struct conf *c)
{
	struct str options = c->p.smtp_dns_resolver_options;
	bool dnssec = str_case_is(c->p.smtp_dns_support_level, "dnssec");

	return (has_word(options, "res_defnames") ? DNS_DEFNAMES : 0u) |
	       (has_word(options, "res_dnsrch") ? DNS_SEARCH : 0u) |
	       (dnssec ? DNS_VALIDATE : 0u);
}

void
hosts_ask(struct str name, uint16_t type, uint32_t flags, struct arena *arena,
	struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type, .flags = flags };

	if (dns_call(service_peer("dns"), &question, said, arena,
		    deadline_in(DNS_PATIENCE)) < 0)
		*said = (struct dns_reply){ .status = DNS_TEMPFAIL,
			.reason = STR("Host not found, try again") };
	if (explain_on)
		explain_dns(name, type, said);
}

/* The addresses of a host, as smtp_host_lookup says: by DNS, by the system's own ways
 * (hosts, its search list), or the second where the first knows nothing. */
static void
ask_address(struct str name, uint16_t type, const struct conf *c, struct arena *arena,
	struct dns_reply *said)
{
	bool native = dns_disabled(c) || has_word(c->p.smtp_host_lookup, "native");

	*said = (struct dns_reply){ .status = DNS_NXDOMAIN };
	if (hosts_by_dns(c))
		hosts_ask(name, type, question_flags(c), arena, said);
	if (native && (said->status == DNS_NXDOMAIN || said->status == DNS_NODATA))
		hosts_ask(name, type, DNS_HOSTS | DNS_DEFNAMES | DNS_SEARCH, arena, said);
}

/* ---- addresses ---- */

/* Chance among equals; not the next hop's to foresee. */
static uint32_t
chance(void)
{
	static uint64_t count;

	count++;
	return (uint32_t)str_hash(str_of(&count, sizeof(count)));
}

static struct host *
host_add(struct hosts *h, struct str name, const struct net_addr *addr,
	uint16_t preference, unsigned port, const struct conf *c)
{
	struct host *host = vec_push(&h->list);

	host->name = name;
	host->addr = *addr;
	host->preference = preference;
	host->port = port;
	host->order = c->p.smtp_randomize_addresses ? chance() : (uint32_t)h->list.n;
	host->expanded = name;
	host->secure = false;
	host->by = NULL;
	return host;
}

static bool
wants(const struct conf *c, const char *protocol)
{
	return has_word(c->p.inet_protocols, "all") ||
	       has_word(c->p.inet_protocols, protocol);
}

/* Where names of hosts are from, and what a look-up of addresses came to, when there are
 * none. */
struct lookup {
	const struct host_source *by;
	struct dns_reply last;
	struct str name;
	const char *type;
	bool later; /* one could not be answered now */
};

static void
addresses_add(struct hosts *h, struct str name, uint16_t preference, unsigned port,
	const struct conf *c, struct arena *arena, struct lookup *l)
{
	static const struct {
		uint16_t type;
		const char *name, *protocol;
	} kinds[] = { { ns_t_a, "A", "ipv4" }, { ns_t_aaaa, "AAAA", "ipv6" } };

	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct dns_reply said;

		if (!wants(c, kinds[k].protocol))
			continue;
		ask_address(name, kinds[k].type, c, arena, &said);
		if (said.status == DNS_TEMPFAIL || !l->later) {
			l->last = said;
			l->name = name;
			l->type = kinds[k].name;
		}
		l->later |= said.status == DNS_TEMPFAIL;
		for (size_t i = 0; said.status == DNS_OK && i < said.n_records; i++) {
			struct net_addr addr;
			struct host *host;

			if (said.records[i].type != kinds[k].type ||
				net_addr_parse(said.records[i].data, port, &addr) < 0)
				continue;
			host = host_add(h, name, &addr, preference, port, c);
			host->by = l->by;
			host->secure = said.secure;
			if (said.name.len > 0)
				host->expanded = said.name;
		}
	}
}

/* An answer that names hosts of this domain. */
static const struct host_source *
source_of(struct str domain, const struct dns_reply *said, struct arena *arena)
{
	struct host_source *by = arena_alloc(arena, sizeof(*by));

	by->domain = domain;
	by->expanded = said->name.len > 0 ? said->name : domain;
	by->secure = said->secure;
	return by;
}

static enum verdict
no_address(const struct lookup *l, struct why *why)
{
	return dns_why(l->name, l->type, &l->last, why);
}

/* ---- order: by preference, equals at random (RFC 5321 section 5.1) ---- */

/* smtp_address_preference: which family comes first among equals. */
static int preferred_family;

static int
host_compare(const void *a, const void *b)
{
	const struct host *x = a, *y = b;
	bool x_liked = x->addr.sa.ss_family == preferred_family;
	bool y_liked = y->addr.sa.ss_family == preferred_family;

	if (x->preference != y->preference)
		return (x->preference > y->preference) - (x->preference < y->preference);
	if (x_liked != y_liked)
		return y_liked - x_liked;
	return (x->order > y->order) - (x->order < y->order);
}

static void
hosts_sort(struct hosts *h, const struct conf *c)
{
	preferred_family = str_case_is(c->p.smtp_address_preference, "ipv6") ? AF_INET6
			   : str_case_is(c->p.smtp_address_preference, "ipv4")
				   ? AF_INET
				   : AF_UNSPEC;
	if (h->list.n > 1)
		qsort(h->list.items, h->list.n, sizeof(*h->list.items), host_compare);
}

/* smtp_balance_inet_protocols: what smtp_mx_address_limit leaves has addresses of both
 * families, when the list has. Moves the first of the family that is missing to the last
 * place that counts. */
static void
hosts_balance(struct hosts *h, const struct conf *c)
{
	size_t most = (size_t)MAX(c->p.smtp_mx_address_limit, 0);
	struct host *list = h->list.items;

	if (!c->p.smtp_balance_inet_protocols || most < 2 || h->list.n <= most)
		return;
	for (size_t i = 1; i < most; i++)
		if (list[i].addr.sa.ss_family != list[0].addr.sa.ss_family)
			return;
	for (size_t i = most; i < h->list.n; i++)
		if (list[i].addr.sa.ss_family != list[0].addr.sa.ss_family) {
			list[most - 1] = list[i];
			return;
		}
}

/* RFC 5321 section 5.1: a host that is in the list itself must only use better ones. */
static enum verdict
hosts_without_us(struct hosts *h, const struct nexthop *n, struct why *why)
{
	for (size_t i = 0; n->default_port && i < h->list.n; i++) {
		const struct host *host = &h->list.items[i];

		if (!own_addresses_have(smtp_own, &host->addr) &&
			!own_addresses_proxied(smtp_own, &host->addr))
			continue;
		while (i > 0 && h->list.items[i - 1].preference == host->preference)
			i--;
		h->list.n = i;
		h->we_are_one = true;
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
	struct lookup l = { .name = name, .type = "A" };

	addresses_add(out, name, 0, n->port, c, arena, &l);
	return out->list.n > 0 ? ACCEPT : no_address(&l, why);
}

static int
mx_compare(const void *a, const void *b)
{
	const struct dns_rr *x = a, *y = b;
	bool x_mx = x->type == ns_t_mx, y_mx = y->type == ns_t_mx;

	if (x_mx != y_mx)
		return y_mx - x_mx; /* a CNAME on the way there */
	return (x->preference > y->preference) - (x->preference < y->preference);
}

static enum verdict
hosts_of_mx(const struct nexthop *n, struct str name, const struct dns_reply *mx,
	const struct conf *c, struct arena *arena, struct hosts *out, struct why *why)
{
	struct lookup l = {
		.name = n->host, .type = "MX", .by = source_of(name, mx, arena)
	};
	size_t count = 0, named = 0;

	if (mx->n_records > 1)
		qsort(mx->records, mx->n_records, sizeof(*mx->records), mx_compare);
	while (count < mx->n_records && mx->records[count].type == ns_t_mx)
		count++;
	for (size_t i = 0; i < count && named < MX_MOST; i++)
		if (mx->records[i].data.len > 0) {
			addresses_add(out, mx->records[i].data, mx->records[i].preference,
				n->port, c, arena, &l);
			named++;
		}
	if (named == 0) /* RFC 7505 */
		return why_set(why, "5.1.2", "Domain %.*s does not accept mail (nullMX)",
			STR_ARG(n->host));
	if (out->list.n > 0)
		return ACCEPT;
	log_warn("no MX host for %.*s has a valid address record", STR_ARG(n->host));
	if (c->p.smtp_defer_if_no_mx_address_found)
		l.last.status = DNS_TEMPFAIL;
	return no_address(&l, why);
}

/* The name as the DNS has it: A-labels. */
static enum verdict
domain_name(struct str host, struct arena *arena, struct str *out, struct why *why)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;

	*out = host;
	for (size_t i = 0; i < host.len; i++) {
		if ((unsigned char)host.data[i] < 0x80)
			continue;
		if (idna_to_ascii(host, &ascii) < 0)
			return why_set(why, "5.1.2", "malformed domain name \"%.*s\"",
				STR_ARG(host));
		*out = arena_str(arena, buf_str(&ascii));
		break;
	}
	return ACCEPT;
}

static enum verdict
hosts_of_domain(const struct nexthop *n, struct str name, const struct conf *c,
	struct arena *arena, struct hosts *out, struct why *why)
{
	struct dns_reply mx;
	enum verdict verdict;

	hosts_ask(name, ns_t_mx, question_flags(c), arena, &mx);
	if (mx.status == DNS_OK)
		verdict = hosts_of_mx(n, name, &mx, c, arena, out, why);
	else if (mx.status == DNS_NODATA ||
		 (mx.status == DNS_TEMPFAIL && c->p.ignore_mx_lookup_error))
		verdict = hosts_of_name(n, name, c, arena, out, why);
	else
		return dns_why(name, "MX", &mx, why);
	hosts_sort(out, c);
	if (verdict == ACCEPT)
		verdict = hosts_without_us(out, n, why);
	hosts_balance(out, c);
	return verdict;
}

/* ---- SRV (RFC 2782) ---- */

static int
srv_compare(const void *a, const void *b)
{
	const struct dns_rr *x = a, *y = b;
	bool x_srv = x->type == ns_t_srv, y_srv = y->type == ns_t_srv;

	if (x_srv != y_srv)
		return y_srv - x_srv;
	return (x->preference > y->preference) - (x->preference < y->preference);
}

/* Moves one of the first n records to the front: each as often as its weight says, those
 * without any hardly ever. */
static void
srv_choose(struct dns_rr *records, size_t n)
{
	uint32_t sum = 0, chosen;
	struct dns_rr first;
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		sum += records[k].weight;
	chosen = sum > 0 ? 1 + chance() % sum : 0;
	while (i + 1 < n && chosen > records[i].weight)
		chosen -= records[i++].weight;
	first = records[i];
	records[i] = records[0];
	records[0] = first;
}

static enum verdict
hosts_of_srv(const struct nexthop *n, struct dns_reply *srv, struct str name,
	const struct conf *c, struct arena *arena, struct hosts *out, struct why *why)
{
	struct lookup l = {
		.name = name, .type = "SRV", .by = source_of(n->host, srv, arena)
	};
	struct dns_rr *list = srv->records;
	size_t count = 0;

	if (srv->n_records > 1)
		qsort(list, srv->n_records, sizeof(*list), srv_compare);
	while (count < srv->n_records && list[count].type == ns_t_srv)
		count++;
	for (size_t i = 0; i < MIN(count, (size_t)MX_MOST); i++) {
		size_t same = 1, before = out->list.n;

		while (i + same < count &&
			list[i + same].preference == list[i].preference)
			same++;
		srv_choose(list + i, same);
		if (list[i].data.len > 0)
			addresses_add(out, list[i].data, list[i].preference, list[i].port,
				c, arena, &l);
		for (; before < out->list.n; before++)
			out->list.items[before].order = (uint32_t)i;
	}
	if (out->list.n > 0)
		return ACCEPT;
	/* A target of "." says that there is no such service. */
	if (count == 1 && list[0].data.len == 0)
		return why_set(
			why, "5.1.2", "Service unavailable at %.*s", STR_ARG(n->host));
	return no_address(&l, why);
}

/* use_srv_lookup: hosts and ports of the service at this domain. DICT_NOTFOUND: it is to
 * be delivered to as if nobody had asked. */
static enum dict_result
hosts_by_srv(const struct nexthop *n, struct str domain, const struct conf *c,
	struct arena *arena, struct hosts *out, enum verdict *verdict, struct why *why)
{
	struct dns_reply srv;
	struct str name;

	if (!has_word(c->p.use_srv_lookup, arena_cstr(arena, n->service)))
		return DICT_NOTFOUND;
	name = arena_printf(
		arena, "_%.*s._tcp.%.*s", STR_ARG(n->service), STR_ARG(domain));
	hosts_ask(name, ns_t_srv, question_flags(c), arena, &srv);
	if (srv.status == DNS_OK) {
		*verdict = hosts_of_srv(n, &srv, name, c, arena, out, why);
		return DICT_FOUND;
	}
	if (srv.status == DNS_TEMPFAIL ? c->p.ignore_srv_lookup_error
				       : c->p.allow_srv_lookup_fallback)
		return DICT_NOTFOUND;
	*verdict = dns_why(name, "SRV", &srv, why);
	return DICT_FOUND;
}

enum verdict
hosts_find(const struct nexthop *n, const struct conf *c, struct arena *arena,
	struct hosts *out, struct why *why)
{
	struct net_addr addr;
	struct str name;
	enum verdict verdict;

	if (n->path.len > 0) {
		static const struct net_addr none;

		host_add(out, c->p.myhostname, &none, 0, 0, c);
		return ACCEPT;
	}
	if (net_addr_parse(n->host, n->port, &addr) == 0) {
		struct str bare = n->host;

		if (str_case_starts(bare, STR("IPv6:")))
			bare = str_from(bare, 5);
		host_add(out, bare, &addr, 0, n->port, c);
		return ACCEPT;
	}
	if (domain_name(n->host, arena, &name, why) != ACCEPT)
		return PERMFAIL;
	if (!n->literal && !dns_disabled(c) &&
		hosts_by_srv(n, name, c, arena, out, &verdict, why) == DICT_FOUND) {
		hosts_sort(out, c);
		hosts_balance(out, c);
		return verdict;
	}
	/* RFC 2033 section 5: mail exchangers are of SMTP. */
	if (!n->literal && !smtp_lmtp && !dns_disabled(c))
		return hosts_of_domain(n, name, c, arena, out, why);
	verdict = hosts_of_name(n, name, c, arena, out, why);
	hosts_sort(out, c);
	hosts_balance(out, c);
	return verdict;
}
