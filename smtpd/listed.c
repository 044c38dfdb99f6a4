/* listed.c -- is this an address that we know (smtpd_reject_unlisted_recipient)? Mail for
 * one that nobody has is best refused while the sender is still there to hear it. */
#include "session.h"

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

static enum dict_result
is_listed(struct session *s, const struct route_class *class, size_t row,
	enum subject subject)
{
	enum dict_result bare, found;
	struct maps *maps = NULL;
	struct why why;

	if (class->class == CLASS_LOCAL && is_own_name(s, class))
		return DICT_FOUND;
	if (classes[row].maps) {
		maps = *(struct maps *const *)((const char *)s->site + classes[row].maps);
		if (maps_empty(maps)) /* nobody says who is there: all are */
			return DICT_FOUND;
	}
	bare = route_takes_bare_user(s->site->route, class->domain, &why);
	if (bare == DICT_ERROR)
		return DICT_ERROR;
	found = is_rewritten(s, class, bare == DICT_FOUND, subject);
	if (found == DICT_NOTFOUND && maps)
		found = find(s, maps, class, bare == DICT_FOUND);
	return found;
}

static enum decision
refuse_unlisted(struct session *s, size_t row, enum subject subject)
{
	int code = *(const int *)((const char *)s->p + classes[row].code);
	const char *dsn = subject == SUBJECT_SENDER ? "5.1.0" : "5.1.1";
	struct str text = STR("User unknown");
	enum decision decision;

	if (s->p->show_user_unknown_table_name)
		text = arena_printf(s->command, "User unknown in %s", classes[row].table);
	decision = refuse_subject(s, code, dsn, subject, text);
	s->fault = FAULT_BOUNCE;
	return decision;
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
	struct str quoted;
	struct route_class class;
	size_t row = 0;

	switch (classify(s, address, subject, &class)) {
	case PERMFAIL:
		return subject == SUBJECT_SENDER
			       ? refuse(s, 501, "5.1.7", "Bad sender address syntax")
			       : refuse(s, 501, "5.1.3", "Bad recipient address syntax");
	case TEMPFAIL:
		goto uncertain;
	case ACCEPT:
		break;
	}
	while (row < COUNT(classes) && classes[row].class != class.class)
		row++;
	if (row == COUNT(classes)) /* elsewhere: its own server knows */
		return DUNNO;
	switch (is_listed(s, &class, row, subject)) {
	case DICT_FOUND:
		return DUNNO;
	case DICT_NOTFOUND:
		return refuse_unlisted(s, row, subject);
	case DICT_ERROR:
		break;
	}
uncertain:
	quoted = address_quote(address, s->command);
	return refuse(
		s, 451, "4.3.0", "<%.*s>: Temporary lookup failure", STR_ARG(quoted));
}
