/* hosts.c -- restrictions that ask the DNS about names: does the client have one, do the
 * domains exist, and what do access tables say of the servers behind them? The dns
 * service is asked over its link, so nobody else waits. */
#include "address.h"
#include "explain.h"
#include "hosts.h"
#include "idna.h"
#include "service.h"
#include "session.h"

#define DNS_PATIENCE 30000 /* what resolv.conf's defaults add up to */
#define SERVERS_MOST 100   /* servers of one domain, and addresses of one of them */

enum dns_status
hosts_ask_text(struct str name, uint16_t type, uint32_t flags, deadline_t until,
	struct arena *arena, struct dns_reply *said)
{
	struct dns_request ask = { .name = name, .type = type, .flags = flags };

	until = deadline_least(until, deadline_in(DNS_PATIENCE));
	if (dns_call(service_peer("dns"), &ask, said, arena, until) < 0)
		*said = (struct dns_reply){ .status = DNS_TEMPFAIL,
			.reason = STR("Host not found, try again") };
	else if (said->status == DNS_OK && said->n_records == 0)
		said->status = DNS_NODATA;
	if (explain_on)
		explain_dns(name, type, said);
	return (enum dns_status)said->status;
}

enum dns_status
hosts_ask(struct str name, uint16_t type, uint32_t flags, struct arena *arena,
	struct dns_reply *said)
{
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;

	*said = (struct dns_reply){ .status = DNS_NXDOMAIN,
		.reason = STR("invalid host or domain name") };
	if (idna_to_ascii(name, &ascii) < 0 || str_ends(name, STR(".")) ||
		!address_domain_is_valid(buf_str(&ascii), ADDRESS_LOOSE))
		return DNS_NXDOMAIN;
	return hosts_ask_text(buf_str(&ascii), type, flags, DEADLINE_NEVER, arena, said);
}

/* Like hosts_ask() of several types: the first with an answer counts, then trouble. */
static enum dns_status
ask_any(struct session *s, struct str name, const uint16_t *types, size_t n,
	struct dns_reply *said)
{
	enum dns_status worst = DNS_NXDOMAIN;

	for (size_t i = 0; i < n; i++) {
		enum dns_status got = hosts_ask(name, types[i], 0, s->command, said);

		if (got == DNS_OK)
			return got;
		if (got == DNS_TEMPFAIL || worst == DNS_NXDOMAIN)
			worst = worst == DNS_TEMPFAIL ? worst : got;
	}
	return worst;
}

bool
hosts_null_mx(const struct dns_reply *said)
{
	return said->n_records == 1 && said->records[0].data.len == 0;
}

/* ---- the client's own name ---- */

static enum decision
refuse_nameless(
	struct session *s, enum peer_name status, const char *dsn, const char *what)
{
	int code = status == PEER_UNSURE ? 450 : s->p->unknown_client_reject_code;

	return refuse(s, code, dsn, "Client host rejected: cannot find your %s, [%.*s]",
		what, STR_ARG(s->address));
}

enum decision
reject_unknown_client(struct session *s, const struct check *c)
{
	(void)c;
	return s->name_status == PEER_KNOWN
		       ? DUNNO
		       : refuse_nameless(s, s->name_status, "4.7.25", "hostname");
}

enum decision
reject_unknown_reverse(struct session *s, const struct check *c)
{
	(void)c;
	return s->reverse_status == PEER_KNOWN ? DUNNO
					       : refuse_nameless(s, s->reverse_status,
							 "4.7.1", "reverse hostname");
}

/* It claims a name that does not lead back to it. */
enum decision
reject_unknown_forward(struct session *s, const struct check *c)
{
	(void)c;
	return s->reverse_status != PEER_KNOWN || s->name_status == PEER_KNOWN
		       ? DUNNO
		       : refuse_nameless(s, s->name_status, "4.7.25", "hostname");
}

/* ---- do names exist? ---- */

enum decision
reject_unknown_helo(struct session *s, const struct check *c)
{
	static const uint16_t types[] = { ns_t_a, ns_t_aaaa, ns_t_mx };
	struct dns_reply said;

	(void)c;
	if (!s->helo.data)
		return DUNNO;
	if (str_starts(s->helo, STR("[")))
		return address_literal_is_valid(s->helo)
			       ? DUNNO
			       : refuse_subject(s, s->p->invalid_hostname_reject_code,
					 "5.5.2", SUBJECT_HELO,
					 STR("invalid ip address"));
	switch (ask_any(s, s->helo, types, COUNT(types), &said)) {
	case DNS_OK:
		break;
	case DNS_TEMPFAIL:
		return refuse_uncertain(s, s->p->unknown_helo_hostname_tempfail_action,
			450, "4.7.1", SUBJECT_HELO, STR("Host not found"));
	default:
		return refuse_subject(s, s->p->unknown_hostname_reject_code, "4.7.1",
			SUBJECT_HELO, STR("Host not found"));
	}
	return DUNNO;
}

/* RFC 7505 section 4.2 has a code of its own for each side. */
static enum decision
refuse_null_mx(struct session *s, enum subject subject, struct str domain)
{
	bool sends = subject == SUBJECT_SENDER;

	return refuse_subject(s, sends ? 550 : 556, sends ? "4.7.27" : "4.1.10", subject,
		arena_printf(s->command, "Domain %.*s does not accept mail (nullMX)",
			STR_ARG(domain)));
}

static enum decision
check_mail_domain(struct session *s, enum subject subject, struct str domain)
{
	static const uint16_t addresses[] = { ns_t_a, ns_t_aaaa };
	const char *dsn = subject == SUBJECT_SENDER ? "4.1.8" : "4.1.2";
	struct dns_reply said;
	enum dns_status got = hosts_ask(domain, ns_t_mx, 0, s->command, &said);

	if (got == DNS_OK && hosts_null_mx(&said))
		return refuse_null_mx(s, subject, domain);
	if (got == DNS_NXDOMAIN || got == DNS_NODATA)
		got = ask_any(s, domain, addresses, COUNT(addresses), &said);
	switch (got) {
	case DNS_OK:
		return DUNNO;
	case DNS_TEMPFAIL:
		return refuse_uncertain(s, s->p->unknown_address_tempfail_action, 450,
			dsn, subject, STR("Domain not found"));
	default:
		return refuse_subject(s, s->p->unknown_address_reject_code, dsn, subject,
			STR("Domain not found"));
	}
}

enum decision
reject_unknown_domain(struct session *s, const struct check *c)
{
	struct str address = subject_name(s, c->row->subject);
	struct route_class class;
	struct why why;

	if (address.len == 0)
		return DUNNO;
	switch (route_classify(s->site->route, address, s->command, &class, &why)) {
	case TEMPFAIL:
		return refuse_lookup(s, address);
	case PERMFAIL:
		return DUNNO;
	case ACCEPT:
		break;
	}
	/* Domains that end here need no DNS. */
	if (class.domain.len == 0 || class.domain.data[0] == '[' ||
		(class.class != CLASS_DEFAULT && class.class != CLASS_RELAY))
		return DUNNO;
	return check_mail_domain(s, c->row->subject, class.domain);
}

/* ---- check_*_{a,mx,ns}_access ---- */

struct servers {
	struct session *s;
	const struct check *check;
	enum subject subject;
	bool found;
};

static enum decision
check_addresses_of(struct servers *v, struct str host)
{
	static const uint16_t types[] = { ns_t_a, ns_t_aaaa };
	enum decision decision = DUNNO;
	struct dns_reply said;

	if (str_ends(host, STR("."))) /* resolver(3) takes it */
		host.len--;
	for (size_t t = 0; t < COUNT(types); t++) {
		if (hosts_ask(host, types[t], DNS_HOSTS, v->s->command, &said) != DNS_OK)
			continue;
		for (size_t i = 0; i < said.n_records && i < SERVERS_MOST; i++) {
			if (said.records[i].type != types[t])
				continue;
			decision = access_address(v->s, v->check, v->subject,
				said.records[i].data, &v->found);
			if (v->found || decision != DUNNO)
				return decision;
		}
	}
	return decision;
}

/* A server's name first, then its addresses. */
static enum decision
check_server(struct servers *v, struct str host)
{
	struct net_addr numeric;
	enum decision decision = DUNNO;

	if (net_addr_parse(host, 0, &numeric) == 0)
		return access_address(v->s, v->check, v->subject, host, &v->found);
	if (v->check->row->servers != ns_t_a)
		decision = access_domain(v->s, v->check, v->subject, host, &v->found);
	if (v->found || decision != DUNNO)
		return decision;
	return check_addresses_of(v, host);
}

/* The servers of a domain: its mail exchangers, or itself where it has none; the name
 * servers of the zone that it is in. */
static bool
find_servers(struct session *s, uint16_t type, struct str domain, struct dns_reply *said)
{
	enum dns_status got = hosts_ask(domain, type, 0, s->command, said);
	struct dns_rr *self;
	ssize_t dot;

	if (got == DNS_OK)
		return type != ns_t_mx || !hosts_null_mx(said);
	if (got != DNS_TEMPFAIL && type == ns_t_mx) {
		self = arena_alloc(s->command, sizeof(*self));
		*self = (struct dns_rr){ .type = ns_t_mx, .data = domain };
		*said = (struct dns_reply){ .records = self, .n_records = 1 };
		return true;
	}
	while (got != DNS_OK && got != DNS_TEMPFAIL &&
		(dot = str_chr(domain, '.')) >= 0 && (size_t)dot + 1 < domain.len) {
		domain = str_from(domain, (size_t)dot + 1);
		got = hosts_ask(domain, type, 0, s->command, said);
	}
	if (got != DNS_OK)
		log_warn("Unable to look up %s host for %.*s: %.*s",
			type == ns_t_mx ? "MX" : "NS", STR_ARG(domain),
			STR_ARG(said->reason.len ? said->reason : STR("Host not found")));
	return got == DNS_OK;
}

static enum decision
check_servers_of(struct servers *v, struct str domain)
{
	uint16_t type = v->check->row->servers;
	enum decision decision = DUNNO;
	struct dns_reply said;

	if (type == ns_t_a)
		return check_server(v, domain);
	if (!find_servers(v->s, type, domain, &said))
		return DUNNO;
	for (size_t i = 0; i < said.n_records && i < SERVERS_MOST; i++) {
		if (said.records[i].type != type)
			continue;
		decision = check_server(v, said.records[i].data);
		if (v->found || decision != DUNNO)
			break;
	}
	return decision;
}

/* What the restriction is about: a host's name, or the domain of an address. */
static struct str
domain_of(const struct session *s, enum subject subject)
{
	struct str name = subject == SUBJECT_CLIENT ? s->name : subject_name(s, subject);
	struct str local, domain = name;

	if (subject == SUBJECT_SENDER || subject == SUBJECT_RECIPIENT)
		address_split(name, &local, &domain);
	else if (str_is(name, "unknown"))
		return STR_NONE;
	return domain;
}

static struct str
without_brackets(struct str literal)
{
	if (literal.len && literal.data[0] == '[')
		literal = str_from(literal, 1);
	if (literal.len && literal.data[literal.len - 1] == ']')
		literal.len--;
	if (str_case_starts(literal, STR("IPv6:")))
		literal = str_from(literal, 5);
	return literal;
}

enum decision
check_servers(struct session *s, const struct check *c)
{
	struct servers v = { .s = s, .check = c, .subject = c->row->subject };
	struct str domain = domain_of(s, c->row->subject);
	struct net_addr numeric;
	enum decision decision;

	if (!c->table)
		return refuse_for_mistake(s,
			"restriction %s: bad argument \"%.*s\": need maptype:mapname",
			c->row->name, STR_ARG(c->argument));
	if (domain.len == 0)
		return DUNNO;
	if (domain.data[0] == '[' && c->row->servers == ns_t_ns)
		return DUNNO; /* an address has no zone */
	if (domain.data[0] == '[' || net_addr_parse(domain, 0, &numeric) == 0)
		decision = access_address(
			s, c, v.subject, without_brackets(domain), &v.found);
	else
		decision = check_servers_of(&v, domain);
	/* Who owns a domain chooses its servers. */
	return access_forbid_permit(s, c, domain, decision);
}
