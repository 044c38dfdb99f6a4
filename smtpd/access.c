/* access.c -- access(5) tables: what is asked in which order (contract 5.2), and what the
 * answers mean (contract 7.3). A new action is a row. */
#include "session.h"

/* Where in a command a table's answer is applied. */
struct answer {
	struct session *s;
	const struct check *check;
	struct str value; /* the whole answer */
	struct str text;  /* behind the action's word */
};

static struct str
text_or(struct str text, const char *otherwise)
{
	return text.len ? text : str_c(otherwise);
}

static enum decision
access_permit(const struct answer *a)
{
	(void)a;
	return PERMIT;
}

static enum decision
access_dunno(const struct answer *a)
{
	(void)a;
	return DUNNO;
}

static enum decision
access_reject(const struct answer *a)
{
	return refuse_subject(a->s, a->s->p->access_map_reject_code, "5.7.1",
		a->check->row->subject, text_or(a->text, "Access denied"));
}

static enum decision
access_defer(const struct answer *a)
{
	return refuse_subject(a->s, a->s->p->access_map_defer_code, "4.7.1",
		a->check->row->subject, text_or(a->text, "Access denied"));
}

static enum decision
access_defer_if_permit(const struct answer *a)
{
	return defer_unless_refused(
		a->s, a->check->row->subject, text_or(a->text, "Service unavailable"));
}

static enum decision
access_note(const struct answer *a, const char *action)
{
	struct str name = subject_name(a->s, a->check->row->subject);

	policy_log(a->s, action,
		arena_printf(
			a->s->command, "<%.*s>: %.*s", STR_ARG(name), STR_ARG(a->text)));
	return DUNNO;
}

static enum decision
access_warn(const struct answer *a)
{
	return access_note(a, "warn");
}

static enum decision
access_info(const struct answer *a)
{
	return access_note(a, "info");
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
	{ "WARN", access_warn },
	{ "INFO", access_info },
};
/* Words that act on the whole message; a list of restrictions never begins with them. */
static const char *const later_actions[] = { "HOLD", "DISCARD", "FILTER", "REDIRECT",
	"PREPEND", "BCC", "DEFER_IF_REJECT", "HANGUP" };

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
	char dsn[12];
	struct str text = a->text;
	int code = (word.data[0] - '0') * 100 + (word.data[1] - '0') * 10 + word.data[2] -
		   '0';

	if (!why_code_take(&text, dsn))
		memcpy(dsn, word.data[0] == '4' ? "4.7.1" : "5.7.1", 6);
	return refuse_subject(
		a->s, code, dsn, a->check->row->subject, text_or(text, "Access denied"));
}

static enum decision
apply(const struct answer *a)
{
	struct str rest = a->value, word;
	struct answer with_text = *a;

	if (!str_token(&rest, " \t", &word))
		return refuse_for_mistake(a->s, "access table %.*s has an empty result",
			STR_ARG(a->check->argument));
	with_text.text = str_trim(rest);
	for (size_t i = 0; i < COUNT(actions); i++)
		if (str_case_is(word, actions[i].word))
			return actions[i].apply(&with_text);
	for (size_t i = 0; i < COUNT(later_actions); i++)
		if (str_case_is(word, later_actions[i]))
			return refuse_for_mistake(a->s,
				"access table %.*s: action %.*s is not honoured yet",
				STR_ARG(a->check->argument), STR_ARG(word));
	if (is_number(word) && word.len == 3 &&
		(word.data[0] == '4' || word.data[0] == '5'))
		return access_code(&with_text, word);
	if (is_number(word) && with_text.text.len == 0)
		return PERMIT;
	return policy_run_names(a->s, a->value, a->check->row->subject);
}

/* The address, then its networks: 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8:0:1,
 * 2001:db8:0
 * ... A pattern table is asked for the whole only. */
static enum dict_result
find_address(struct session *s, const struct check *c, struct str *value, struct why *why)
{
	struct str key = s->address;
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

static enum dict_result
find(struct session *s, const struct check *c, struct str *value, struct why *why)
{
	enum subject subject = c->row->subject;
	struct str name = subject_name(s, subject), local, domain, extension;
	enum dict_result found;

	if (subject == SUBJECT_CLIENT) {
		found = DICT_NOTFOUND;
		if (!str_is(s->name, "unknown"))
			found = maps_find_domain(c->table, s->name,
				s->site->access_dot_parents, s->command, value, why);
		return found == DICT_NOTFOUND ? find_address(s, c, value, why) : found;
	}
	if (subject == SUBJECT_HELO || subject == SUBJECT_ETRN)
		return maps_find_domain(c->table, name, s->site->access_dot_parents,
			s->command, value, why);
	if (name.len == 0)
		return maps_find(c->table, s->p->smtpd_null_access_lookup_key, s->command,
			value, why);
	address_split(name, &local, &domain);
	if (!domain.data) /* local users are user@$myorigin */
		name = arena_printf(
			s->command, "%.*s@%.*s", STR_ARG(name), STR_ARG(s->p->myorigin));
	return maps_find_address(c->table, name, s->p->recipient_delimiter,
		FIND_FULL | FIND_BARE_DOMAIN | FIND_USER_AT, false, s->command, value,
		&extension, why);
}

enum decision
check_access(struct session *s, const struct check *c)
{
	struct answer answer = { .s = s, .check = c };
	struct why why;

	if (!c->table)
		return refuse_for_mistake(s,
			"restriction %s: \"%.*s\" is not a table, specify "
			"type:name",
			c->row->name, STR_ARG(c->argument));
	if (!subject_name(s, c->row->subject).data)
		return DUNNO;
	switch (find(s, c, &answer.value, &why)) {
	case DICT_NOTFOUND:
		return DUNNO;
	case DICT_ERROR:
		log_warn("table %.*s: %s", STR_ARG(c->argument), why.text);
		return refuse_subject(s, 451, "4.3.5", c->row->subject,
			STR("Server configuration error"));
	case DICT_FOUND:
		break;
	}
	return apply(&answer);
}
