/* milters.c -- smtpd_milters: filters of others that hear of each step of a session. What
 * they say about connect and HELO counts from MAIL on, as with sendmail, unless they want
 * the session to end at once. */
#include "milters.h"
#include "explain.h"
#include "milter.h"
#include "service.h"
#include "session.h"

#define SERVER_CLOSES "421 4.7.0 Server closing connection"

/* ---- whom to ask ---- */

/* A client that nobody can be asked about is put off. */
static void
nobody(struct session *s, const char *text)
{
	struct milters *m = s->milters;

	m->items = arena_alloc(s->arena, sizeof(*m->items));
	m->items[0] = (struct milter){ .state = MILTER_DONE,
		.last = { MILTER_REFUSES, str_c(text) } };
	m->n = 1;
}

/* The milters for this client: smtpd_milter_maps, then smtpd_milters. False: it cannot be
 * found out, which nobody() says. */
SWITCHES static bool
list_for(struct session *s, struct milter_list *list)
{
	struct why why;
	struct str value;

	*list = s->site->milters;
	if (maps_empty(s->site->milter_maps))
		return true;
	switch (maps_find(s->site->milter_maps, s->address, s->arena, &value, &why)) {
	case DICT_NOTFOUND:
		return true;
	case DICT_ERROR:
		log_warn("smtpd_milter_maps: %s", why.text);
		nobody(s, "451 4.3.0 Temporary lookup failure");
		return false;
	case DICT_FOUND:
		break;
	}
	if (str_case_is(str_trim(value), "DISABLE"))
		list->n = 0;
	else if (milter_list_read(value, s->site->conf, s->arena, list, &why) < 0) {
		log_warn("smtpd_milter_maps: %s", why.text);
		nobody(s, "451 4.3.5 Server configuration problem - try again later");
		return false;
	}
	return true;
}

SWITCHES static void
open_all(struct session *s)
{
	struct milter_list list;

	milters_end(s);
	if (!s->site->asks_milters)
		return;
	if (explain_on) {
		explain_step("note", STR("smtpd_milters"), STR_NONE, "are not asked",
			s->p->smtpd_milters);
		return;
	}
	s->milters = arena_alloc(s->arena, sizeof(*s->milters));
	*s->milters = (struct milters){ .arena = s->arena,
		.macros = &s->site->milter_macros,
		.value = milter_macro,
		.arg = s };
	if (list_for(s, &list))
		milters_open(s->milters, &list, service_connect);
	if (s->milters->n == 0)
		s->milters = NULL;
}

/* ---- what they say ---- */

static bool
closes(struct str reply)
{
	return str_starts(reply, STR("421"));
}

/* Logs it and does it; false: s->refusal is the reply. */
static bool
obey(struct session *s, struct milter_verdict v)
{
	struct str text = v.text;

	switch (v.wish) {
	case MILTER_CONTINUES:
		return true;
	case MILTER_HOLDS:
		policy_log(s, "milter-hold", STR("milter triggers HOLD action"));
		s->actions.hold = true;
		return true;
	case MILTER_DISCARDS:
		policy_log(s, "milter-discard", STR("milter triggers DISCARD action"));
		s->actions.discard = true;
		return true;
	case MILTER_SHUTS:
		text = STR(SERVER_CLOSES);
		break;
	case MILTER_REFUSES:
		break;
	}
	s->fault = FAULT_POLICY;
	s->refusal = arena_str(s->command, text);
	policy_log(s, "milter-reject", s->refusal);
	return false;
}

bool
milters_hear_connect(struct session *s)
{
	struct str none = STR_NONE, name = s->name;
	uint64_t port;
	bool known = !str_is(s->address, "unknown");

	open_all(s);
	if (!s->milters)
		return true;
	if (str_to_u64(s->port, &port) < 0)
		port = 0;
	if (known && str_is(name, "unknown"))
		name = arena_printf(s->command, "[" STR_FMT "]", STR_ARG(s->address));
	if (obey(s, milters_connect(
			    s->milters, name, known ? s->address : none, (unsigned)port)))
		return true;
	if (closes(s->refusal)) {
		s->refusal = arena_printf(s->command,
			"421 %.*s Service unavailable - try again later",
			STR_ARG(s->p->myhostname));
		return false;
	}
	/* For a while: that is what MAIL will hear. */
	if (s->refusal.data[0] == '4')
		return true;
	s->refusal = arena_printf(s->command, "554 %.*s ESMTP not accepting connections",
		STR_ARG(s->p->myhostname));
	return false;
}

bool
milters_hear_helo(struct session *s, struct str name)
{
	s->milters_repel = false;
	if (!s->milters || obey(s, milters_helo(s->milters, name)))
		return true;
	s->milters_repel = s->refusal.data[0] == '5';
	return !closes(s->refusal);
}

/* ---- a transaction ---- */

/* A path and the parameters behind it, as words. */
static struct strs
words_of(struct session *s, struct str path, struct str rest)
{
	struct str count = rest, word;
	struct strs words = { NULL, 1 };

	while (str_token(&count, " \t", &word))
		words.n++;
	words.items = arena_alloc(s->command, words.n * sizeof(*words.items));
	words.items[0] = path;
	for (size_t i = 1; str_token(&rest, " \t", &word); i++)
		words.items[i] = word;
	return words;
}

/* What is thrown away they need not judge. */
static bool
hear_mail(const struct session *s)
{
	return s->milters && !s->actions.discard;
}

bool
milters_hear_mail(struct session *s, struct str path, struct str rest)
{
	struct strs words;

	if (!hear_mail(s))
		return true;
	words = words_of(s, path, rest);
	s->milters_in_mail = true;
	return obey(s, milters_envelope(s->milters, MILTER_MAIL, &words, false));
}

bool
milters_hear_rcpt(
	struct session *s, struct str recipient, struct str path, struct str rest)
{
	struct strs words;
	bool ok;

	if (!hear_mail(s))
		return true;
	words = words_of(s, path, rest);
	s->asked_recipient = recipient;
	ok = obey(s, milters_envelope(s->milters, MILTER_RCPT, &words, false));
	s->asked_recipient = STR_NONE;
	return ok;
}

void
milters_hear_refused(
	struct session *s, struct str recipient, struct str path, struct str rest)
{
	struct strs words;

	if (!hear_mail(s))
		return;
	words = words_of(s, path, rest);
	s->asked_recipient = recipient;
	s->milters_refused = s->refusal;
	(void)milters_envelope(s->milters, MILTER_RCPT, &words, true);
	s->milters_refused = s->asked_recipient = STR_NONE;
}

/* The first recipient stands for all of them. */
bool
milters_hear_data(struct session *s)
{
	bool ok;

	if (!hear_mail(s))
		return true;
	s->asked_recipient = s->t.rcpts.items[0].address;
	ok = obey(s, milters_data(s->milters));
	s->asked_recipient = STR_NONE;
	return ok;
}

bool
milters_hear_unknown(struct session *s, struct str word)
{
	return !s->milters || obey(s, milters_unknown(s->milters, word));
}

void
milters_forget_mail(struct session *s)
{
	if (s->milters && s->milters_in_mail)
		milters_abort(s->milters);
	s->milters_in_mail = false;
}

void
milters_forget_helo(struct session *s)
{
	if (s->milters && s->helo.data)
		milters_abort(s->milters);
}

void
milters_end(struct session *s)
{
	if (s->milters)
		milters_close(s->milters);
	s->milters = NULL;
}

/* ---- the content, which cleanup tells them ---- */

/* The macros that any of them may want with it. */
SWITCHES static void
lend_macros(struct session *s, struct submit_request *ask)
{
	static const enum milter_stage stages[] = { MILTER_EOH, MILTER_EOM };
	const struct milters *m = s->milters;
	VEC(struct str) names = { .n = 0 }, values = { .n = 0 };

	for (size_t i = 0; i <= m->n; i++)
		for (size_t k = 0; k < COUNT(stages); k++) {
			struct strs wanted =
				i < m->n ? m->items[i].options.macros[stages[k]]
					 : m->macros->names[stages[k]];

			for (size_t j = 0; j < wanted.n; j++) {
				struct str name = milter_macro_plain(wanted.items[j]);
				struct str value = milter_macro(s, name);

				if (!value.data)
					continue;
				*vec_push(&names) = name;
				*vec_push(&values) = value;
			}
		}
	ask->macro_names.items =
		arena_alloc(s->mail, (names.n + 1) * sizeof(*names.items));
	ask->macro_values.items =
		arena_alloc(s->mail, (names.n + 1) * sizeof(*names.items));
	for (size_t i = 0; i < names.n; i++) {
		ask->macro_names.items[i] = names.items[i];
		ask->macro_values.items[i] = values.items[i];
	}
	ask->macro_names.n = ask->macro_values.n = names.n;
	vec_free(&names);
	vec_free(&values);
}

size_t
milters_lend(struct session *s, struct submit_request *ask, int *fds)
{
	struct milters *m = s->milters;
	size_t n = 0;

	if (!hear_mail(s))
		return 0;
	ask->milters = arena_alloc(s->mail, m->n * sizeof(*ask->milters));
	ask->n_milters = m->n;
	milters_flush(m);
	for (size_t i = 0; i < m->n; i++) {
		milter_lend(&m->items[i], &ask->milters[i]);
		if (m->items[i].conn)
			fds[n++] = m->items[i].conn->io.fd;
	}
	lend_macros(s, ask);
	s->milters_lent = true;
	return n;
}

void
milters_take_back(struct session *s, const struct submit_reply *said)
{
	struct milters *m = s->milters;

	if (!m || !s->milters_lent)
		return;
	s->milters_lent = false;
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].conn && (!said || said->milters.len != m->n ||
						said->milters.data[i] != 0))
			milter_drop(m, &m->items[i]);
}
