/* policy.c -- walks the restriction lists at the stages of a session
 * (SMTPD_ACCESS_README), and refuses. What a single restriction does is in checks.c. */
#include "policy_lists.h"
#include "explain.h"
#include "session.h"
#include "spf_session.h"

#define NESTING_MOST 100 /* restriction classes and access tables that name lists */

/* ---- subjects ---- */

static const char *const classes[] = {
	[SUBJECT_CLIENT] = "Client host",
	[SUBJECT_REVERSE_CLIENT] = "Unverified Client host",
	[SUBJECT_CCERT] = "Client certificate",
	[SUBJECT_LOGIN] = "SASL login name",
	[SUBJECT_HELO] = "Helo command",
	[SUBJECT_SENDER] = "Sender address",
	[SUBJECT_RECIPIENT] = "Recipient address",
	[SUBJECT_DATA] = "Data command",
	[SUBJECT_END_OF_DATA] = "End-of-data",
	[SUBJECT_ETRN] = "Etrn command",
	[SUBJECT_OF_LIST] = "Client host",
};

const char *
subject_class(enum subject subject)
{
	return classes[subject];
}

static struct str
certificate_name(const struct session *s)
{
	const struct tls_info *tls = conn_tls_info(s->conn);

	return tls && tls->peer_certificate ? tls->peer_cn : STR_NONE;
}

struct str
subject_name(const struct session *s, enum subject subject)
{
	switch (subject) {
	case SUBJECT_REVERSE_CLIENT:
		return s->reverse_name;
	case SUBJECT_CCERT:
		return certificate_name(s);
	case SUBJECT_LOGIN:
		return s->sasl_username;
	case SUBJECT_HELO:
		return s->helo;
	case SUBJECT_SENDER:
		return s->asked_sender;
	case SUBJECT_RECIPIENT:
		return s->asked_recipient;
	case SUBJECT_DATA:
		return STR("DATA");
	case SUBJECT_END_OF_DATA:
		return STR("END-OF-MESSAGE");
	case SUBJECT_ETRN:
		return s->asked_site;
	case SUBJECT_CLIENT:
	case SUBJECT_OF_LIST:
		break;
	}
	return s->client;
}

/* Addresses are logged as they would be sent. */
static struct str
logged(struct session *s, struct str address)
{
	return address.data ? address_quote(address, s->command) : STR_NONE;
}

void
policy_log(struct session *s, const char *action, struct str text)
{
	log_line(SMTPD_ACTION, session_queue_id(s), str_c(action), str_c(s->where),
		s->client, text, logged(s, s->asked_sender),
		logged(s, s->asked_recipient), s->protocol, s->helo, s->sasl_method,
		s->sasl_username, s->t.parameters.auth);
}

/* ---- refusing ---- */

/* "5.7.1" takes the class of the code in front of it; so does soft_bounce's 4. */
static struct str
refusal_text(struct session *s, int code, const char *dsn, struct str text)
{
	char class;

	if (s->p->soft_bounce && code >= 500)
		code -= 100;
	class = (char)('0' + code / 100);
	return arena_printf(
		s->command, "%d %c%s %.*s", code, class, dsn + 1, STR_ARG(text));
}

/* A 2xx code in main.cf (unverified_recipient_reject_code) is a warning, too. fault: what
 * the postmaster may hear of; a trouble of ours is none for warn_if_reject. */
static enum decision
refuse_as(struct session *s, unsigned fault, int code, const char *dsn, struct str text)
{
	struct str refusal;

	if ((s->walk.warn_depth && fault == FAULT_POLICY) || code < 400) {
		policy_log(s, "reject_warning", refusal_text(s, code, dsn, text));
		return DUNNO;
	}
	if (s->walk.if_reject.active && code >= 500) {
		code = s->walk.if_reject.code;
		dsn = s->walk.if_reject.dsn;
		text = s->walk.if_reject.text;
		s->walk.if_reject.active = false;
	}
	refusal = refusal_text(s, code, dsn, text);
	s->refusal = refusal;
	s->fault = fault;
	policy_log(s, "reject", refusal);
	return REFUSE;
}

static enum decision
refuse_text(struct session *s, int code, const char *dsn, struct str text)
{
	return refuse_as(s, FAULT_POLICY, code, dsn, text);
}

/* What a printf says, in the memory of the command. */
#define FORMATTED(s, fmt) \
	struct buf text_ CLEANUP(buf_free) = BUF_INIT; \
	struct str text; \
	va_list ap_; \
	va_start(ap_, fmt); \
	buf_vprintf(&text_, fmt, ap_); \
	va_end(ap_); \
	text = arena_str((s)->command, buf_str(&text_))

enum decision
refuse(struct session *s, int code, const char *dsn, const char *fmt, ...)
{
	FORMATTED(s, fmt);
	return refuse_text(s, code, dsn, text);
}

static struct str
subject_text(struct session *s, enum subject subject, struct str text)
{
	struct str name = subject_name(s, subject);

	return arena_printf(s->command, "<%.*s>: %s rejected: %.*s", STR_ARG(name),
		subject_class(subject), STR_ARG(text));
}

enum decision
refuse_subject(struct session *s, int code, const char *dsn, enum subject subject,
	struct str text)
{
	return refuse_text(s, code, dsn, subject_text(s, subject, text));
}

enum decision
refuse_for_mistake(struct session *s, const char *fmt, ...)
{
	FORMATTED(s, fmt);
	log_warn("%.*s", STR_ARG(text));
	return refuse_as(
		s, FAULT_SOFTWARE, 451, "4.3.5", STR("Server configuration error"));
}

enum decision
refuse_lookup(struct session *s, struct str name)
{
	name = address_quote(name, s->command);
	return refuse_as(s, FAULT_DATA, 451, "4.3.0",
		arena_printf(
			s->command, "<%.*s>: Temporary lookup failure", STR_ARG(name)));
}

/* ---- putting it off ---- */

static void
put_off(struct deferral *d, int code, const char *dsn, struct str text)
{
	if (d->active)
		return;
	*d = (struct deferral){ .active = true, .code = code, .text = text };
	memcpy(d->dsn, dsn, MIN(strlen(dsn) + 1, sizeof(d->dsn) - 1));
}

enum decision
defer_if_permit(struct session *s, int code, const char *dsn, const char *fmt, ...)
{
	FORMATTED(s, fmt);
	if (s->walk.warn_depth)
		return refuse_text(s, code, dsn, text);
	put_off(&s->walk.if_permit, code, dsn, text);
	return DUNNO;
}

enum decision
defer_if_reject(struct session *s, int code, const char *dsn, const char *fmt, ...)
{
	FORMATTED(s, fmt);
	put_off(&s->walk.if_reject, code, dsn, text);
	return DUNNO;
}

enum decision
refuse_uncertain(struct session *s, struct str action, int code, const char *dsn,
	enum subject subject, struct str text)
{
	text = subject_text(s, subject, text);
	if (str_case_is(action, "defer"))
		return refuse_text(s, code, dsn, text);
	return defer_if_permit(s, code, dsn, "%.*s", STR_ARG(text));
}

/* ---- permitting ---- */

enum decision
permit_because(
	struct session *s, struct str action, enum subject subject, struct str reason)
{
	struct match_list *wanted = s->site->log_permits;
	struct str name = subject_name(s, subject);
	struct why why;

	if (wanted && match_string(wanted, action, &why) == DICT_FOUND)
		policy_log(s, "permit",
			arena_printf(s->command, "action=%.*s for %s=%.*s %.*s",
				STR_ARG(action), subject_class(subject), STR_ARG(name),
				STR_ARG(reason)));
	return PERMIT;
}

/* ---- walking ---- */

enum verdict
walk_classify(struct session *s, struct route_class *out)
{
	struct why why;

	if (!s->walk.classified) {
		s->walk.class_verdict = route_classify(s->site->route, s->asked_recipient,
			s->command, &s->walk.class, &why);
		s->walk.classified = true;
	}
	*out = s->walk.class;
	return s->walk.class_verdict;
}

static enum decision checks_walk(struct session *s, const struct checks *list);

/* ---- for `postern explain` ---- */

static const char *const decisions[] = {
	[DUNNO] = "goes on", [PERMIT] = "permits", [REFUSE] = "refuses"
};

/* What it would have to ask, and may not. */
static const char *
not_asked(const struct check *c)
{
	unsigned flags = c->row ? c->row->flags : 0;

	if ((flags & (ASKS_DNS | TAKES_LIST) || (c->row && c->row->servers)) &&
		!explain_may(EXPLAIN_DNS))
		return "the DNS is not asked: the mail system does not run";
	if (flags & TAKES_SERVICE && !explain_may(EXPLAIN_POLICY))
		return "the policy server is not asked without --ask";
	if (flags & ASKS_VERIFY && !explain_may(EXPLAIN_VERIFY))
		return "no address is probed without --ask";
	return NULL;
}

/* What came of one item: its decision, or that it put a refusal off. */
static void
explain_check(
	struct session *s, size_t step, enum decision decision, const struct walk *before)
{
	const struct walk *now = &s->walk;

	if (now->if_permit.active && !before->if_permit.active)
		explain_close(step, "defers if others permit", now->if_permit.text);
	else if (now->if_reject.active && !before->if_reject.active)
		explain_close(step, "defers if others refuse", now->if_reject.text);
	else
		explain_close(step, decisions[decision],
			decision == REFUSE ? s->refusal : STR_NONE);
}

static enum decision
check_decide(struct session *s, const struct check *c)
{
	if (c->row)
		return c->row->decide(s, c);
	if (c->nested)
		return checks_walk(s, c->nested);
	return refuse_for_mistake(
		s, "unknown smtpd restriction: \"%.*s\"", STR_ARG(c->name));
}

static enum decision
check_explained(struct session *s, const struct check *c)
{
	const struct walk before = s->walk;
	const char *skipped;
	enum decision decision;
	size_t step;

	step = explain_open("restriction", c->name,
		str_eq(c->argument, c->name) ? STR_NONE : c->argument);
	skipped = not_asked(c);
	if (skipped) {
		explain_close(step, "skipped", str_c(skipped));
		return DUNNO;
	}
	decision = check_decide(s, c);
	explain_check(s, step, decision, &before);
	return decision;
}

/* warn_if_reject is for the next item of its own list, and all that this one stands for.
 */
static enum decision
checks_walk(struct session *s, const struct checks *list)
{
	struct walk *walk = &s->walk;
	const struct checks *outer = walk->checks;
	enum decision decision = DUNNO;

	if (walk->depth >= NESTING_MOST)
		return refuse_for_mistake(s, "restriction classes are nested too deeply");
	walk->depth++;
	for (size_t i = 0; i < list->items.n && decision == DUNNO; i++) {
		const struct check *c = &list->items.items[i];

		if (c->row && c->row->flags & WARNS) {
			if (!walk->warn_depth)
				walk->warn_depth = walk->depth;
			continue;
		}
		walk->checks = list;
		decision = explain_on ? check_explained(s, c) : check_decide(s, c);
		if (walk->warn_depth >= walk->depth)
			walk->warn_depth = 0;
		/* Whatever comes, it will be a deferral. */
		if (walk->if_permit.active && walk->if_reject.active)
			break;
	}
	walk->checks = outer;
	walk->depth--;
	return decision;
}

enum decision
policy_run_names(struct session *s, struct str names, enum subject subject)
{
	struct checks list = { { NULL, 0, 0 } };
	struct strs words = conf_list(names, s->command);
	enum subject before = s->walk.about;
	enum decision decision;

	/* Tables have to be open before the jail: only names that need none can come from
	 * a table. Classes are the way to have others. */
	for (size_t i = 0; i < words.n; i++)
		check_read(s->site->policy, "access table", &words, &i, s->command,
			vec_push(&list.items));
	s->walk.about = subject;
	decision = checks_walk(s, &list);
	s->walk.about = before;
	vec_free(&list.items);
	return decision;
}

static enum decision
list_walk(struct session *s, int which)
{
	const struct checks *list = &s->site->policy->lists[which];
	enum decision decision;
	size_t step;

	if (list->items.n == 0)
		return DUNNO;
	if (s->actions.discard) /* whatever comes is taken, and forgotten */
		return PERMIT;
	step = explain_open("restrictions", str_c(policy_list_names[which]), STR_NONE);
	s->walk.about = policy_list_subjects[which];
	s->walk.warn_depth = 0;
	s->walk.depth = 0;
	decision = checks_walk(s, list);
	explain_close(step, decisions[decision], STR_NONE);
	return decision;
}

/* What would have permitted in an earlier list does not matter in this one. */
static enum decision
fresh_walk(struct session *s, int which)
{
	s->walk.if_reject.active = false;
	return list_walk(s, which);
}

/* defer_if_permit takes effect when nothing else refused. */
static bool
conclude(struct session *s, enum decision decision)
{
	const struct deferral *d = &s->walk.if_permit;

	if (decision == REFUSE)
		return false;
	if (!d->active)
		return true;
	s->walk.warn_depth = 0;
	s->walk.if_reject.active = false;
	return refuse_text(s, d->code, d->dsn, d->text) != REFUSE;
}

static void
begin(struct session *s)
{
	s->walk = (struct walk){ .depth = 0 };
	s->refusal = STR_NONE;
}

/* smtpd_delay_reject = no: what a list would have put off is kept for RCPT. */
static bool
keep_deferral(struct session *s, struct deferral *kept, enum decision decision)
{
	*kept = s->walk.if_permit;
	if (kept->active)
		kept->text = arena_str(s->arena, kept->text);
	return decision != REFUSE;
}

bool
policy_connect(struct session *s)
{
	begin(s);
	return s->p->smtpd_delay_reject ||
	       keep_deferral(s, &s->put_off_client, list_walk(s, LIST_CLIENT));
}

bool
policy_helo(struct session *s, struct str name)
{
	struct str before = s->helo;
	bool ok;

	if (s->p->smtpd_delay_reject)
		return true;
	begin(s);
	s->walk.if_permit = s->put_off_client;
	s->helo = name;
	ok = keep_deferral(s, &s->put_off_helo, list_walk(s, LIST_HELO));
	s->helo = before;
	return ok;
}

/* What smtpd_reject_unlisted_sender and _recipient stand for. */
static enum decision
listed_walk(struct session *s, const char *parameter, struct str address,
	enum subject subject)
{
	size_t step = explain_open("restriction", str_c(parameter), STR_NONE);
	enum decision decision = check_listed(s, address, subject);

	explain_close(
		step, decisions[decision], decision == REFUSE ? s->refusal : STR_NONE);
	return decision;
}

static enum decision
sender_walk(struct session *s)
{
	enum decision decision = fresh_walk(s, LIST_SENDER);

	if (decision != REFUSE && s->p->smtpd_reject_unlisted_sender &&
		s->asked_sender.len && !s->walk.sender_was_listed && !s->actions.discard)
		decision = listed_walk(s, "smtpd_reject_unlisted_sender", s->asked_sender,
			SUBJECT_SENDER);
	return decision;
}

bool
policy_mail(struct session *s, struct str sender)
{
	begin(s);
	s->asked_sender = sender;
	s->walk.if_permit = s->put_off_helo;
	return s->p->smtpd_delay_reject ||
	       keep_deferral(s, &s->put_off_sender, sender_walk(s));
}

/* Relay control and recipient checks, in the order asked for. */
static enum decision
recipient_walk(struct session *s)
{
	bool relay_first = s->p->smtpd_relay_before_recipient_restrictions;
	enum decision decision = fresh_walk(s, relay_first ? LIST_RELAY : LIST_RECIPIENT);

	if (decision != REFUSE)
		decision = list_walk(s, relay_first ? LIST_RECIPIENT : LIST_RELAY);
	return decision;
}

/* What was put off until there is a recipient. */
static enum decision
earlier_walks(struct session *s)
{
	enum decision decision = DUNNO;

	for (int i = LIST_CLIENT; i <= LIST_SENDER && decision != REFUSE; i++)
		decision = i == LIST_SENDER ? sender_walk(s) : fresh_walk(s, i);
	return decision;
}

bool
policy_rcpt(struct session *s, struct str recipient)
{
	enum decision decision = DUNNO;
	bool ok;

	begin(s);
	s->asked_recipient = recipient;
	if (s->p->smtpd_delay_reject)
		decision = earlier_walks(s);
	else
		s->walk.if_permit = s->put_off_sender;
	if (decision != REFUSE)
		decision = recipient_walk(s);
	ok = conclude(s, decision);
	if (ok && s->p->smtpd_reject_unlisted_recipient && s->site->check_recipients &&
		!s->walk.recipient_was_listed && !s->actions.discard)
		ok = listed_walk(s, "smtpd_reject_unlisted_recipient", recipient,
			     SUBJECT_RECIPIENT) != REFUSE;
	ok = ok && spf_enforce(s) != REFUSE;
	s->asked_recipient = STR_NONE;
	return ok;
}

/* With one recipient it is part of what DATA is asked about. */
static bool
content_walk(struct session *s, int which)
{
	bool ok;

	begin(s);
	if (s->t.rcpts.n == 1)
		s->asked_recipient = s->t.rcpts.items[0].address;
	ok = conclude(s, list_walk(s, which));
	s->asked_recipient = STR_NONE;
	return ok;
}

bool
policy_data(struct session *s)
{
	return content_walk(s, LIST_DATA);
}

bool
policy_end_of_data(struct session *s)
{
	return content_walk(s, LIST_END_OF_DATA);
}

bool
policy_etrn(struct session *s, struct str site)
{
	enum decision decision = DUNNO;
	bool ok;

	begin(s);
	s->asked_site = site;
	if (s->p->smtpd_delay_reject) {
		decision = fresh_walk(s, LIST_CLIENT);
		if (decision != REFUSE)
			decision = fresh_walk(s, LIST_HELO);
	}
	if (decision != REFUSE)
		decision = fresh_walk(s, LIST_ETRN);
	ok = conclude(s, decision);
	s->asked_site = STR_NONE;
	return ok;
}

bool
policy_client_is_local(struct session *s)
{
	begin(s);
	return list_walk(s, LIST_LOCAL_CLIENTS) == PERMIT;
}

bool
policy_client_is_signed(struct session *s)
{
	begin(s);
	return list_walk(s, LIST_SIGNED_CLIENTS) == PERMIT;
}
