/* milters.c -- the content of a message is told to milters: over smtpd's connections,
 * which come with the message, or, for mail that did not come by SMTP, over our own
 * (non_smtpd_milters), which hear of a client and an envelope first. */
#include "edits.h"
#include "explain.h"
#include "log.h"
#include "service.h"

#define LOCAL_CLIENT "localhost[127.0.0.1]"

static struct milter_list local_list; /* non_smtpd_milters */
static struct milter_macros macros;

void
milters_open_lists(const struct conf *c, struct arena *a)
{
	struct why why;

	if (milter_list_read(c->p.non_smtpd_milters, c, a, &local_list, &why) < 0)
		log_fatal("non_smtpd_milters: %s", why.text);
	milter_macros_read(c, a, &macros);
}

bool
message_has_milters(const struct message *m)
{
	return m->milters.n > 0;
}

/* ---- macros ---- */

/* Of mail that came by SMTP smtpd knows them. */
static struct str
lent_macro(void *arg, struct str name)
{
	const struct message *m = arg;

	for (size_t i = 0; i < m->ask.macro_names.n && i < m->ask.macro_values.n; i++)
		if (str_eq(m->ask.macro_names.items[i], name))
			return m->ask.macro_values.items[i];
	return verify_macro(m, name);
}

static struct str
unless_empty(struct str s)
{
	return s.len > 0 ? s : STR_NONE;
}

static struct str
local_macro(void *arg, struct str name)
{
	const struct message *m = arg;
	const struct envelope *e = &m->envelope;
	const struct params *p = &m->conf->p;
	const struct {
		const char *name;
		struct str value;
	} known[] = {
		{ "_", STR("localhost [127.0.0.1]") },
		{ "auth_authen", unless_empty(e->sasl_username) },
		{ "auth_author", unless_empty(e->sasl_sender) },
		{ "auth_type", unless_empty(e->sasl_method) },
		{ "client_addr", STR("127.0.0.1") },
		{ "client_name", STR("localhost") },
		{ "client_port", STR("0") },
		{ "client_ptr", STR("localhost") },
		{ "client_resolve", STR("OK") },
		{ "daemon_addr", STR("127.0.0.1") },
		{ "daemon_name", p->milter_macro_daemon_name },
		{ "i", str_c(m->queue_id) },
		{ "j", p->myhostname },
		{ "mail_addr", m->milter_sender },
		{ "rcpt_addr", m->milter_rcpt },
		{ "v", p->milter_macro_v },
	};

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_is(name, known[i].name))
			return known[i].value;
	return STR_NONE;
}

/* ---- what they say ---- */

static void
tell(const struct message *m, const char *action, const char *state, struct str text)
{
	const struct envelope *e = &m->envelope;

	log_line(CLEANUP_MILTER, str_c(m->queue_id), str_c(action), str_c(state),
		m->ask.n_milters > 0 ? m->ask.origin : STR(LOCAL_CLIENT), text, e->sender,
		m->milter_rcpt, e->protocol, e->helo);
}

void
message_held_by_milter(struct message *m, struct str reason)
{
	tell(m, "milter-hold", "END-OF-MESSAGE", reason);
	m->envelope.flags |= ENVELOPE_HOLD;
}

/* "550 5.7.1 text": the whole of it is the reply to an SMTP client. */
static void
refuse(struct message *m, const char *state, struct str reply)
{
	bool later = reply.data[0] == '4';
	char code[12] = "5.7.1";
	struct str text = str_from(reply, 4);
	ssize_t lf = str_chr(text, '\n');

	tell(m, "milter-reject", state, text);
	text = lf < 0 ? text : str_sub(text, 0, (size_t)lf);
	if (!why_code_take(&text, code) && later)
		code[0] = '4';
	message_fail(m, later ? TEMPFAIL : PERMFAIL, later ? 451 : 550, code, STR_FMT,
		STR_ARG(text));
	m->verbatim = true;
	m->reply = reply;
}

/* Logs it and does it. */
static void
obey(struct message *m, const char *state, struct milter_verdict v)
{
	switch (v.wish) {
	case MILTER_CONTINUES:
		break;
	case MILTER_HOLDS:
		tell(m, "milter-hold", state, STR("milter triggers HOLD action"));
		m->envelope.flags |= ENVELOPE_HOLD;
		break;
	case MILTER_DISCARDS:
		tell(m, "milter-discard", state, STR("milter triggers DISCARD action"));
		m->discarded = true;
		break;
	case MILTER_SHUTS:
		refuse(m, state, STR("421 4.7.0 Server closing connection"));
		break;
	case MILTER_REFUSES:
		refuse(m, state, v.text);
		break;
	}
}

/* ---- the envelope ---- */

static bool
goes_on(struct message *m, const char *state, struct milter_verdict v)
{
	obey(m, state, v);
	return m->verdict == ACCEPT && !m->discarded;
}

/* One that is refused would not be missed: there is nobody to tell. */
SWITCHES static bool
hear_rcpt(struct message *m, struct str address)
{
	struct str word = address_quote(address, m->arena);
	struct strs words = { &word, 1 };
	struct milter_verdict v;

	m->milter_rcpt = word;
	v = milters_envelope(&m->milters, MILTER_RCPT, &words, false);
	if (goes_on(m, "RCPT", v))
		return true;
	if (v.wish == MILTER_REFUSES && m->verdict != ACCEPT) {
		log_warn("%s: milter configuration error: can't reject recipient in "
			 "non-smtpd(8) submission",
			m->queue_id);
		log_warn("%s: message not accepted, try again later", m->queue_id);
		m->verdict = TEMPFAIL;
		m->why.code[0] = '4';
		m->reply = STR_NONE;
	}
	return false;
}

SWITCHES static void
hear_envelope(struct message *m)
{
	struct milters *all = &m->milters;
	struct str sender = address_quote(m->envelope.sender, m->arena);
	struct strs words = { &sender, 1 };

	milters_open(all, &local_list, service_connect);
	if (!goes_on(m, "CONNECT",
		    milters_connect(all, STR("localhost"), STR("127.0.0.1"), 0)) ||
		!goes_on(m, "HELO", milters_helo(all, STR("localhost"))))
		return;
	m->milter_sender = sender;
	if (!goes_on(m, "MAIL", milters_envelope(all, MILTER_MAIL, &words, false)))
		return;
	for (size_t i = 0; i < m->rcpts.n; i++)
		if (!hear_rcpt(m, m->rcpts.items[i].address))
			return;
	(void)goes_on(m, "DATA", milters_data(all));
}

static void
borrow(struct message *m)
{
	struct ipc_request *rq = m->rq;
	int fds[MILTERS_MOST];
	size_t next = 0, n = m->ask.n_milters;

	for (size_t i = 0; i < n; i++) {
		fds[i] = -1;
		if (!m->ask.milters[i].connected || next > rq->n_more_fds)
			continue;
		fds[i] = fd_take(next == 0 ? &rq->fd : &rq->more_fds[next - 1]);
		next++;
	}
	milters_borrow(&m->milters, m->ask.milters, n, fds);
}

void
milters_hear_envelope(struct message *m)
{
	bool lent = m->ask.n_milters > 0;

	m->milters = (struct milters){ .arena = m->arena,
		.macros = &macros,
		.value = lent ? lent_macro : local_macro,
		.arg = m };
	if (lent && m->rcpts.n > 0)
		m->milter_rcpt = m->rcpts.items[m->rcpts.n - 1].address;
	if (lent && m->ask.n_milters <= MILTERS_MOST)
		borrow(m);
	else if (lent)
		message_fail(m, TEMPFAIL, 451, "4.3.0", "malformed submission");
	else if (m->envelope.flags & ENVELOPE_MILTERS && local_list.n > 0 &&
		 !m->discarded) {
		if (explain_on)
			explain_step("note", STR("non_smtpd_milters"), STR_NONE,
				"are not asked", m->conf->p.non_smtpd_milters);
		else
			hear_envelope(m);
	}
}

/* ---- the content ---- */

SWITCHES static void
inspect(struct message *m, struct edits *e, struct milter *one)
{
	struct milter_message shown;
	struct milter_verdict v;

	m->milter_in_hand = one;
	edits_show(e, &shown);
	edits_mark(e);
	v = milter_tell_message(&m->milters, one, &shown, edits_take, e);
	/* Whoever did not come to an end has changed nothing. */
	if (one->state == MILTER_DONE ||
		(v.wish != MILTER_CONTINUES && v.wish != MILTER_HOLDS))
		edits_undo(e);
	else
		edits_accept(e);
	obey(m, "END-OF-MESSAGE", v);
}

void
milters_inspect(struct message *m)
{
	struct edits e;

	if (!message_has_milters(m) || m->discarded)
		return;
	edits_begin(&e, m);
	for (size_t i = 0; i < m->milters.n && m->verdict == ACCEPT && !m->discarded; i++)
		inspect(m, &e, &m->milters.items[i]);
	if (m->verdict == ACCEPT && !m->discarded)
		edits_apply(&e);
	edits_free(&e);
	if (m->rcpts.n == 0 && m->late_copies.n == 0 && m->verdict == ACCEPT &&
		!m->discarded) {
		log_info("%s: milters have deleted all recipients", m->queue_id);
		m->discarded = true;
	}
}

void
milters_finish(struct message *m, struct submit_reply *say)
{
	char *outcome = arena_alloc(m->arena, m->milters.n + 1);

	if (m->ask.n_milters == 0) {
		milters_close(&m->milters);
		return;
	}
	for (size_t i = 0; i < m->milters.n; i++)
		outcome[i] = (char)milter_outcome(&m->milters.items[i]);
	say->milters = str_of(outcome, m->milters.n);
	milters_give_back(&m->milters);
}
