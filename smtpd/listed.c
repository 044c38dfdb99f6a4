/* listed.c -- is this an address that we know (smtpd_reject_unlisted_recipient)? Mail for
 * one that nobody has is best refused while the sender is still there to hear it. */
#include "session.h"
#include "srs.h"
#include <string.h>

/* One row for each class whose recipients can be listed. */
static const struct {
	enum address_class class;
	size_t maps; /* in struct site; 0: every known address is an alias */
	const char *table;
	size_t code; /* in struct params */
} classes[] = {
	{ CLASS_LOCAL, offsetof(struct site, local_recipients), "local recipient table",
		offsetof(struct params, unknown_local_recipient_reject_code) },
	{ CLASS_VIRTUAL_ALIAS, 0, "virtual alias table",
		offsetof(struct params, unknown_virtual_alias_reject_code) },
	{ CLASS_VIRTUAL_MAILBOX, offsetof(struct site, virtual_mailboxes),
		"virtual mailbox table",
		offsetof(struct params, unknown_virtual_mailbox_reject_code) },
	{ CLASS_RELAY, offsetof(struct site, relay_recipients), "relay recipient table",
		offsetof(struct params, unknown_relay_recipient_reject_code) },
};

/* Names that the mail system itself answers for in the local domains. */
static bool
is_own_name(const struct session *s, const struct route_class *class)
{
	return str_case_is(class->local, "postmaster") ||
	       str_case_is(class->local, "mailer-daemon") ||
	       str_case_eq(class->local, s->p->double_bounce_sender);
}

/* Asks one table in the order of contract 5.2. */
static enum dict_result
find(struct session *s, struct maps *maps, const struct route_class *class,
	bool bare_user)
{
	struct str value, extension;
	struct why why;
	enum dict_result found;

	if (maps_empty(maps))
		return DICT_NOTFOUND;
	found = maps_find_address(maps, class->address, s->p->recipient_delimiter,
		FIND_FULL | FIND_USER | FIND_DOMAIN, bare_user, s->command, &value,
		&extension, &why);
	if (found == DICT_ERROR) {
		log_warn("%s", why.text);
	}
	return found;
}

/* Rewriting may turn the address into another one: those tables count as well. */
static enum dict_result
is_rewritten(struct session *s, const struct route_class *class, bool bare_user,
	enum subject subject)
{
	struct maps *const tables[] = {
		subject == SUBJECT_SENDER ? s->site->sender_canonical
					  : s->site->recipient_canonical,
		s->site->canonical,
		s->site->virtual_alias,
	};

	for (size_t i = 0; i < COUNT(tables); i++) {
		enum dict_result found = find(s, tables[i], class, bare_user);

		if (found != DICT_NOTFOUND)
			return found;
	}
	return DICT_NOTFOUND;
}

/* In the table of its class, where that has one. */
static enum dict_result
is_in_class(struct session *s, const struct route_class *class, bool bare_user)
{
	struct maps *maps;
	size_t row = 0;

	if (class->class == CLASS_LOCAL && is_own_name(s, class))
		return DICT_FOUND;
	while (row < COUNT(classes) && classes[row].class != class->class)
		row++;
	if (row == COUNT(classes)) /* elsewhere: its own server knows */
		return DICT_FOUND;
	if (!classes[row].maps)
		return DICT_NOTFOUND;
	maps = *(struct maps *const *)((const char *)s->site + classes[row].maps);
	/* Nobody says who is there: all are. */
	return maps_empty(maps) ? DICT_FOUND : find(s, maps, class, bare_user);
}

static enum decision
refuse_for_bounce(struct session *s, int code, const char *dsn, enum subject subject,
	struct str text)
{
	enum decision decision = refuse_subject(s, code, dsn, subject, text);

	s->fault = FAULT_BOUNCE;
	return decision;
}

static enum decision
refuse_unlisted(struct session *s, enum address_class class, enum subject subject)
{
	const char *dsn = subject == SUBJECT_SENDER ? "5.1.0" : "5.1.1";
	struct str text = STR("User unknown");
	size_t row = 0;

	while (classes[row].class != class)
		row++;
	if (s->p->show_user_unknown_table_name)
		text = arena_printf(s->command, "User unknown in %s", classes[row].table);
	return refuse_for_bounce(s,
		*(const int *)((const char *)s->p + classes[row].code), dsn, subject,
		text);
}

/* Codes about a recipient that mean something else, or nothing, about a sender. */
static const struct {
	const char *recipient, *sender;
} sender_codes[] = {
	{ ".1.1", ".1.0" },
	{ ".1.2", ".1.8" },
	{ ".1.3", ".1.7" },
	{ ".1.4", ".1.0" },
	{ ".1.5", ".1.0" },
	{ ".1.6", ".1.7" },
};

/* error(8) and retry(8) say why: "5.1.2 domain is closed". */
static enum decision
refuse_routed(struct session *s, bool for_good, struct str reason, enum subject subject)
{
	char dsn[12] = "4.1.1";

	dsn[0] = for_good ? '5' : '4';
	(void)why_code_take(&reason, dsn);
	for (size_t i = 0; subject == SUBJECT_SENDER && i < COUNT(sender_codes); i++)
		if (strcmp(dsn + 1, sender_codes[i].recipient) == 0) {
			memcpy(dsn + 1, sender_codes[i].sender, 4);
			break;
		}
	return refuse_for_bounce(s, for_good ? 550 : 450, dsn, subject, reason);
}

/* DICT_FOUND: it goes to no error, as far as its route tells. *decision: it does. */
static enum dict_result
has_way(struct session *s, const struct route_class *class, enum subject subject,
	enum decision *decision)
{
	struct str other =
		subject == SUBJECT_SENDER ? s->asked_recipient : s->asked_sender;
	struct route_result to;
	struct why why;

	if (class->class == CLASS_VIRTUAL_ALIAS) /* its way is its alias */
		return DICT_FOUND;
	if (route_resolve(s->site->route, ROUTE_FOR_MAIL, other, class->address,
		    s->command, &to, &why) == TEMPFAIL)
		return DICT_ERROR;
	if (!str_is(to.transport, "error") && !str_is(to.transport, "retry"))
		return DICT_FOUND;
	*decision = refuse_routed(s, str_is(to.transport, "error"), to.nexthop, subject);
	return DICT_NOTFOUND;
}

/* An address of ours for somebody else's (SRS): cleanup finds out whose. */
static bool
is_rewritten_sender(const struct session *s, const struct route_class *class)
{
	return s->p->srs_domain.len > 0 && str_case_eq(class->domain, s->p->srs_domain) &&
	       srs_is_local_part(class->local);
}

/* In Postfix's order: an alias, then the route, then the table of the class. */
static enum dict_result
look(struct session *s, const struct route_class *class, enum subject subject,
	enum decision *decision)
{
	struct why why;
	enum dict_result bare =
		route_takes_bare_user(s->site->route, class->domain, &why);
	enum dict_result found;

	if (is_rewritten_sender(s, class))
		return DICT_FOUND;
	if (bare == DICT_ERROR)
		return DICT_ERROR;
	found = is_rewritten(s, class, bare == DICT_FOUND, subject);
	if (found != DICT_NOTFOUND)
		return found;
	found = has_way(s, class, subject, decision);
	if (found != DICT_FOUND)
		return found;
	found = is_in_class(s, class, bare == DICT_FOUND);
	if (found == DICT_NOTFOUND)
		*decision = refuse_unlisted(s, class->class, subject);
	return found;
}

static enum verdict
classify(struct session *s, struct str address, enum subject subject,
	struct route_class *out)
{
	struct why why;

	return subject == SUBJECT_RECIPIENT
		       ? walk_classify(s, out)
		       : route_classify(s->site->route, address, s->command, out, &why);
}

enum decision
check_listed(struct session *s, struct str address, enum subject subject)
{
	enum decision decision = DUNNO;
	struct route_class class;

	switch (classify(s, address, subject, &class)) {
	case PERMFAIL:
		return subject == SUBJECT_SENDER
			       ? refuse(s, 501, "5.1.7", "Bad sender address syntax")
			       : refuse(s, 501, "5.1.3", "Bad recipient address syntax");
	case TEMPFAIL:
		return refuse_lookup(s, address);
	case ACCEPT:
		break;
	}
	return look(s, &class, subject, &decision) == DICT_ERROR
		       ? refuse_lookup(s, address)
		       : decision;
}
