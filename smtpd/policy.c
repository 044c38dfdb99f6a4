/* policy.c -- walks the restriction lists at the stages of a session
 * (SMTPD_ACCESS_README), and refuses. What a single restriction does is in checks.c. */
#include "policy_lists.h"
#include "session.h"

#define NESTING_MOST 20 /* restriction classes and access tables that name lists */

/* ---- refusing ---- */

static const char *
subject_class(enum subject subject)
{
	static const char *const classes[] = {
		[SUBJECT_CLIENT] = "Client host",
		[SUBJECT_HELO] = "Helo command",
		[SUBJECT_SENDER] = "Sender address",
		[SUBJECT_RECIPIENT] = "Recipient address",
		[SUBJECT_DATA] = "Data command",
		[SUBJECT_END_OF_DATA] = "End-of-data",
		[SUBJECT_ETRN] = "Etrn command",
	};

	return classes[subject];
}

struct str
subject_name(const struct session *s, enum subject subject)
{
	switch (subject) {
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
		logged(s, s->asked_recipient), s->protocol, s->helo, STR_NONE, STR_NONE,
		STR_NONE);
}

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

enum decision
refuse(struct session *s, int code, const char *dsn, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct str refusal;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	refusal = refusal_text(s, code, dsn, buf_str(&text));
	if (s->walk.warn_only) {
		policy_log(s, "reject_warning", refusal);
		return DUNNO;
	}
	s->refusal = refusal;
	s->fault = FAULT_POLICY;
	policy_log(s, "reject", refusal);
	return REFUSE;
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
	return refuse(s, code, dsn, "%.*s", STR_ARG(subject_text(s, subject, text)));
}

enum decision
defer_unless_refused(struct session *s, enum subject subject, struct str text)
{
	if (!s->walk.defer_text.data)
		s->walk.defer_text = subject_text(s, subject, text);
	return DUNNO;
}

enum decision
refuse_for_mistake(struct session *s, const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	log_warn("%.*s", STR_ARG(buf_str(&text)));
	return refuse(s, 451, "4.3.5", "Server configuration error");
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

static enum decision
checks_walk(struct session *s, const struct checks *list)
{
	enum decision decision = DUNNO;

	if (s->walk.depth >= NESTING_MOST)
		return refuse_for_mistake(s, "restriction classes are nested too deeply");
	s->walk.depth++;
	for (size_t i = 0; i < list->items.n && decision == DUNNO; i++) {
		const struct check *c = &list->items.items[i];

		if (str_case_is(c->name, "warn_if_reject")) {
			s->walk.warn_only = true;
			continue;
		}
		if (c->row)
			decision = c->row->decide(s, c);
		else if (c->nested)
			decision = checks_walk(s, c->nested);
		else
			decision = refuse_for_mistake(s,
				"unknown smtpd restriction: \"%.*s\"", STR_ARG(c->name));
		if (s->walk.warn_only && decision == PERMIT)
			decision = DUNNO;
		s->walk.warn_only = false;
	}
	s->walk.depth--;
	return decision;
}

enum decision
policy_run_names(struct session *s, struct str names, enum subject subject)
{
	struct checks list = { { NULL, 0, 0 } };
	struct strs words = conf_list(names, s->command);
	enum decision decision;

	/* Tables have to be open before the jail: only names that need none can come from
	 * a table. Classes are the way to have others. */
	for (size_t i = 0; i < words.n; i++) {
		struct check *c = vec_push(&list.items);

		c->name = words.items[i];
		c->list = subject;
		c->row = restriction_find(c->name);
		if (!c->row)
			c->nested = class_find(s->site->policy, c->name);
	}
	decision = checks_walk(s, &list);
	vec_free(&list.items);
	return decision;
}

static enum decision
list_walk(struct session *s, int which)
{
	const struct checks *list = &s->site->policy->lists[which];

	if (list->items.n == 0)
		return DUNNO;
	s->walk.list = policy_list_subjects[which];
	s->walk.warn_only = false;
	s->walk.depth = 0;
	return checks_walk(s, list);
}

/* defer_if_permit takes effect when nothing else refused. */
static bool
conclude(struct session *s, enum decision decision)
{
	if (decision == REFUSE)
		return false;
	if (!s->walk.defer_text.data)
		return true;
	s->walk.warn_only = false;
	return refuse(s, 450, "4.7.1", "%.*s", STR_ARG(s->walk.defer_text)) != REFUSE;
}

static void
begin(struct session *s)
{
	s->walk = (struct walk){ .defer_text = STR_NONE };
	s->refusal = STR_NONE;
}

bool
policy_connect(struct session *s)
{
	begin(s);
	return s->p->smtpd_delay_reject || conclude(s, list_walk(s, LIST_CLIENT));
}

bool
policy_helo(struct session *s, struct str name)
{
	struct str before = s->helo;
	bool ok;

	if (s->p->smtpd_delay_reject)
		return true;
	begin(s);
	s->helo = name;
	ok = conclude(s, list_walk(s, LIST_HELO));
	s->helo = before;
	return ok;
}

static enum decision
sender_walk(struct session *s)
{
	enum decision decision = list_walk(s, LIST_SENDER);

	if (decision != REFUSE && s->p->smtpd_reject_unlisted_sender &&
		s->asked_sender.len)
		decision = check_listed(s, s->asked_sender, SUBJECT_SENDER);
	return decision;
}

bool
policy_mail(struct session *s, struct str sender)
{
	begin(s);
	s->asked_sender = sender;
	return s->p->smtpd_delay_reject || conclude(s, sender_walk(s));
}

/* Relay control and recipient checks, in the order asked for. */
static enum decision
recipient_walk(struct session *s)
{
	bool relay_first = s->p->smtpd_relay_before_recipient_restrictions;
	enum decision decision = list_walk(s, relay_first ? LIST_RELAY : LIST_RECIPIENT);

	if (decision != REFUSE)
		decision = list_walk(s, relay_first ? LIST_RECIPIENT : LIST_RELAY);
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
		for (int i = LIST_CLIENT; i <= LIST_SENDER && decision != REFUSE; i++)
			decision = i == LIST_SENDER ? sender_walk(s) : list_walk(s, i);
	if (decision != REFUSE)
		decision = recipient_walk(s);
	ok = conclude(s, decision);
	if (ok && s->p->smtpd_reject_unlisted_recipient && s->site->check_recipients)
		ok = check_listed(s, recipient, SUBJECT_RECIPIENT) != REFUSE;
	s->asked_recipient = STR_NONE;
	return ok;
}

/* With one recipient it is part of what DATA is asked about. */
static void
ask_single_recipient(struct session *s)
{
	if (s->t.rcpts.n == 1)
		s->asked_recipient = s->t.rcpts.items[0].address;
}

bool
policy_data(struct session *s)
{
	bool ok;

	begin(s);
	ask_single_recipient(s);
	ok = conclude(s, list_walk(s, LIST_DATA));
	s->asked_recipient = STR_NONE;
	return ok;
}

bool
policy_end_of_data(struct session *s)
{
	bool ok;

	begin(s);
	ask_single_recipient(s);
	ok = conclude(s, list_walk(s, LIST_END_OF_DATA));
	s->asked_recipient = STR_NONE;
	return ok;
}

bool
policy_etrn(struct session *s, struct str site)
{
	enum decision decision = DUNNO;
	bool ok;

	begin(s);
	s->asked_site = site;
	if (s->p->smtpd_delay_reject) {
		decision = list_walk(s, LIST_CLIENT);
		if (decision != REFUSE)
			decision = list_walk(s, LIST_HELO);
	}
	if (decision != REFUSE)
		decision = list_walk(s, LIST_ETRN);
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
