/* checks.c -- the restrictions: one row and one function each (postconf(5), access
 * lists). A check that needs what the client has not said yet passes. */
#include "address.h"
#include "session.h"

static enum decision
permit(struct session *s, const struct check *c)
{
	(void)s, (void)c;
	return PERMIT;
}

static enum decision
reject(struct session *s, const struct check *c)
{
	return refuse_subject(
		s, s->p->reject_code, "5.7.1", c->list, STR("Access denied"));
}

static enum decision
defer(struct session *s, const struct check *c)
{
	return refuse_subject(
		s, s->p->defer_code, "4.7.1", c->list, STR("Try again later"));
}

static enum decision
defer_if_permit(struct session *s, const struct check *c)
{
	return defer_unless_refused(s, c->list, STR("defer_if_permit requested"));
}

static enum decision
permit_mynetworks(struct session *s, const struct check *c)
{
	(void)c;
	return session_client_is_ours(s) == DICT_FOUND ? PERMIT : DUNNO;
}

static enum decision
permit_inet_interfaces(struct session *s, const struct check *c)
{
	(void)c;
	return own_addresses_have(route_own_addresses(s->site->route), &s->peer) ? PERMIT
										 : DUNNO;
}

/* Nobody is authenticated before AUTH exists. */
static enum decision
permit_sasl_authenticated(struct session *s, const struct check *c)
{
	(void)s, (void)c;
	return DUNNO;
}

/* ---- where the recipient is ---- */

enum whereabouts { OURS, STRANGE, UNCERTAIN };

/* Is mail for the recipient accepted from anybody: local, virtual, or a relay domain, and
 * not by a route that the sender chose? */
static enum whereabouts
recipient_whereabouts(struct session *s)
{
	struct route_class class;

	switch (walk_classify(s, &class)) {
	case TEMPFAIL:
		return UNCERTAIN;
	case PERMFAIL:
		return STRANGE;
	case ACCEPT:
		break;
	}
	if (class.routed && !s->p->allow_untrusted_routing)
		return STRANGE;
	return class.class == CLASS_DEFAULT ? STRANGE : OURS;
}

static enum decision
refuse_lookup(struct session *s, struct str address)
{
	return refuse(s, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
		STR_ARG(address_quote(address, s->command)));
}

static enum decision
permit_auth_destination(struct session *s, const struct check *c)
{
	(void)c;
	if (!s->asked_recipient.data)
		return DUNNO;
	switch (recipient_whereabouts(s)) {
	case OURS:
		return PERMIT;
	case UNCERTAIN:
		return refuse_lookup(s, s->asked_recipient);
	case STRANGE:
		break;
	}
	return DUNNO;
}

static enum decision
relay_denied(struct session *s, int code, const char *dsn)
{
	if (!s->asked_recipient.data)
		return DUNNO;
	switch (recipient_whereabouts(s)) {
	case OURS:
		return DUNNO;
	case UNCERTAIN:
		return refuse_lookup(s, s->asked_recipient);
	case STRANGE:
		break;
	}
	return refuse(
		s, code, dsn, "<%.*s>: Relay access denied", STR_ARG(s->asked_recipient));
}

static enum decision
reject_unauth_destination(struct session *s, const struct check *c)
{
	(void)c;
	return relay_denied(s, s->p->relay_domains_reject_code, "5.7.1");
}

static enum decision
defer_unauth_destination(struct session *s, const struct check *c)
{
	(void)c;
	return relay_denied(s, 454, "4.7.1");
}

static enum decision
reject_unlisted(struct session *s, const struct check *c)
{
	struct str address = subject_name(s, c->row->subject);

	return address.len ? check_listed(s, address, c->row->subject) : DUNNO;
}

/* ---- syntax ---- */

static enum decision
reject_unauth_pipelining(struct session *s, const struct check *c)
{
	return s->ill_pipelining ? refuse_subject(s, 503, "5.5.0", c->list,
					   STR("Improper use of SMTP command pipelining"))
				 : DUNNO;
}

static struct str
without_last_dot(struct str name)
{
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	return name;
}

/* Brackets around an address are RFC 5321's form; bare addresses are tolerated here. */
static bool
is_address(struct str name)
{
	struct net_addr addr;

	return address_literal_is_valid(name) || net_addr_parse(name, 0, &addr) == 0;
}

static enum decision
reject_invalid_helo_hostname(struct session *s, const struct check *c)
{
	struct str name = without_last_dot(s->helo);

	(void)c;
	if (!s->helo.data || is_address(name) ||
		address_domain_is_valid(name, ADDRESS_LOOSE))
		return DUNNO;
	if (str_starts(name, STR("[")))
		return refuse_subject(s, s->p->invalid_hostname_reject_code, "5.5.2",
			SUBJECT_HELO, STR("invalid ip address"));
	return refuse_subject(s, s->p->invalid_hostname_reject_code, "5.5.2",
		SUBJECT_HELO, STR("Invalid name"));
}

static enum decision
reject_non_fqdn_helo_hostname(struct session *s, const struct check *c)
{
	struct str name = without_last_dot(s->helo);

	(void)c;
	if (!s->helo.data || address_literal_is_valid(name) ||
		(address_domain_is_valid(name, ADDRESS_LOOSE) &&
			str_chr(name, '.') >= 0 && !is_address(name)))
		return DUNNO;
	return refuse_subject(s, s->p->non_fqdn_reject_code, "5.5.2", SUBJECT_HELO,
		STR("need fully-qualified hostname"));
}

static enum decision
reject_non_fqdn_address(struct session *s, const struct check *c)
{
	struct str address = subject_name(s, c->row->subject), local, domain;

	if (address.len == 0) /* not known yet, or the null sender */
		return DUNNO;
	address_split(address, &local, &domain);
	domain = without_last_dot(domain);
	if (domain.len && (domain.data[0] == '[' || str_chr(domain, '.') >= 0))
		return DUNNO;
	/* Postmaster alone is complete: RFC 5321 section 4.1.1.3. */
	if (!domain.data && str_case_is(local, "postmaster"))
		return DUNNO;
	return refuse_subject(s, s->p->non_fqdn_reject_code, "5.5.2", c->row->subject,
		STR("need fully-qualified address"));
}

/* Rows by name; the old names of Postfix 2.2 still work. */
static const struct restriction rows[] = {
	{ "permit", permit, 0, 0 },
	{ "reject", reject, 0, CONTROLS_RELAY },
	{ "defer", defer, 0, CONTROLS_RELAY },
	{ "defer_if_permit", defer_if_permit, 0, CONTROLS_RELAY },
	{ "permit_mynetworks", permit_mynetworks, 0, 0 },
	{ "permit_inet_interfaces", permit_inet_interfaces, 0, 0 },
	{ "permit_sasl_authenticated", permit_sasl_authenticated, 0, 0 },
	{ "permit_auth_destination", permit_auth_destination, 0, 0 },
	{ "reject_unauth_destination", reject_unauth_destination, 0, CONTROLS_RELAY },
	{ "defer_unauth_destination", defer_unauth_destination, 0, CONTROLS_RELAY },
	{ "reject_unlisted_sender", reject_unlisted, SUBJECT_SENDER, 0 },
	{ "reject_unlisted_recipient", reject_unlisted, SUBJECT_RECIPIENT, 0 },
	{ "check_recipient_maps", reject_unlisted, SUBJECT_RECIPIENT, 0 },
	{ "reject_unauth_pipelining", reject_unauth_pipelining, 0, 0 },
	{ "reject_invalid_helo_hostname", reject_invalid_helo_hostname, 0, 0 },
	{ "reject_invalid_hostname", reject_invalid_helo_hostname, 0, 0 },
	{ "reject_non_fqdn_helo_hostname", reject_non_fqdn_helo_hostname, 0, 0 },
	{ "reject_non_fqdn_hostname", reject_non_fqdn_helo_hostname, 0, 0 },
	{ "reject_non_fqdn_sender", reject_non_fqdn_address, SUBJECT_SENDER, 0 },
	{ "reject_non_fqdn_recipient", reject_non_fqdn_address, SUBJECT_RECIPIENT, 0 },
	{ "check_client_access", check_access, SUBJECT_CLIENT, TAKES_TABLE },
	{ "check_helo_access", check_access, SUBJECT_HELO, TAKES_TABLE },
	{ "check_sender_access", check_access, SUBJECT_SENDER, TAKES_TABLE },
	{ "check_recipient_access", check_access, SUBJECT_RECIPIENT, TAKES_TABLE },
	{ "check_etrn_access", check_access, SUBJECT_ETRN, TAKES_TABLE },
	{ "check_address_map", check_access, SUBJECT_CLIENT, TAKES_TABLE },
};

const struct restriction *
restriction_find(struct str name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_case_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

const struct restriction *
restriction_access(enum subject subject)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].decide == check_access && rows[i].subject == subject)
			return &rows[i];
	return restriction_find(STR("check_client_access"));
}
