/* policy.h -- restriction lists (smtpd_*_restrictions): names with arguments, evaluated
 * in order until one decides. A new restriction is a row in checks.c. */
#ifndef POLICY_H
#define POLICY_H

#include "base.h"
#include "conf.h"
#include "dict.h"
#include "dnslist.h"
#include "route.h"

struct session;
struct policy;
struct check;
struct checks;

enum decision {
	DUNNO,  /* goes on with the next */
	PERMIT, /* ends the list */
	REFUSE, /* s->refusal is the reply, and was logged */
};

/* The subjects of a check, and what its refusals call them. */
enum subject {
	SUBJECT_CLIENT,
	SUBJECT_REVERSE_CLIENT, /* the name that nothing but its PTR record confirms */
	SUBJECT_CCERT,
	SUBJECT_LOGIN,
	SUBJECT_HELO,
	SUBJECT_SENDER,
	SUBJECT_RECIPIENT,
	SUBJECT_DATA,
	SUBJECT_END_OF_DATA,
	SUBJECT_ETRN,
	SUBJECT_OF_LIST, /* of a row: whatever its list is about */
};

/* Parses every list and opens the tables in them. Fatal when nothing controls relaying.
 */
struct policy *policy_open(const struct conf *conf) MUST_CHECK;
void policy_close(struct policy *p);

/* At the stages of a session. False: send s->refusal. Under smtpd_delay_reject the first
 * three say yes, and policy_rcpt asks everything. */
SWITCHES bool policy_connect(struct session *s);
SWITCHES bool policy_helo(struct session *s, struct str name);
SWITCHES bool policy_mail(struct session *s, struct str sender);
SWITCHES bool policy_rcpt(struct session *s, struct str recipient);
SWITCHES bool policy_data(struct session *s);
SWITCHES bool policy_end_of_data(struct session *s);
/* ETRN asks what RCPT would about client and HELO, too. */
SWITCHES bool policy_etrn(struct session *s, struct str site);

/* local_header_rewrite_clients: are its headers completed as if written here? */
SWITCHES bool policy_client_is_local(struct session *s);
/* dkim_sign_clients: does its mail get DKIM signatures? */
SWITCHES bool policy_client_is_signed(struct session *s);

/* ---- for checks ---- */

/* Refuses: sets s->refusal to "code dsn text" (the class of dsn follows the code,
 * soft_bounce is applied) and logs it. Within warn_if_reject only warns; where an earlier
 * defer_if_reject waits, that is the refusal. */
enum decision refuse(struct session *s, int code, const char *dsn, const char *fmt, ...)
	PRINTF(4, 5);
/* The same as "<name>: Client host rejected: text". */
enum decision refuse_subject(struct session *s, int code, const char *dsn,
	enum subject subject, struct str text);
/* A mistake in main.cf: warns, and refuses with 451 4.3.5. No warn_if_reject makes this
 * or the next harmless. */
enum decision refuse_for_mistake(struct session *s, const char *fmt, ...) PRINTF(2, 3);
/* A table failed: 451 4.3.0 "<name>: Temporary lookup failure". */
enum decision refuse_lookup(struct session *s, struct str name);
/* Refuses for a while, with this text, unless something else refuses for good. Only the
 * first one of a walk counts. */
enum decision defer_if_permit(
	struct session *s, int code, const char *dsn, const char *fmt, ...) PRINTF(4, 5);
/* The same, unless something permits. */
enum decision defer_if_reject(
	struct session *s, int code, const char *dsn, const char *fmt, ...) PRINTF(4, 5);
/* For what cannot be found out at the moment. `action` is the value of a parameter:
 * defer_if_permit, or defer at once. */
enum decision refuse_uncertain(struct session *s, struct str action, int code,
	const char *dsn, enum subject subject, struct str text);
/* Permits, and logs that where smtpd_log_access_permit_actions wants it. `why`: more
 * about it, or none. */
enum decision permit_because(
	struct session *s, struct str action, enum subject subject, struct str why);
/* "<qid>: action: RCPT from ...: text; from=..." */
void policy_log(struct session *s, const char *action, struct str text);
/* The class of asked_recipient, found once in a walk. */
SWITCHES enum verdict walk_classify(struct session *s, struct route_class *out);
/* What the subject is called: "user@example", "name[address]", "DATA". data NULL: the
 * client has not said it yet. */
struct str subject_name(const struct session *s, enum subject subject);
/* "Client host" */
const char *subject_class(enum subject subject);

/* Evaluates restriction names that an access table or policy server gave, as if they
 * stood in the list of that subject. */
SWITCHES enum decision policy_run_names(
	struct session *s, struct str names, enum subject subject);

/* One item of a list. */
struct check;
struct restriction {
	const char *name;
	SWITCHES enum decision (*decide)(struct session *s, const struct check *c);
	enum subject subject;
	unsigned flags;
	/* Asks ahead what decide() will want to know from the DNS; or NULL. */
	void (*ask_ahead)(struct session *s, const struct check *c);
	uint16_t servers; /* of check_*_mx_access and the like: ns_t_mx ... */
};
enum {
	TAKES_TABLE = 1,    /* the next word is type:name */
	CONTROLS_RELAY = 2, /* an instance must be in the relay or recipient list */
	TAKES_LIST = 4,     /* the next word is a DNS list */
	TAKES_NUMBER = 8,
	TAKES_SERVICE = 16, /* the next item is a policy server */
	TAKES_ORDER = 64,   /* and says which fingerprints are keys */
	WARNS = 32,         /* warn_if_reject */
	ASKS_DNS = 64,      /* without it, it says nothing */
	ASKS_VERIFY = 128,
};
enum ccert_print { CCERT_CERTIFICATE, CCERT_KEY };
struct check {
	const struct restriction *row; /* NULL: not known */
	struct str name;
	struct str argument;
	struct maps *table;
	bool table_is_pattern;
	struct dnslist list;            /* domain empty: a bad argument */
	struct policy_service *service; /* NULL: a bad argument */
	int number;                     /* -1: none */
	enum ccert_print prints[2];     /* check_ccert_access: asked for in that order */
	size_t n_prints;
	const struct checks *nested; /* of a restriction class */
};
struct checks {
	VEC(struct check) items;
};
const struct restriction *restriction_find(struct str name);
/* A bare type:table: check_client_access ... as the list is about. */
extern const struct restriction restriction_bare_table;

/* A refusal in waiting. */
struct deferral {
	bool active;
	int code;
	char dsn[12];
	struct str text;
};
/* What policy.c keeps per list walk; checks set these. */
struct walk {
	enum subject about;          /* of the list in hand */
	const struct checks *checks; /* the list in hand */
	int warn_depth;              /* warn_if_reject stands in front, at this depth */
	struct deferral if_permit, if_reject;
	/* What route_classify said about asked_recipient: several checks want to know. */
	bool classified;
	enum verdict class_verdict;
	struct route_class class;
	bool sender_was_listed, recipient_was_listed; /* reject_unlisted_* ran */
	int depth;
};

/* ---- checks.c ---- */
/* Is a recipient known that we do not take mail for from anybody? */
SWITCHES bool recipient_is_refused(struct session *s);

/* ---- access.c ---- */
SWITCHES enum decision check_access(struct session *s, const struct check *c);
/* ccert.c */
SWITCHES enum decision check_ccert_access(struct session *s, const struct check *c);
SWITCHES enum decision permit_tls_clientcerts(struct session *s, const struct check *c);
SWITCHES enum decision permit_tls_all_clientcerts(
	struct session *s, const struct check *c);
/* Asks for a host or domain with its parents, and for an address with its networks; then
 * does what the table says. `found`: it says something. */
SWITCHES enum decision access_domain(struct session *s, const struct check *c,
	enum subject subject, struct str name, bool *found);
/* Exactly this key. */
SWITCHES enum decision access_key(struct session *s, const struct check *c,
	enum subject subject, struct str key, bool *found);
SWITCHES enum decision access_address(struct session *s, const struct check *c,
	enum subject subject, struct str address, bool *found);
/* Of what the client chooses freely no table may say that it is let in: a permission
 * becomes a mistake in the configuration. */
enum decision access_forbid_permit(struct session *s, const struct check *c,
	struct str name, enum decision decision);
/* Does what an access(5) action says; `source` is whose: a table, a policy server. */
SWITCHES enum decision access_apply(
	struct session *s, struct str source, enum subject subject, struct str action);

/* ---- hosts.c: restrictions that ask the DNS about names ---- */
SWITCHES enum decision reject_unknown_client(struct session *s, const struct check *c);
SWITCHES enum decision reject_unknown_reverse(struct session *s, const struct check *c);
SWITCHES enum decision reject_unknown_forward(struct session *s, const struct check *c);
SWITCHES enum decision reject_unknown_helo(struct session *s, const struct check *c);
SWITCHES enum decision reject_unknown_domain(struct session *s, const struct check *c);
/* check_*_{a,mx,ns}_access */
SWITCHES enum decision check_servers(struct session *s, const struct check *c);
SWITCHES enum decision permit_mx_backup(struct session *s, const struct check *c);

/* ---- listings.c: DNS lists ---- */
SWITCHES enum decision reject_listed_client(struct session *s, const struct check *c);
SWITCHES enum decision reject_listed_domain(struct session *s, const struct check *c);
SWITCHES enum decision permit_listed_client(struct session *s, const struct check *c);
SWITCHES enum decision permit_listed_domain(struct session *s, const struct check *c);
void ask_about_client(struct session *s, const struct check *c);
void ask_about_domain(struct session *s, const struct check *c);

/* ---- spf_session.c: may the client send for the sender's domain (RFC 7208)? ---- */
SWITCHES enum decision reject_spf_fail(struct session *s, const struct check *c);
enum decision reject_dmarc_fail(struct session *s, const struct check *c);
SWITCHES enum decision reject_spf_permerror(struct session *s, const struct check *c);

/* ---- delegate.c: policy servers (SMTPD_POLICY_README) ---- */
struct policy_service;
/* "inet:host:port", or that and options: "inet:host:port, timeout=10s". NULL and *why. */
struct policy_service *policy_service_open(
	struct str spec, const struct conf *conf, struct arena *arena, struct why *why);
void policy_service_close(struct policy_service *p);
SWITCHES enum decision check_policy_service(struct session *s, const struct check *c);

/* ---- greylist.c ---- */
SWITCHES enum decision check_greylist(struct session *s, const struct check *c);

/* ---- login.c: who has logged in as whom (RFC 4954) ---- */
SWITCHES enum decision permit_sasl_authenticated(
	struct session *s, const struct check *c);
SWITCHES enum decision check_sasl_access(struct session *s, const struct check *c);
SWITCHES enum decision reject_sender_login_mismatch(
	struct session *s, const struct check *c);
SWITCHES enum decision reject_authenticated_mismatch(
	struct session *s, const struct check *c);
SWITCHES enum decision reject_known_mismatch(struct session *s, const struct check *c);
SWITCHES enum decision reject_unauthenticated_mismatch(
	struct session *s, const struct check *c);

/* ---- verified.c ---- */
SWITCHES enum decision reject_unverified(struct session *s, const struct check *c);

/* ---- listed.c ---- */
/* Is the address one that we know? DUNNO, or a refusal. */
SWITCHES enum decision check_listed(
	struct session *s, struct str address, enum subject subject);

#endif
