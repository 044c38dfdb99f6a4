/* transfer.c -- one message over a session: MAIL, RCPT, DATA in one write where the
 * server can take that (RFC 2920), then the content. */
#include "smtp.h"
#include "log.h"

/* Commands that may wait for their replies: bounded, so that neither side blocks on
 * writing while the other one does (RFC 2920 section 3.1). */
#define WINDOW 100

enum command {
	SENT_XFORWARD_CLIENT,
	SENT_XFORWARD_SESSION,
	SENT_MAIL,
	SENT_RCPT,
	SENT_DATA
};

struct transfer {
	struct session *s;
	struct attempt *a;
	struct delivery *d;
	const struct conf *c;
	struct {
		enum command command;
		size_t rcpt;
	} sent[WINDOW]; /* whose replies are still to come */
	size_t n_sent, window;
	struct str sender, *addresses; /* of MAIL and RCPT */
	bool *taken, *refused;         /* for each recipient, by this host */
	size_t n_taken;
	bool mail_taken, mail_refused;
	bool go_ahead; /* 354: the server waits for content */
};

static bool
has_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

static struct str
header_of(struct str content)
{
	ssize_t end = str_find(content, STR("\n\n"));

	return end < 0 ? content : str_sub(content, 0, (size_t)end);
}

/* ---- what must hold before anything is sent ---- */

/* Does the message need RFC 6531, rather than merely having been allowed it? */
static bool
needs_smtputf8(const struct delivery *d)
{
	bool needs;

	if (!(d->envelope.flags & ENVELOPE_SMTPUTF8))
		return false;
	needs = has_8bit(d->envelope.sender) || has_8bit(header_of(d->ask.content));
	for (size_t i = 0; i < d->envelope.n_rcpts; i++)
		needs |= has_8bit(d->envelope.rcpts[i].address);
	return needs;
}

/* RFC 1870 section 6.1, RFC 6531 section 3.2. */
static bool
acceptable(struct transfer *t)
{
	struct session *s = t->s;
	struct delivery *d = t->d;

	if (s->size_limit > 0 && d->ask.size > s->size_limit) {
		delivery_all(d, PERMFAIL, "5.3.4", s->namaddrport,
			log_fmt("message size %llu exceeds size limit %llu of server "
				"%.*s",
				(unsigned long long)d->ask.size,
				(unsigned long long)s->size_limit, STR_ARG(s->namaddr)));
		return false;
	}
	if (!edit_envelope(d, &t->sender, t->addresses)) {
		delivery_all(d, TEMPFAIL, "4.3.0", s->namaddrport,
			log_fmt("local data error while talking to %.*s",
				STR_ARG(s->namaddr)));
		return false;
	}
	if (needs_smtputf8(d) && !(s->offers & OFFERS_SMTPUTF8)) {
		delivery_all(d, PERMFAIL, "5.6.7", s->namaddrport,
			log_fmt("SMTPUTF8 is required, but was not offered by host %.*s",
				STR_ARG(s->namaddr)));
		return false;
	}
	return true;
}

/* ---- verdicts ---- */

static void
rcpt_refused(struct transfer *t, size_t i, const struct refusal *r)
{
	t->refused[i] = true;
	if (t->taken[i])
		t->n_taken--;
	t->taken[i] = false;
	if (!delivery_decided(t->d, i))
		attempt_refuse(t->a, i, r);
}

/* What the last reply, or its absence, says about one recipient. */
static void
one_refused(struct transfer *t, size_t i, const char *doing, const char *command)
{
	struct refusal r;
	struct why why;

	session_judge(t->s, t->d);
	session_why(t->s, doing, command, &why);
	session_refusal(t->s, &why, t->d->arena, &r);
	/* RFC 5321 section 4.5.3.1.10: 552 to RCPT may mean too many recipients, which is
	 * never for good; a mailbox that is full (5.2.2) says so. */
	if (t->s->reply.code == 552 && t->n_taken > 0 &&
		(t->s->reply.status[0] == '\0' ||
			str_is(str_c(t->s->reply.status), "5.5.3")))
		r.code[0] = '4';
	rcpt_refused(t, i, &r);
}

/* The same for all whom this host did not refuse yet; `taken`: only for those it had
 * accepted. */
static void
all_refused(struct transfer *t, bool taken, const char *doing, const char *command)
{
	struct refusal r;
	struct why why;

	session_judge(t->s, t->d);
	session_why(t->s, doing, command, &why);
	session_refusal(t->s, &why, t->d->arena, &r);
	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++)
		if (!t->refused[i] && (t->taken[i] || !taken))
			rcpt_refused(t, i, &r);
}

/* ---- the envelope ---- */

static const struct {
	const char *doing, *command;
} words[] = {
	[SENT_XFORWARD_CLIENT] = { "sending XFORWARD name/address",
		"XFORWARD name/address command" },
	[SENT_XFORWARD_SESSION] = { "sending XFORWARD protocol/helo_name",
		"XFORWARD helo/protocol command" },
	[SENT_MAIL] = { "sending MAIL FROM", "MAIL FROM" },
	[SENT_RCPT] = { "sending RCPT TO", "RCPT TO" },
	[SENT_DATA] = { "sending DATA command", "DATA" },
};

static deadline_t
patience_for(const struct conf *c, enum command command)
{
	return deadline_in(command < SENT_MAIL    ? c->p.smtp_xforward_timeout
			   : command == SENT_MAIL ? c->p.smtp_mail_timeout
			   : command == SENT_RCPT ? c->p.smtp_rcpt_timeout
						  : c->p.smtp_data_init_timeout);
}

static void
reply_taken(struct transfer *t, enum command command, size_t rcpt)
{
	int class = t->s->reply.code / 100;
	const char *doing = words[command].doing, *name = words[command].command;

	switch (command) {
	case SENT_XFORWARD_CLIENT:
	case SENT_XFORWARD_SESSION:
		if (class != 2)
			log_warn("host %.*s said: %.*s (in reply to %s)",
				STR_ARG(t->s->namaddrport),
				STR_ARG(buf_str(&t->s->reply.text)), name);
		return;
	case SENT_MAIL:
		t->mail_taken = class == 2;
		t->mail_refused = !t->mail_taken;
		if (t->mail_refused)
			all_refused(t, false, doing, name);
		return;
	case SENT_RCPT:
		if (t->mail_refused)
			return; /* "503 need MAIL first" tells nothing */
		if (class != 2) {
			one_refused(t, rcpt, doing, name);
			return;
		}
		t->taken[rcpt] = true;
		t->n_taken++;
		if (t->d->ask.probe)
			delivery_done(t->d, rcpt, ACCEPT,
				t->s->reply.status[0] ? t->s->reply.status : "2.0.0",
				t->s->namaddrport, buf_str(&t->s->reply.text));
		return;
	case SENT_DATA:
		t->go_ahead = class == 3;
		if (!t->go_ahead && t->n_taken > 0)
			all_refused(t, true, doing, name);
		return;
	}
}

/* All the replies that are still to come. */
static void
replies_read(struct transfer *t)
{
	for (size_t i = 0; i < t->n_sent; i++) {
		enum command command = t->sent[i].command;

		if (session_reply(t->s, patience_for(t->c, command))) {
			reply_taken(t, command, t->sent[i].rcpt);
			continue;
		}
		all_refused(t, false, words[command].doing, NULL);
		break;
	}
	t->n_sent = 0;
}

static void
command_sent(struct transfer *t, enum command command, size_t rcpt)
{
	t->sent[t->n_sent].command = command;
	t->sent[t->n_sent].rcpt = rcpt;
	if (++t->n_sent == t->window)
		replies_read(t);
}

/* True: the server waits for content, for at least one recipient. */
static bool
send_envelope(struct transfer *t)
{
	if (command_xforward_client(t->s, t->d))
		command_sent(t, SENT_XFORWARD_CLIENT, 0);
	if (!t->s->dead && command_xforward_session(t->s, t->d))
		command_sent(t, SENT_XFORWARD_SESSION, 0);
	if (t->s->dead)
		return false;
	command_mail(t->s, t->a, t->sender);
	command_sent(t, SENT_MAIL, 0);
	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++) {
		if (t->mail_refused || t->s->dead)
			break;
		if (delivery_decided(t->d, i))
			continue;
		command_rcpt(t->s, t->d, i, t->addresses[i]);
		command_sent(t, SENT_RCPT, i);
	}
	if (!t->d->ask.probe && !t->s->dead && (t->n_taken > 0 || t->n_sent > 0)) {
		command_send(t->s, "DATA");
		command_sent(t, SENT_DATA, 0);
	}
	replies_read(t);
	return t->go_ahead && t->n_taken > 0 && !t->s->dead;
}

/* ---- the content ---- */

static bool
send_content(struct transfer *t)
{
	struct refusal r;
	struct why why;
	enum conn_result sent = content_send(t->s, t->d, &why);

	if (sent == CONN_OK) {
		if (smtp_faults_wanted)
			transcript_add(&t->s->transcript, WE_SAID, STR("."));
		return true;
	}
	/* Whatever went wrong, no full stop may follow half a message. */
	t->s->dead = true;
	reply_clear(&t->s->reply);
	t->s->reply.lost = sent;
	if (why.code[0] == '\0') {
		all_refused(t, true, "sending message body", NULL);
		return false;
	}
	session_refusal(t->s, &why, t->d->arena, &r);
	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++)
		if (t->taken[i])
			rcpt_refused(t, i, &r);
	return false;
}

/* The server may have the message: it does not go to another one as well, in this
 * attempt. */
static void
answer_lost(struct transfer *t, size_t rcpt)
{
	struct session *s = t->s;
	struct why why;

	session_why(s, "sending end of data -- message may be sent more than once", NULL,
		&why);
	delivery_done(t->d, rcpt, TEMPFAIL, why.code, s->namaddrport, str_c(why.text));
}

static void
rcpt_sent(struct transfer *t, size_t rcpt)
{
	struct session *s = t->s;

	t->d->outcomes[rcpt].relayed = (s->offers & OFFERS_DSN) != 0;
	if (!smtp_lmtp && !t->d->outcomes[rcpt].relayed &&
		(t->d->envelope.rcpts[rcpt].notify & NOTIFY_SUCCESS))
		delivery_remote(t->d, rcpt, s->host, buf_str(&s->reply.text));
	delivery_done(t->d, rcpt, ACCEPT, s->reply.status[0] ? s->reply.status : "2.0.0",
		s->namaddrport, buf_str(&s->reply.text));
}

/* What follows the final dot. */
static void
answer_taken(struct transfer *t, size_t rcpt, bool replied)
{
	if (!replied)
		answer_lost(t, rcpt);
	else if (t->s->reply.code / 100 == 2)
		rcpt_sent(t, rcpt);
	else if (smtp_lmtp)
		one_refused(t, rcpt, "", "end of DATA");
	else
		all_refused(t, true, "", "end of DATA");
}

/* One reply for all whom the server had accepted; in LMTP one for each, in the order of
 * their RCPT commands (RFC 2033 section 4.2). */
static void
read_answers(struct transfer *t)
{
	bool first = true, replied = false;

	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++) {
		if (!t->taken[i])
			continue;
		if (first || smtp_lmtp)
			replied = session_reply(
				t->s, deadline_in(t->c->p.smtp_data_done_timeout));
		first = false;
		answer_taken(t, i, replied);
	}
}

/* ---- all of it ---- */

/* Leaves a session that lives in a state in which the next message can follow. */
static void
end_transaction(struct transfer *t)
{
	struct session *s = t->s;

	if (s->dead || !(t->mail_taken || t->go_ahead))
		return;
	if (t->go_ahead) {
		/* RFC 2920 section 3.1: the server that took none of the recipients waits
		 * for content all the same. In LMTP there is nobody to reply about. */
		command_send(s, ".");
		if (!smtp_lmtp)
			session_reply(s, deadline_in(t->c->p.smtp_data_done_timeout));
		return;
	}
	command_send(s, "RSET");
	session_reply(s, deadline_in(t->c->p.smtp_rset_timeout));
}

void
transfer(struct session *s, struct attempt *a)
{
	struct delivery *d = a->d;
	size_t n = d->envelope.n_rcpts;
	struct transfer t = { .s = s, .a = a, .d = d, .c = a->conf };

	t.window = s->offers & OFFERS_PIPELINING ? WINDOW : 1;
	t.taken = arena_alloc(d->arena, n * sizeof(*t.taken));
	t.addresses = arena_alloc(d->arena, n * sizeof(*t.addresses));
	t.refused = arena_alloc(d->arena, n * sizeof(*t.refused));
	s->uses++;
	d->conn_use = s->uses;
	d->tls = s->tls;
	d->connected_us = time_wall_us();
	if (!acceptable(&t))
		return;
	if (!send_envelope(&t))
		end_transaction(&t);
	else if (send_content(&t))
		read_answers(&t);
}
