/* policy.h -- restriction lists (smtpd_*_restrictions): names with arguments, evaluated
 * in order until one decides. A new restriction is a row in checks.c. */
#ifndef POLICY_H
#define POLICY_H

#include "base.h"
#include "conf.h"
#include "dict.h"
#include "route.h"

struct session;
struct policy;
struct check;

enum decision {
	DUNNO,  /* goes on with the next */
	PERMIT, /* ends the list */
	REFUSE, /* s->refusal is the reply, and was logged */
};

/* The subjects of a check, and what its refusals call them. */
enum subject {
	SUBJECT_CLIENT,
	SUBJECT_HELO,
	SUBJECT_SENDER,
	SUBJECT_RECIPIENT,
	SUBJECT_DATA,
	SUBJECT_END_OF_DATA,
	SUBJECT_ETRN,
};

/* Parses every list and opens the tables in them. Fatal when nothing controls relaying.
 */
struct policy *policy_open(const struct conf *conf) MUST_CHECK;
void policy_close(struct policy *p);
bool policy_changed(const struct policy *p);
bool policy_reopen(struct policy *p);

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

/* ---- for checks ---- */

/* Refuses: sets s->refusal to "code dsn text" (the class of dsn follows the code,
 * soft_bounce is applied) and logs it. Within warn_if_reject only warns. */
enum decision refuse(struct session *s, int code, const char *dsn, const char *fmt, ...)
	PRINTF(4, 5);
/* The same as "<name>: Client host rejected: text". */
enum decision refuse_subject(struct session *s, int code, const char *dsn,
	enum subject subject, struct str text);
/* Refuses for a while, with the same text, unless something else refuses for good. */
enum decision defer_unless_refused(
	struct session *s, enum subject subject, struct str text);
/* A mistake in main.cf: warns, and refuses with 451 4.3.5. */
enum decision refuse_for_mistake(struct session *s, const char *fmt, ...) PRINTF(2, 3);
/* "<qid>: action: RCPT from ...: text; from=..." */
void policy_log(struct session *s, const char *action, struct str text);
/* The class of asked_recipient, found once in a walk. */
SWITCHES enum verdict walk_classify(struct session *s, struct route_class *out);
/* What the subject is called: "user@example", "name[address]", "DATA". */
struct str subject_name(const struct session *s, enum subject subject);

/* Evaluates restriction names that an access table gave. */
SWITCHES enum decision policy_run_names(
	struct session *s, struct str names, enum subject subject);

/* One item of a list. */
struct restriction {
	const char *name;
	SWITCHES enum decision (*decide)(struct session *s, const struct check *c);
	enum subject subject; /* of check_*_access and the like */
	unsigned flags;
};
enum {
	TAKES_TABLE = 1,    /* the next word is type:name */
	CONTROLS_RELAY = 2, /* an instance must be in the relay or recipient list */
};
struct check {
	const struct restriction *row; /* NULL: not known, or not honoured yet */
	struct str name;
	struct str argument;
	struct maps *table;
	bool table_is_pattern;
	const struct checks *nested; /* of a restriction class */
	enum subject list;           /* whose list it stands in */
};
struct checks {
	VEC(struct check) items;
};
const struct restriction *restriction_find(struct str name);
/* check_client_access ...: what a bare type:table means in the list of that subject. */
const struct restriction *restriction_access(enum subject subject);
/* What policy.c keeps per list walk; checks set these. */
struct walk {
	enum subject list;
	bool warn_only;        /* warn_if_reject stands in front */
	struct str defer_text; /* of the first defer_if_permit, or none */
	/* What route_classify said about asked_recipient: several checks want to know. */
	bool classified;
	enum verdict class_verdict;
	struct route_class class;
	int depth;
};

/* ---- access.c ---- */
SWITCHES enum decision check_access(struct session *s, const struct check *c);

/* ---- listed.c ---- */
/* Is the address one that we know? DUNNO, or a refusal. */
SWITCHES enum decision check_listed(
	struct session *s, struct str address, enum subject subject);

#endif
