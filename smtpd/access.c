/* access.c -- access(5) tables: what is asked in which order (contract 5.2), and what the
 * answers mean (contract 7.3). A new action is a row. */
#include "address.h"
#include "session.h"

/* Copies, and headers, of one message: each recipient may want one. */
#define KEPT_MOST 1000

/* One answer of a table, or of a policy server. */
struct answer {
	struct session *s;
	struct str source;
	enum subject subject;
	struct str value; /* the whole */
	struct str text;  /* behind the action's word */
};

static struct str
text_or(struct str text, const char *otherwise)
{
	return text.len ? text : str_c(otherwise);
}

/* ---- what decides ---- */

static enum decision
access_permit(const struct answer *a)
{
	return permit_because(a->s, a->value, a->subject,
		arena_printf(a->s->command, "from %.*s", STR_ARG(a->source)));
}

static enum decision
access_dunno(const struct answer *a)
{
	(void)a;
	return DUNNO;
}

/* RFC 3463 section 3.2: codes X.1.Y are about addresses, and some of them about a
 * sender's or a recipient's only. One table serves several restrictions, so the other's
 * code becomes that of the same meaning, and none where no address is the matter. */
static void
fit_status(enum subject subject, char dsn[12])
{
	static const char of_sender[] = "008700078", of_recipient[] = "012345632";
	char detail = dsn[4];

	if (strncmp(dsn + 1, ".1.", 3) != 0)
		return;
	if (subject != SUBJECT_SENDER && subject != SUBJECT_RECIPIENT)
		dsn[2] = dsn[4] = '0';
	else if (detail < '0' || detail > '8')
		dsn[4] = '0';
	else
		dsn[4] = (subject == SUBJECT_SENDER ? of_sender
						    : of_recipient)[detail - '0'];
	dsn[5] = 0;
}

/* A text may bring an enhanced status of its own. */
static struct str
take_status(
	const struct answer *a, const char *preset, const char *otherwise, char dsn[12])
{
	struct str text = a->text;

	if (why_code_take(&text, dsn))
		fit_status(a->subject, dsn);
	else
		memcpy(dsn, preset, strlen(preset) + 1);
	return text_or(text, otherwise);
}

static enum decision
access_refuse(const struct answer *a, int code, const char *preset)
{
	char dsn[12];
	struct str text = take_status(a, preset, "Access denied", dsn);

	return refuse_subject(a->s, code, dsn, a->subject, text);
}

static enum decision
access_reject(const struct answer *a)
{
	return access_refuse(a, a->s->p->access_map_reject_code, "5.7.1");
}

static enum decision
access_defer(const struct answer *a)
{
	return access_refuse(a, a->s->p->access_map_defer_code, "4.7.1");
}

static enum decision
access_put_off(const struct answer *a, enum decision (*how)(struct session *s, int code,
					       const char *dsn, const char *fmt, ...))
{
	char dsn[12];
	struct str text = take_status(a, "4.7.1", "Service unavailable", dsn);
	struct str name = subject_name(a->s, a->subject);

	return how(a->s, a->s->p->access_map_defer_code, dsn, "<%.*s>: %s rejected: %.*s",
		STR_ARG(name), subject_class(a->subject), STR_ARG(text));
}

static enum decision
access_defer_if_permit(const struct answer *a)
{
	return access_put_off(a, defer_if_permit);
}

static enum decision
access_defer_if_reject(const struct answer *a)
{
	return access_put_off(a, defer_if_reject);
}

/* Nothing is said: for tests of clients. */
static enum decision
access_hang_up(const struct answer *a)
{
	shutdown(a->s->conn->io.fd, SHUT_RDWR);
	a->s->closing = true;
	policy_log(a->s, "hangup",
		arena_printf(a->s->command, "<%.*s>: %s triggers HANGUP action",
			STR_ARG(subject_name(a->s, a->subject)),
			subject_class(a->subject)));
	a->s->refusal = STR("421 4.7.1 Service unavailable");
	return REFUSE;
}

/* ---- what is only noted ---- */

static void
note(const struct answer *a, const char *action, const char *verb, struct str text)
{
	struct str name = subject_name(a->s, a->subject);

	policy_log(a->s, action,
		arena_printf(a->s->command, "<%.*s>: %s %s%.*s", STR_ARG(name),
			subject_class(a->subject), verb, STR_ARG(text)));
}

static enum decision
access_warn(const struct answer *a)
{
	policy_log(a->s, "warn", a->text);
	return DUNNO;
}

static enum decision
access_info(const struct answer *a)
{
	policy_log(a->s, "info", a->text);
	return DUNNO;
}

/* ---- what is done to the message ---- */

/* Can it be? ETRN has no message, and what a client is told before MAIL is about none. */
static bool
has_message(const struct answer *a, const char *action)
{
	if (filter_is_used(a->s) && !str_is(STR("PREPEND"), action)) {
		log_warn(
			"access table %.*s: with smtpd_proxy_filter specified, action %s "
			"is unavailable",
			STR_ARG(a->source), action);
		return false;
	}
	if (a->subject == SUBJECT_ETRN) {
		log_warn("access table %.*s: action %s is unavailable in "
			 "smtpd_etrn_restrictions",
			STR_ARG(a->source), action);
		return false;
	}
	if (a->s->asked_sender.data)
		return true;
	log_warn("access table %.*s: with smtpd_delay_reject=no, action %s is always "
		 "skipped in %s or %s restrictions",
		STR_ARG(a->source), action, subject_class(SUBJECT_HELO),
		subject_class(SUBJECT_CLIENT));
	return false;
}

/* For as long as the transaction. */
static struct str
kept_text(const struct answer *a)
{
	session_begin_mail(a->s);
	return arena_str(a->s->mail, a->text);
}

static enum decision
complain(const struct answer *a, const char *about)
{
	log_warn("access table %.*s entry \"%.*s\" %s", STR_ARG(a->source),
		STR_ARG(subject_name(a->s, a->subject)), about);
	return DUNNO;
}

static bool
is_user_at_domain(struct str text)
{
	struct str local, domain;

	address_split(text, &local, &domain);
	return local.len > 0 && domain.len > 0;
}

static enum decision
access_hold(const struct answer *a)
{
	if (!has_message(a, "HOLD"))
		return DUNNO;
	if (!a->s->actions.hold) /* said once for a message */
		note(a, "hold", "", text_or(a->text, "triggers HOLD action"));
	a->s->actions.hold = true;
	return DUNNO;
}

static enum decision
access_discard(const struct answer *a)
{
	if (!has_message(a, "DISCARD"))
		return DUNNO;
	note(a, "discard", "", text_or(a->text, "triggers DISCARD action"));
	a->s->actions.discard = true;
	return PERMIT;
}

static enum decision
access_filter(const struct answer *a)
{
	if (!has_message(a, "FILTER"))
		return DUNNO;
	if (!a->text.len)
		return complain(a, "has FILTER entry without value");
	if (str_chr(a->text, ':') < 0)
		return complain(a, "requires transport:destination");
	note(a, "filter", "triggers FILTER ", a->text);
	a->s->actions.filter = kept_text(a);
	return DUNNO;
}

static enum decision
access_redirect(const struct answer *a)
{
	if (!has_message(a, "REDIRECT"))
		return DUNNO;
	if (!is_user_at_domain(a->text))
		return complain(a, "requires user@domain target");
	note(a, "redirect", "triggers REDIRECT ", a->text);
	a->s->actions.redirect = kept_text(a);
	return DUNNO;
}

static enum decision
access_bcc(const struct answer *a)
{
	if (!has_message(a, "BCC"))
		return DUNNO;
	if (!is_user_at_domain(a->text))
		return complain(a, "requires user@domain target");
	if (a->s->actions.bcc.n >= KEPT_MOST)
		return complain(a, "is one copy too many");
	note(a, "bcc", "triggers BCC ", a->text);
	*vec_push(&a->s->actions.bcc) = kept_text(a);
	return DUNNO;
}

/* RFC 5322 section 2.2: a name of printable characters, a colon. */
static bool
is_header(struct str text)
{
	ssize_t colon = str_chr(text, ':');

	for (ssize_t i = 0; i < colon; i++)
		if (!ascii_is_print(text.data[i]) || text.data[i] == ' ')
			return false;
	return colon > 0;
}

static enum decision
access_prepend(const struct answer *a)
{
	if (!has_message(a, "PREPEND"))
		return DUNNO;
	if (str_is(STR("END-OF-MESSAGE"), a->s->where)) {
		log_warn("access table %.*s: action PREPEND must be used before "
			 "END-OF-MESSAGE",
			STR_ARG(a->source));
		return DUNNO;
	}
	if (!is_header(a->text))
		return complain(a, "requires header: text");
	if (a->s->actions.prepend.n >= KEPT_MOST)
		return complain(a, "is one header too many");
	*vec_push(&a->s->actions.prepend) = kept_text(a);
	return DUNNO;
}

static const struct {
	const char *word;
	enum decision (*apply)(const struct answer *a);
} actions[] = {
	{ "OK", access_permit },
	{ "RELAY", access_permit },
	{ "PERMIT", access_permit },
	{ "DUNNO", access_dunno },
	{ "REJECT", access_reject },
	{ "DEFER", access_defer },
	{ "DEFER_IF_PERMIT", access_defer_if_permit },
	{ "DEFER_IF_REJECT", access_defer_if_reject },
	{ "HANGUP", access_hang_up },
	{ "WARN", access_warn },
	{ "INFO", access_info },
	{ "HOLD", access_hold },
	{ "DISCARD", access_discard },
	{ "FILTER", access_filter },
	{ "REDIRECT", access_redirect },
	{ "BCC", access_bcc },
	{ "PREPEND", access_prepend },
};

static bool
is_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_digit(s.data[i]))
			return false;
	return s.len > 0;
}

/* "554 5.7.1 text", "450 text" */
static enum decision
access_code(const struct answer *a, struct str word)
{
	int code = (word.data[0] - '0') * 100 + (word.data[1] - '0') * 10 + word.data[2] -
		   '0';

	return access_refuse(a, code, word.data[0] == '4' ? "4.7.1" : "5.7.1");
}

/* Nobody opened a table that only the entry of another one names. */
static enum decision
table_in_table(struct session *s, struct str source, struct str value)
{
	log_warn("access table %.*s has entry with lookup table: %.*s", STR_ARG(source),
		STR_ARG(value));
	log_warn("do not specify lookup tables inside SMTPD access maps");
	return refuse_for_mistake(
		s, "define a restriction class and specify its name instead.");
}

enum decision
access_apply(struct session *s, struct str source, enum subject subject, struct str value)
{
	struct answer a = {
		.s = s, .source = source, .subject = subject, .value = value
	};
	struct str rest = value, word;

	if (!str_token(&rest, " \t", &word))
		return refuse_for_mistake(
			s, "access table %.*s has an empty result", STR_ARG(source));
	a.text = str_trim(rest);
	for (size_t i = 0; i < COUNT(actions); i++)
		if (str_case_is(word, actions[i].word))
			return actions[i].apply(&a);
	if (is_number(word) && a.text.len == 0)
		return access_permit(&a);
	if (is_number(word) && word.len == 3 &&
		(word.data[0] == '4' || word.data[0] == '5'))
		return access_code(&a, word);
	if (str_chr(value, ':') >= 0)
		return table_in_table(s, source, value);
	return policy_run_names(s, value, subject);
}

/* ---- what is asked ---- */

/* Is there an answer; and if so, what it decides. */
static enum decision
decide(struct session *s, const struct check *c, enum subject subject,
	enum dict_result result, struct str value, const struct why *why, bool *found)
{
	*found = result != DICT_NOTFOUND;
	switch (result) {
	case DICT_NOTFOUND:
		return DUNNO;
	case DICT_ERROR:
		log_warn("table %.*s: %s", STR_ARG(c->argument), why->text);
		return access_apply(s, c->argument, subject,
			STR("451 4.3.5 Server configuration error"));
	case DICT_FOUND:
		break;
	}
	return access_apply(s, c->argument, subject, value);
}

enum decision
access_domain(struct session *s, const struct check *c, enum subject subject,
	struct str name, bool *found)
{
	struct str value = STR_NONE;
	struct why why;
	enum dict_result result = maps_find_domain(
		c->table, name, s->site->access_dot_parents, s->command, &value, &why);

	return decide(s, c, subject, result, value, &why, found);
}

/* The address, then its networks: 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8:0:1,
 * 2001:db8:0
 * ... A pattern table is asked for the whole only. */
static enum dict_result
find_address(struct session *s, const struct check *c, struct str key, struct str *value,
	struct why *why)
{
	char separator = str_chr(key, ':') >= 0 ? ':' : '.';

	for (;;) {
		enum dict_result found = maps_find(c->table, key, s->command, value, why);
		ssize_t at;

		if (found != DICT_NOTFOUND || c->table_is_pattern)
			return found;
		at = str_rchr(key, separator);
		if (at <= 0)
			return DICT_NOTFOUND;
		key = str_sub(key, 0, (size_t)at);
		while (key.len && key.data[key.len - 1] == separator) /* "::" */
			key.len--;
	}
}

enum decision
access_address(struct session *s, const struct check *c, enum subject subject,
	struct str address, bool *found)
{
	struct str value = STR_NONE;
	struct why why;
	enum dict_result result = find_address(s, c, address, &value, &why);

	return decide(s, c, subject, result, value, &why, found);
}

enum decision
access_forbid_permit(
	struct session *s, const struct check *c, struct str name, enum decision decision)
{
	if (decision != PERMIT || s->actions.discard)
		return decision;
	log_warn("restriction %s returns OK for %.*s", c->row->name, STR_ARG(name));
	log_warn("this is not allowed for security reasons");
	return refuse_for_mistake(
		s, "use DUNNO instead of OK if you want to make an exception");
}

/* A name, or else the client's address. */
static enum decision
access_host(
	struct session *s, const struct check *c, enum subject subject, struct str name)
{
	bool found;
	enum decision decision = access_domain(s, c, subject, name, &found);

	return found ? decision : access_address(s, c, subject, s->address, &found);
}

/* The address as it would be routed; local users are user@$myorigin. */
static enum decision
access_mailbox(struct session *s, const struct check *c, enum subject subject,
	struct str address)
{
	struct str value = STR_NONE, extension;
	struct route_class class;
	enum dict_result result;
	enum decision decision;
	struct why why;
	bool found;

	switch (route_classify(s->site->route, address, s->command, &class, &why)) {
	case TEMPFAIL:
		return refuse_lookup(s, address);
	case PERMFAIL:
		return DUNNO;
	case ACCEPT:
		break;
	}
	result = maps_find_address(c->table, class.address, s->p->recipient_delimiter,
		FIND_FULL | FIND_BARE_DOMAIN | FIND_USER_AT, false, s->command, &value,
		&extension, &why);
	decision = decide(s, c, subject, result, value, &why, &found);
	/* A route that the sender chose is too suspicious to be let in for its end. */
	if (decision == PERMIT && class.routed && subject == SUBJECT_RECIPIENT &&
		!s->p->allow_untrusted_routing && !s->actions.discard)
		return DUNNO;
	return decision;
}

enum decision
access_key(struct session *s, const struct check *c, enum subject subject, struct str key,
	bool *found)
{
	struct str value = STR_NONE;
	struct why why;
	enum dict_result result = maps_find(c->table, key, s->command, &value, &why);

	return decide(s, c, subject, result, value, &why, found);
}

static enum decision
access_ask(
	struct session *s, const struct check *c, enum subject subject, struct str name)
{
	bool found;

	switch (subject) {
	case SUBJECT_CLIENT:
		return access_host(s, c, subject, s->name);
	case SUBJECT_REVERSE_CLIENT:
		return access_forbid_permit(s, c, name, access_host(s, c, subject, name));
	case SUBJECT_SENDER:
	case SUBJECT_RECIPIENT:
		return name.len ? access_mailbox(s, c, subject, name)
				: access_key(s, c, subject,
					  s->p->smtpd_null_access_lookup_key, &found);
	case SUBJECT_LOGIN:
		return access_key(s, c, subject, name, &found);
	default:
		return access_domain(s, c, subject, name, &found);
	}
}

/* In lists about DATA and its end a table says nothing of what it is asked about. */
static enum decision
refuse_bare(struct session *s, const struct check *c)
{
	return refuse_for_mistake(s,
		"specify one of (check_client_access, "
		"check_reverse_client_hostname_access, check_helo_access, "
		"check_sender_access, check_recipient_access, check_etrn_access) before "
		"%s restriction \"%.*s\"",
		subject_name(s, s->walk.about).data, STR_ARG(c->argument));
}

enum decision
check_access(struct session *s, const struct check *c)
{
	enum subject subject = c->row->subject;
	struct str name;

	if (!c->table)
		return refuse_for_mistake(s,
			"restriction %s: bad argument \"%.*s\": need maptype:mapname",
			c->row->name[0] ? c->row->name : "check_access",
			STR_ARG(c->argument));
	if (subject == SUBJECT_OF_LIST)
		subject = s->walk.about;
	if (subject == SUBJECT_DATA || subject == SUBJECT_END_OF_DATA)
		return refuse_bare(s, c);
	name = subject_name(s, subject);
	return name.data ? access_ask(s, c, subject, name) : DUNNO;
}
