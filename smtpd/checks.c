/* checks.c -- the restrictions: one row for each (postconf(5), access lists), and the
 * simple ones among them. A check that needs what the client has not said yet passes. */
#include "address.h"
#include "explain.h"
#include "session.h"
#include <arpa/nameser.h>

static enum decision
permit(struct session *s, const struct check *c)
{
	return permit_because(s, c->name, s->walk.about, STR_NONE);
}

static enum decision
reject(struct session *s, const struct check *c)
{
	(void)c;
	return refuse_subject(
		s, s->p->reject_code, "5.7.1", s->walk.about, STR("Access denied"));
}

static enum decision
defer(struct session *s, const struct check *c)
{
	(void)c;
	return refuse_subject(
		s, s->p->defer_code, "4.3.2", s->walk.about, STR("Try again later"));
}

static enum decision
put_off_permit(struct session *s, const struct check *c)
{
	struct str name = subject_name(s, s->walk.about);

	(void)c;
	return defer_if_permit(s, 450, "4.7.0",
		"<%.*s>: %s rejected: defer_if_permit requested", STR_ARG(name),
		subject_class(s->walk.about));
}

static enum decision
put_off_reject(struct session *s, const struct check *c)
{
	struct str name = subject_name(s, s->walk.about);

	(void)c;
	return defer_if_reject(s, 450, "4.7.0",
		"<%.*s>: %s rejected: defer_if_reject requested", STR_ARG(name),
		subject_class(s->walk.about));
}

/* policy.c knows it by its flag. */
static enum decision
warn_if_reject(struct session *s, const struct check *c)
{
	(void)s, (void)c;
	return DUNNO;
}

static enum decision
wait_a_while(struct session *s, const struct check *c)
{
	if (c->number < 0)
		return refuse_for_mistake(
			s, "restriction %s must be followed by number", c->row->name);
	if (explain_on) /* nobody waits for whom it holds up */
		return DUNNO;
	/* The replies before do not wait with us. */
	if (conn_flush(s->conn, session_patience(s)) == CONN_OK)
		(void)co_sleep(deadline_in((msec_t)c->number * 1000));
	return DUNNO;
}

/* ---- the client ---- */

static enum decision
permit_mynetworks(struct session *s, const struct check *c)
{
	switch (session_client_is_ours(s)) {
	case DICT_FOUND:
		return permit_because(s, c->name, SUBJECT_CLIENT, STR_NONE);
	case DICT_ERROR:
		return refuse_lookup(s, s->client);
	case DICT_NOTFOUND:
		break;
	}
	return DUNNO;
}

static enum decision
permit_inet_interfaces(struct session *s, const struct check *c)
{
	return own_addresses_have(route_own_addresses(s->site->route), &s->peer)
		       ? permit_because(s, c->name, SUBJECT_CLIENT, STR_NONE)
		       : DUNNO;
}

static enum decision
reject_plaintext_session(struct session *s, const struct check *c)
{
	(void)c;
	return s->conn->tls ? DUNNO
			    : refuse(s, s->p->plaintext_reject_code, "5.7.1",
				      "Session encryption is required");
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

bool
recipient_is_refused(struct session *s)
{
	return s->asked_recipient.data && recipient_whereabouts(s) != OURS;
}

static enum decision
permit_auth_destination(struct session *s, const struct check *c)
{
	if (!s->asked_recipient.data)
		return DUNNO;
	switch (recipient_whereabouts(s)) {
	case OURS:
		return permit_because(s, c->name, SUBJECT_RECIPIENT, STR_NONE);
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

	/* A warning is no check: the one that smtpd_reject_unlisted_* wants is still due.
	 */
	if (address.len && !s->walk.warn_depth) {
		if (c->row->subject == SUBJECT_SENDER)
			s->walk.sender_was_listed = true;
		else
			s->walk.recipient_was_listed = true;
	}
	return address.len ? check_listed(s, address, c->row->subject) : DUNNO;
}

/* ---- syntax ---- */

static enum decision
reject_unauth_pipelining(struct session *s, const struct check *c)
{
	(void)c;
	return s->ill_pipelining ? refuse_subject(s, 503, "5.5.0", s->walk.about,
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

/* What begins with a bracket is an address literal, or nothing. */
static enum decision
check_literal(struct session *s)
{
	return address_literal_is_valid(s->helo)
		       ? DUNNO
		       : refuse_subject(s, s->p->invalid_hostname_reject_code, "5.5.2",
				 SUBJECT_HELO, STR("invalid ip address"));
}

static enum decision
reject_invalid_helo_hostname(struct session *s, const struct check *c)
{
	struct str name = without_last_dot(s->helo);

	(void)c;
	if (!s->helo.data)
		return DUNNO;
	if (str_starts(name, STR("[")))
		return check_literal(s);
	if (is_address(name) || address_domain_is_valid(name, ADDRESS_LOOSE))
		return DUNNO;
	return refuse_subject(s, s->p->invalid_hostname_reject_code, "5.5.2",
		SUBJECT_HELO, STR("Invalid name"));
}

static enum decision
reject_non_fqdn_helo_hostname(struct session *s, const struct check *c)
{
	struct str name = without_last_dot(s->helo);

	(void)c;
	if (!s->helo.data)
		return DUNNO;
	if (str_starts(name, STR("[")))
		return check_literal(s);
	if (address_domain_is_valid(name, ADDRESS_LOOSE) && str_chr(name, '.') >= 0 &&
		!is_address(name))
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

/* The null sender is for notices, which have one recipient. DATA and what follows know
 * how many there are, RCPT how many there were before. */
static enum decision
reject_multi_recipient_bounce(struct session *s, const struct check *c)
{
	bool all_known =
		str_is(STR("DATA"), s->where) || str_is(STR("END-OF-MESSAGE"), s->where);

	(void)c;
	if (!s->asked_sender.data || s->asked_sender.len > 0 ||
		s->t.rcpts.n <= (all_known ? 1 : 0))
		return DUNNO;
	return refuse_subject(s, s->p->multi_recipient_bounce_reject_code, "5.5.3",
		s->walk.about, STR("Multi-recipient bounce"));
}

/* ---- the table ---- */

#define ABOUT(name, decide, subject, flags) \
	{ \
		name, decide, subject, flags, NULL, 0 \
	}
/* postconf(5), local_header_rewrite_clients: the address is asked for, and the result is
 * of no interest. A table that fails has not named the client. */
static enum decision
check_address_map(struct session *s, const struct check *c)
{
	struct str value;
	struct why why;

	if (!c->table)
		return DUNNO;
	switch (maps_find(c->table, s->address, s->command, &value, &why)) {
	case DICT_FOUND:
		return PERMIT;
	case DICT_ERROR:
		log_warn("%s", why.text);
		return DUNNO;
	case DICT_NOTFOUND:
		break;
	}
	return DUNNO;
}

#define SIMPLE(name, decide, flags) ABOUT(name, decide, SUBJECT_OF_LIST, flags)
#define ACCESS(name, subject) \
	ABOUT("check_" name "_access", check_access, subject, TAKES_TABLE)
#define SERVER(name, subject, type) \
	{ \
		name, check_servers, subject, TAKES_TABLE, NULL, type \
	}
#define SERVERS(name, subject) \
	SERVER("check_" name "_a_access", subject, ns_t_a), \
		SERVER("check_" name "_mx_access", subject, ns_t_mx), \
		SERVER("check_" name "_ns_access", subject, ns_t_ns)
#define LISTED(name, decide, subject) \
	{ \
		name, decide, subject, TAKES_LIST, ask_about_domain, 0 \
	}
#define LISTED_CLIENT(name, decide) \
	{ \
		name, decide, SUBJECT_CLIENT, TAKES_LIST, ask_about_client, 0 \
	}

/* Rows by name; the old names of Postfix 2.2 still work. */
static const struct restriction rows[] = {
	SIMPLE("permit", permit, 0),
	SIMPLE("reject", reject, CONTROLS_RELAY),
	SIMPLE("defer", defer, CONTROLS_RELAY),
	SIMPLE("defer_if_permit", put_off_permit, CONTROLS_RELAY),
	SIMPLE("defer_if_reject", put_off_reject, 0),
	SIMPLE("warn_if_reject", warn_if_reject, WARNS),
	SIMPLE("sleep", wait_a_while, TAKES_NUMBER),
	SIMPLE("check_policy_service", check_policy_service, TAKES_SERVICE),
	SIMPLE("check_greylist", check_greylist, 0),
	SIMPLE("reject_unauth_pipelining", reject_unauth_pipelining, 0),
	SIMPLE("reject_plaintext_session", reject_plaintext_session, 0),
	SIMPLE("reject_multi_recipient_bounce", reject_multi_recipient_bounce, 0),

	SIMPLE("permit_mynetworks", permit_mynetworks, 0),
	SIMPLE("permit_inet_interfaces", permit_inet_interfaces, 0),
	SIMPLE("permit_sasl_authenticated", permit_sasl_authenticated, 0),
	SIMPLE("permit_tls_clientcerts", permit_tls_clientcerts, 0),
	SIMPLE("permit_tls_all_clientcerts", permit_tls_all_clientcerts, 0),
	SIMPLE("reject_unknown_client_hostname", reject_unknown_client, ASKS_DNS),
	SIMPLE("reject_unknown_client", reject_unknown_client, ASKS_DNS),
	SIMPLE("reject_unknown_reverse_client_hostname", reject_unknown_reverse,
		ASKS_DNS),
	SIMPLE("reject_unknown_forward_client_hostname", reject_unknown_forward,
		ASKS_DNS),
	ACCESS("client", SUBJECT_CLIENT),
	ABOUT("check_address_map", check_address_map, SUBJECT_CLIENT, TAKES_TABLE),
	ACCESS("reverse_client_hostname", SUBJECT_REVERSE_CLIENT),
	ABOUT("check_ccert_access", check_ccert_access, SUBJECT_CCERT,
		TAKES_TABLE | TAKES_ORDER),
	ABOUT("check_sasl_access", check_sasl_access, SUBJECT_LOGIN, TAKES_TABLE),
	SERVERS("client", SUBJECT_CLIENT),
	SERVERS("reverse_client_hostname", SUBJECT_REVERSE_CLIENT),
	LISTED_CLIENT("reject_rbl_client", reject_listed_client),
	LISTED_CLIENT("reject_rbl", reject_listed_client),
	LISTED_CLIENT("permit_dnswl_client", permit_listed_client),
	LISTED("reject_rhsbl_client", reject_listed_domain, SUBJECT_CLIENT),
	LISTED("permit_rhswl_client", permit_listed_domain, SUBJECT_CLIENT),
	LISTED("reject_rhsbl_reverse_client", reject_listed_domain,
		SUBJECT_REVERSE_CLIENT),

	SIMPLE("reject_invalid_helo_hostname", reject_invalid_helo_hostname, 0),
	SIMPLE("reject_invalid_hostname", reject_invalid_helo_hostname, 0),
	SIMPLE("reject_non_fqdn_helo_hostname", reject_non_fqdn_helo_hostname, 0),
	SIMPLE("reject_non_fqdn_hostname", reject_non_fqdn_helo_hostname, 0),
	SIMPLE("reject_unknown_helo_hostname", reject_unknown_helo, ASKS_DNS),
	SIMPLE("reject_unknown_hostname", reject_unknown_helo, ASKS_DNS),
	ACCESS("helo", SUBJECT_HELO),
	SERVERS("helo", SUBJECT_HELO),
	LISTED("reject_rhsbl_helo", reject_listed_domain, SUBJECT_HELO),

	ABOUT("reject_non_fqdn_sender", reject_non_fqdn_address, SUBJECT_SENDER, 0),
	ABOUT("reject_unknown_sender_domain", reject_unknown_domain, SUBJECT_SENDER,
		ASKS_DNS),
	ABOUT("reject_unknown_address", reject_unknown_domain, SUBJECT_SENDER, ASKS_DNS),
	ABOUT("reject_unlisted_sender", reject_unlisted, SUBJECT_SENDER, 0),
	ABOUT("reject_unverified_sender", reject_unverified, SUBJECT_SENDER, ASKS_VERIFY),
	SIMPLE("reject_spf_fail", reject_spf_fail, ASKS_DNS),
	SIMPLE("reject_spf_permerror", reject_spf_permerror, ASKS_DNS),
	SIMPLE("reject_dmarc_fail", reject_dmarc_fail, 0),
	SIMPLE("reject_sender_login_mismatch", reject_sender_login_mismatch, 0),
	SIMPLE("reject_authenticated_sender_login_mismatch",
		reject_authenticated_mismatch, 0),
	SIMPLE("reject_known_sender_login_mismatch", reject_known_mismatch, 0),
	SIMPLE("reject_unauthenticated_sender_login_mismatch",
		reject_unauthenticated_mismatch, 0),
	ACCESS("sender", SUBJECT_SENDER),
	SERVERS("sender", SUBJECT_SENDER),
	LISTED("reject_rhsbl_sender", reject_listed_domain, SUBJECT_SENDER),

	SIMPLE("permit_auth_destination", permit_auth_destination, 0),
	SIMPLE("permit_mx_backup", permit_mx_backup, ASKS_DNS),
	SIMPLE("reject_unauth_destination", reject_unauth_destination, CONTROLS_RELAY),
	SIMPLE("defer_unauth_destination", defer_unauth_destination, CONTROLS_RELAY),
	ABOUT("reject_non_fqdn_recipient", reject_non_fqdn_address, SUBJECT_RECIPIENT, 0),
	ABOUT("reject_unknown_recipient_domain", reject_unknown_domain, SUBJECT_RECIPIENT,
		ASKS_DNS),
	ABOUT("reject_unlisted_recipient", reject_unlisted, SUBJECT_RECIPIENT, 0),
	ABOUT("check_recipient_maps", reject_unlisted, SUBJECT_RECIPIENT, 0),
	ABOUT("reject_unverified_recipient", reject_unverified, SUBJECT_RECIPIENT,
		ASKS_VERIFY),
	ACCESS("recipient", SUBJECT_RECIPIENT),
	SERVERS("recipient", SUBJECT_RECIPIENT),
	LISTED("reject_rhsbl_recipient", reject_listed_domain, SUBJECT_RECIPIENT),

	ACCESS("etrn", SUBJECT_ETRN),
};

const struct restriction restriction_bare_table = { "", check_access, SUBJECT_OF_LIST,
	TAKES_TABLE, NULL, 0 };

const struct restriction *
restriction_find(struct str name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_case_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}
