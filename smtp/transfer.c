/* transfer.c -- one message over a session: MAIL, RCPT, DATA in one write where the
 * server can take that (RFC 2920), then the content. */
#include "smtp.h"
#include "log.h"
#include <stdio.h>

struct transfer {
	struct session *s;
	struct delivery *d;
	const struct conf *c;
	bool pipelining;
	bool *taken; /* for each recipient: the server said 2xx */
	size_t n_taken;
	struct why *why; /* why some are undecided */
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
	bool needs = has_8bit(d->envelope.sender) || has_8bit(header_of(d->ask.content));

	if (!(d->envelope.flags & ENVELOPE_SMTPUTF8))
		return false;
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
	if (needs_smtputf8(d) && !(s->offers & OFFERS_SMTPUTF8)) {
		delivery_all(d, PERMFAIL, "5.6.7", s->namaddrport,
			log_fmt("SMTPUTF8 is required, but was not offered by host %.*s",
				STR_ARG(s->namaddr)));
		return false;
	}
	return true;
}

/* ---- commands ---- */

static void
write_xtext(struct conn *conn, const char *keyword, struct str value)
{
	struct buf coded CLEANUP(buf_free) = BUF_INIT;

	xtext_encode(value, &coded);
	conn_printf(conn, " %s=", keyword);
	conn_write(conn, buf_str(&coded));
}

static void
write_mail(struct transfer *t)
{
	const struct envelope *e = &t->d->envelope;
	struct conn *conn = t->s->conn;
	unsigned offers = t->s->offers;

	conn_write(conn, STR("MAIL FROM:<"));
	conn_write(conn, address_quote(e->sender, t->d->arena));
	conn_write(conn, STR(">"));
	if (offers & OFFERS_SIZE)
		conn_printf(conn, " SIZE=%llu", (unsigned long long)t->d->ask.size);
	if ((offers & OFFERS_8BITMIME) && (e->flags & ENVELOPE_8BIT))
		conn_write(conn, STR(" BODY=8BITMIME"));
	if ((offers & OFFERS_SMTPUTF8) && (e->flags & ENVELOPE_SMTPUTF8))
		conn_write(conn, STR(" SMTPUTF8"));
	if ((offers & OFFERS_DSN) && e->ret != RET_NONE)
		conn_printf(conn, " RET=%s", e->ret == RET_FULL ? "FULL" : "HDRS");
	if ((offers & OFFERS_DSN) && e->envid.len > 0)
		write_xtext(conn, "ENVID", e->envid);
	conn_write(conn, STR("\r\n"));
}

static void
write_notify(struct conn *conn, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < COUNT(words); i++)
		if (notify & words[i].bit) {
			conn_printf(conn, "%s%s", before, words[i].word);
			before = ",";
		}
}

/* RFC 3461 section 4.2: "type;address", the address in xtext. */
static void
write_orcpt(struct conn *conn, struct str orcpt)
{
	struct str type, rest = orcpt;

	if (str_split(&rest, ';', &type) && rest.len > 0) {
		struct buf coded CLEANUP(buf_free) = BUF_INIT;

		xtext_encode(rest, &coded);
		conn_printf(conn, " ORCPT=%.*s;", STR_ARG(type));
		conn_write(conn, buf_str(&coded));
	}
}

static void
write_rcpt(struct transfer *t, size_t i)
{
	const struct rcpt *r = &t->d->envelope.rcpts[i];
	struct conn *conn = t->s->conn;

	conn_write(conn, STR("RCPT TO:<"));
	conn_write(conn, address_quote(r->address, t->d->arena));
	conn_write(conn, STR(">"));
	if (t->s->offers & OFFERS_DSN) {
		write_notify(conn, r->notify);
		if (r->orcpt.len > 0)
			write_orcpt(conn, r->orcpt);
	}
	conn_write(conn, STR("\r\n"));
}

/* ---- verdicts ---- */

/* The last reply, or its absence, as the end of one recipient's delivery, or as the
 * reason to try the next host. */
static void
rcpt_refused(struct transfer *t, size_t i, const char *doing, const char *command)
{
	enum verdict v = session_why(t->s, doing, command, t->why);
	struct reply *r = &t->s->reply;

	/* RFC 5321 section 4.5.3.1.10: too many recipients is never for good. */
	if (r->code == 552 && t->n_taken > 0 && str_is(str_c(command), "RCPT TO")) {
		v = TEMPFAIL;
		t->why->code[0] = '4';
	}
	if (delivery_decided(t->d, i))
		return;
	delivery_remote(t->d, i, t->s->host, buf_str(&r->text));
	if (v == PERMFAIL)
		delivery_done(
			t->d, i, v, t->why->code, t->s->namaddrport, str_c(t->why->text));
}

static void
all_refused(struct transfer *t, const char *doing, const char *command)
{
	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++)
		rcpt_refused(t, i, doing, command);
}

/* The same for those the server had taken. */
static void
taken_refused(struct transfer *t, const char *doing, const char *command)
{
	for (size_t i = 0; i < t->d->envelope.n_rcpts; i++)
		if (t->taken[i])
			rcpt_refused(t, i, doing, command);
}

/* ---- the envelope ---- */

static bool
read_mail(struct transfer *t)
{
	if (session_reply(t->s, deadline_in(t->c->p.smtp_mail_timeout)) &&
		t->s->reply.code / 100 == 2)
		return true;
	all_refused(t, "sending MAIL FROM", "MAIL FROM");
	return false;
}

static void
read_rcpt(struct transfer *t, size_t i)
{
	if (session_reply(t->s, deadline_in(t->c->p.smtp_rcpt_timeout)) &&
		t->s->reply.code / 100 == 2) {
		t->taken[i] = true;
		t->n_taken++;
		return;
	}
	rcpt_refused(t, i, "sending RCPT TO", "RCPT TO");
}

static bool
read_data(struct transfer *t)
{
	return session_reply(t->s, deadline_in(t->c->p.smtp_data_init_timeout)) &&
	       t->s->reply.code / 100 == 3;
}

/* The server waits for content that will not come: RFC 2920 section 3.1 says to send
 * none. */
static void
no_content(struct transfer *t)
{
	conn_write(t->s->conn, STR(".\r\n"));
	session_reply(t->s, deadline_in(t->c->p.smtp_data_done_timeout));
}

/* Everything in one write, then all the replies. True: the server waits for content. */
static bool
envelope_pipelined(struct transfer *t)
{
	size_t n = t->d->envelope.n_rcpts;
	bool *sent = arena_alloc(t->d->arena, n * sizeof(*sent));
	bool mail, data;

	write_mail(t);
	for (size_t i = 0; i < n; i++)
		if ((sent[i] = !delivery_decided(t->d, i)))
			write_rcpt(t, i);
	conn_write(t->s->conn, STR("DATA\r\n"));
	mail = read_mail(t);
	for (size_t i = 0; i < n && !t->s->dead; i++) {
		if (sent[i] && mail)
			read_rcpt(t, i);
		else if (sent[i])
			session_reply(t->s, deadline_in(t->c->p.smtp_rcpt_timeout));
	}
	data = !t->s->dead && read_data(t);
	if (data && (!mail || t->n_taken == 0))
		no_content(t);
	else if (!data && mail && t->n_taken > 0)
		taken_refused(t, "sending DATA command", "DATA");
	return data && mail && t->n_taken > 0;
}

static bool
envelope_step_by_step(struct transfer *t)
{
	write_mail(t);
	if (!read_mail(t))
		return false;
	for (size_t i = 0; i < t->d->envelope.n_rcpts && !t->s->dead; i++)
		if (!delivery_decided(t->d, i)) {
			write_rcpt(t, i);
			read_rcpt(t, i);
		}
	if (t->n_taken == 0 || t->s->dead)
		return false;
	conn_write(t->s->conn, STR("DATA\r\n"));
	if (read_data(t))
		return true;
	taken_refused(t, "sending DATA command", "DATA");
	return false;
}

/* ---- the content ---- */

/* Lines end in CRLF, dots are doubled (RFC 5321 section 4.5.2), lines longer than the
 * limit are folded as Postfix does, by a line end and a blank. `column` goes on from
 * chunk to chunk: 0 is the start of a line. */
static void
write_lines(struct conn *conn, struct str text, size_t limit, size_t *column)
{
	while (text.len > 0) {
		const char *lf = memchr(text.data, '\n', text.len);
		size_t len = lf ? (size_t)(lf - text.data) : text.len;

		if (*column == 0 && text.data[0] == '.')
			conn_write(conn, STR("."));
		while (limit > 0 && *column + len > limit) {
			size_t part = limit - *column;

			conn_write(conn, str_sub(text, 0, part));
			conn_write(conn, STR("\r\n "));
			text = str_from(text, part);
			len -= part;
			*column = 1;
		}
		conn_write(conn, str_sub(text, 0, len));
		*column += len;
		if (!lf)
			return;
		conn_write(conn, STR("\r\n"));
		*column = 0;
		text = str_from(text, len + 1);
	}
}

static bool
send_content(struct transfer *t)
{
	struct content_cursor c CLEANUP(content_close) = { .fd = -1 };
	size_t limit = (size_t)t->c->p.smtp_line_length_limit, column = 0;
	struct str chunk;
	int got;

	content_open(&c, t->d->ask.content, t->d->rest_fd, t->d->ask.rest);
	while ((got = content_next(&c, &chunk)) > 0) {
		write_lines(t->s->conn, chunk, limit, &column);
		if (c.left > 0 &&
			conn_flush(t->s->conn,
				deadline_in(t->c->p.smtp_data_xfer_timeout)) != CONN_OK)
			got = -1;
		if (got < 0)
			break;
	}
	if (got < 0) {
		/* Whatever went wrong, no full stop may follow half a message. */
		t->s->dead = true;
		t->s->reply.code = 0;
		t->s->reply.lost = CONN_CLOSED;
		taken_refused(t, "sending message body", NULL);
		return false;
	}
	conn_write(t->s->conn, column > 0 ? STR("\r\n.\r\n") : STR(".\r\n"));
	return true;
}

static void
content_answered(struct transfer *t)
{
	struct delivery *d = t->d;
	struct session *s = t->s;
	bool answered = session_reply(s, deadline_in(t->c->p.smtp_data_done_timeout));

	if (!answered || s->reply.code / 100 != 2) {
		taken_refused(t,
			"sending end of data -- message may be sent more than once",
			"end of DATA");
		/* The server may have it: not to another one as well, in this attempt. */
		for (size_t i = 0; !answered && i < d->envelope.n_rcpts; i++)
			if (t->taken[i] && !delivery_decided(d, i))
				delivery_done(d, i, TEMPFAIL, t->why->code,
					s->namaddrport, str_c(t->why->text));
		return;
	}
	for (size_t i = 0; i < d->envelope.n_rcpts; i++) {
		if (!t->taken[i])
			continue;
		d->outcomes[i].relayed = (s->offers & OFFERS_DSN) != 0;
		delivery_done(d, i, ACCEPT,
			s->reply.status[0] ? s->reply.status : "2.0.0", s->namaddrport,
			buf_str(&s->reply.text));
	}
}

void
transfer(struct session *s, struct delivery *d, struct why *why)
{
	struct transfer t = { .s = s, .d = d, .c = d->conf, .why = why };
	bool ready;

	t.pipelining = (s->offers & OFFERS_PIPELINING) != 0;
	t.taken = arena_alloc(d->arena, d->envelope.n_rcpts * sizeof(*t.taken));
	s->uses++;
	d->conn_use = s->uses;
	d->connected_us = time_wall_us();
	if (!acceptable(&t))
		return;
	ready = t.pipelining ? envelope_pipelined(&t) : envelope_step_by_step(&t);
	if (ready && send_content(&t))
		content_answered(&t);
	else if (!ready && !s->dead && !t.pipelining) {
		conn_write(s->conn, STR("RSET\r\n"));
		session_reply(s, deadline_in(t.c->p.smtp_rset_timeout));
	}
}
