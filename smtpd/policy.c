/* policy.c -- reads the restriction lists, and walks them at the stages of a session
 * (SMTPD_ACCESS_README). What a single restriction does is in checks.c. */
#include "policy.h"
#include "session.h"
#include <stdio.h>

#define NESTING_MOST 20 /* restriction classes and access tables that name lists */

enum {
	LIST_CLIENT,
	LIST_HELO,
	LIST_SENDER,
	LIST_RELAY,
	LIST_RECIPIENT,
	LIST_DATA,
	LIST_END_OF_DATA,
	LIST_LOCAL_CLIENTS,
	LISTS
};

/* A name in smtpd_restriction_classes: stands for the list that the parameter of that
 * name holds. */
struct named_list {
	struct str name;
	struct checks checks;
};
struct table {
	struct maps *maps;
};
struct policy {
	const struct conf *conf;
	struct checks lists[LISTS];
	VEC(struct named_list) classes; /* complete before the first list is read */
	VEC(struct table) tables;
	struct arena *arena;
};

static const char *const list_names[LISTS] = {
	[LIST_CLIENT] = "smtpd_client_restrictions",
	[LIST_HELO] = "smtpd_helo_restrictions",
	[LIST_SENDER] = "smtpd_sender_restrictions",
	[LIST_RELAY] = "smtpd_relay_restrictions",
	[LIST_RECIPIENT] = "smtpd_recipient_restrictions",
	[LIST_DATA] = "smtpd_data_restrictions",
	[LIST_END_OF_DATA] = "smtpd_end_of_data_restrictions",
	[LIST_LOCAL_CLIENTS] = "local_header_rewrite_clients",
};
static const enum subject list_subjects[LISTS] = {
	[LIST_CLIENT] = SUBJECT_CLIENT,
	[LIST_HELO] = SUBJECT_HELO,
	[LIST_SENDER] = SUBJECT_SENDER,
	[LIST_RELAY] = SUBJECT_RECIPIENT,
	[LIST_RECIPIENT] = SUBJECT_RECIPIENT,
	[LIST_DATA] = SUBJECT_DATA,
	[LIST_END_OF_DATA] = SUBJECT_END_OF_DATA,
	[LIST_LOCAL_CLIENTS] = SUBJECT_CLIENT,
};

/* ---- reading ---- */

/* Keys of pattern tables are asked for whole only: contract 5.1. */
static bool
is_pattern_type(struct str spec)
{
	size_t n;
	const struct dict_type *types = dict_type_list(&n);

	if (str_starts(spec, STR("proxy:")))
		spec = str_from(spec, 6);
	for (size_t i = 0; i < n; i++) {
		struct str name = str_c(types[i].name);

		if (str_starts(spec, name) && spec.len > name.len &&
			spec.data[name.len] == ':')
			return types[i].pattern;
	}
	return false;
}

static struct maps *
table_open(struct policy *p, const char *parameter, struct str spec)
{
	struct maps *table = maps_open(parameter, spec, DICT_FOLD, p->conf);

	vec_push(&p->tables)->maps = table;
	return table;
}

static bool
is_table(struct str word)
{
	ssize_t colon = str_chr(word, ':');

	return colon > 0 && (size_t)colon + 1 < word.len && word.data[0] != '[';
}

static const struct checks *
class_find(const struct policy *p, struct str name)
{
	for (size_t i = 0; i < p->classes.n; i++)
		if (str_eq(p->classes.items[i].name, name))
			return &p->classes.items[i].checks;
	return NULL;
}

static void
checks_parse(struct policy *p, const char *parameter, struct str value,
	enum subject subject, struct checks *out)
{
	struct strs words = conf_list(value, p->arena);

	for (size_t i = 0; i < words.n; i++) {
		struct check *c = vec_push(&out->items);

		c->name = arena_str(p->arena, words.items[i]);
		c->list = subject;
		c->row = restriction_find(c->name);
		if (c->row && c->row->flags & TAKES_TABLE && i + 1 < words.n)
			c->argument = arena_str(p->arena, words.items[++i]);
		else if (!c->row && (c->nested = class_find(p, c->name)) == NULL &&
			 is_table(c->name)) {
			c->row = restriction_access(subject);
			c->argument = c->name;
		}
		if (c->argument.len && is_table(c->argument)) {
			c->table = table_open(p, parameter, c->argument);
			c->table_is_pattern = is_pattern_type(c->argument);
		}
	}
}

/* All names first: classes may name each other, and an evaluation that goes round in
 * circles ends at NESTING_MOST. */
static void
classes_parse(struct policy *p)
{
	struct strs names = conf_list(p->conf->p.smtpd_restriction_classes, p->arena);

	for (size_t i = 0; i < names.n; i++)
		vec_push(&p->classes)->name = arena_str(p->arena, names.items[i]);
	for (size_t i = 0; i < p->classes.n; i++) {
		struct named_list *class = &p->classes.items[i];
		char *parameter = arena_cstr(p->arena, class->name);

		if (parameter)
			checks_parse(p, parameter, conf_value(p->conf, parameter),
				SUBJECT_RECIPIENT, &class->checks);
	}
}

static bool
controls_relay(const struct checks *list)
{
	for (size_t i = 0; i < list->items.n; i++) {
		const struct check *c = &list->items.items[i];

		if (c->row && c->row->flags & CONTROLS_RELAY)
			return true;
	}
	return false;
}

struct policy *
policy_open(const struct conf *conf)
{
	const struct params *p = &conf->p;
	const struct str values[LISTS] = {
		[LIST_CLIENT] = p->smtpd_client_restrictions,
		[LIST_HELO] = p->smtpd_helo_restrictions,
		[LIST_SENDER] = p->smtpd_sender_restrictions,
		[LIST_RELAY] = p->smtpd_relay_restrictions,
		[LIST_RECIPIENT] = p->smtpd_recipient_restrictions,
		[LIST_DATA] = p->smtpd_data_restrictions,
		[LIST_END_OF_DATA] = p->smtpd_end_of_data_restrictions,
		[LIST_LOCAL_CLIENTS] = p->local_header_rewrite_clients,
	};
	struct policy *policy = mem_alloc(sizeof(*policy));

	policy->conf = conf;
	policy->arena = arena_new();
	classes_parse(policy);
	for (size_t i = 0; i < LISTS; i++)
		checks_parse(policy, list_names[i], values[i], list_subjects[i],
			&policy->lists[i]);
	/* Without one of these we would relay for everybody. */
	if (!controls_relay(&policy->lists[LIST_RELAY]) &&
		!controls_relay(&policy->lists[LIST_RECIPIENT]))
		log_fatal("in parameter smtpd_relay_restrictions or "
			  "smtpd_recipient_restrictions, specify at least one working "
			  "instance "
			  "of: reject_unauth_destination, defer_unauth_destination, "
			  "reject, "
			  "defer, defer_if_permit");
	return policy;
}

void
policy_close(struct policy *p)
{
	for (size_t i = 0; i < LISTS; i++)
		vec_free(&p->lists[i].items);
	for (size_t i = 0; i < p->classes.n; i++)
		vec_free(&p->classes.items[i].checks.items);
	vec_free(&p->classes);
	for (size_t i = 0; i < p->tables.n; i++)
		maps_close(p->tables.items[i].maps);
	vec_free(&p->tables);
	arena_free(p->arena);
	mem_free(p);
}

bool
policy_changed(const struct policy *p)
{
	for (size_t i = 0; i < p->tables.n; i++)
		if (maps_changed(p->tables.items[i].maps))
			return true;
	return false;
}

bool
policy_reopen(struct policy *p)
{
	bool ok = true;

	for (size_t i = 0; i < p->tables.n; i++)
		if (maps_changed(p->tables.items[i].maps))
			ok &= maps_reopen(p->tables.items[i].maps);
	return ok;
}

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
	policy_log(s, "reject", refusal);
	return REFUSE;
}

static struct str
subject_text(struct session *s, enum subject subject, struct str text)
{
	struct str name = subject_name(s, subject);

	if (subject == SUBJECT_SENDER || subject == SUBJECT_RECIPIENT)
		name = logged(s, name);
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
	s->walk.list = list_subjects[which];
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

bool
policy_mail(struct session *s, struct str sender)
{
	enum decision decision;

	begin(s);
	s->asked_sender = sender;
	decision = s->p->smtpd_delay_reject ? DUNNO : list_walk(s, LIST_SENDER);
	if (decision != REFUSE && s->p->smtpd_reject_unlisted_sender && sender.len)
		decision = check_listed(s, sender, SUBJECT_SENDER);
	return conclude(s, decision);
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
			decision = list_walk(s, i);
	if (decision != REFUSE)
		decision = recipient_walk(s);
	if (decision != REFUSE && s->p->smtpd_reject_unlisted_recipient &&
		s->site->check_recipients)
		decision = check_listed(s, recipient, SUBJECT_RECIPIENT);
	ok = conclude(s, decision);
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
policy_client_is_local(struct session *s)
{
	begin(s);
	return list_walk(s, LIST_LOCAL_CLIENTS) == PERMIT;
}
