/* filter.c -- see filter.h. */
#include "filter.h"
#include "esmtp.h"
#include "log.h"
#include "message.h"
#include "service.h"
#include "session.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_MOST   ((size_t)8192) /* octets kept of a reply */
#define LINES_MOST   100            /* in a reply */
#define CHUNK_MOST   ((size_t)64 * 1024)
#define WAITING_MOST ((size_t)64 * 1024 * 1024) /* of all messages of this process */

/* Postfix's words, too, for a message that cannot be handed on. */
#define TROUBLE STR("451 4.3.0 Error: queue file write error")

bool
filter_is_used(const struct session *s)
{
	return s->site->filter != NULL;
}

/* ---- failing ---- */

static bool
fails(struct session *s)
{
	struct filter *f = &s->t.filter;

	conn_close(f->conn);
	f->conn = NULL;
	f->failed = true;
	f->reply = s->refusal = TROUBLE;
	s->fault = FAULT_SOFTWARE;
	return false;
}

static bool
lost(struct session *s, enum conn_result how)
{
	log_warn("%s proxy %.*s",
		how == CONN_TIMEOUT ? "timeout talking to" : "lost connection with",
		STR_ARG(s->p->smtpd_proxy_filter));
	return fails(s);
}

/* A reply for the log: Postfix has CR and LF there. */
static struct str
on_one_line(struct session *s, struct str text)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n')
			buf_addz(&out, "??");
		else
			buf_addc(&out, text.data[i]);
	return arena_str(s->mail, buf_str(&out));
}

/* ---- commands and replies ---- */

static deadline_t
patience(const struct session *s)
{
	return deadline_in(s->p->smtpd_proxy_timeout);
}

static bool
is_reply(struct str line)
{
	return line.len >= 3 && line.data[0] >= '2' && line.data[0] <= '5' &&
	       ascii_is_digit(line.data[1]) && ascii_is_digit(line.data[2]) &&
	       (line.len == 3 || line.data[3] == ' ' || line.data[3] == '-');
}

/* RFC 5321 section 4.2.1. */
SWITCHES static bool
hear(struct session *s)
{
	struct filter *f = &s->t.filter;
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	deadline_t until = patience(s);
	struct str line;

	for (int i = 0; i < LINES_MOST; i++) {
		enum conn_result got = conn_read_line(f->conn, &line, until);

		if (got != CONN_LINE && got != CONN_TOO_LONG)
			return lost(s, got);
		if (got == CONN_TOO_LONG || !is_reply(line))
			break;
		if (text.len > 0)
			buf_addc(&text, '\n');
		buf_add(&text, str_sub(line, 0, MIN(line.len, REPLY_MOST - text.len)));
		if (line.len == 3 || line.data[3] == ' ') {
			f->reply = arena_str(s->mail, buf_str(&text));
			return true;
		}
		if (text.len + 4 > REPLY_MOST)
			break;
	}
	log_warn("received garbage from proxy %.*s: %.*s",
		STR_ARG(s->p->smtpd_proxy_filter), STR_ARG(str_sub(line, 0, 100)));
	return fails(s);
}

/* Is the reply of this class? `proxied`: what it refuses is refused to the client. */
static bool
agrees(struct session *s, struct str command, char class, bool proxied)
{
	struct filter *f = &s->t.filter;

	if (f->reply.data[0] == class)
		return true;
	log_warn("proxy %.*s rejected \"%.*s\": \"%.*s\"",
		STR_ARG(s->p->smtpd_proxy_filter), STR_ARG(command),
		STR_ARG(on_one_line(s, f->reply)));
	s->fault = FAULT_POLICY;
	if (!proxied || f->reply.data[0] < '4') {
		s->fault = FAULT_SOFTWARE;
		f->reply = TROUBLE;
	}
	s->refusal = f->reply;
	return false;
}

SWITCHES static bool
ask(struct session *s, struct str command, char class, bool proxied)
{
	struct filter *f = &s->t.filter;

	if (f->failed) {
		s->refusal = f->reply;
		return false;
	}
	conn_write(f->conn, command);
	conn_write(f->conn, STR("\r\n"));
	return hear(s) && agrees(s, command, class, proxied);
}

/* ---- the beginning ---- */

static const char *const attributes[] = { "NAME", "ADDR", "PORT", "HELO", "IDENT",
	"PROTO", "SOURCE" };

static void
take_offers(struct filter *f)
{
	struct str rest = f->reply, line, word;

	while (str_split(&rest, '\n', &line)) {
		line = str_from(line, MIN(line.len, (size_t)4));
		if (!str_token(&line, " \t", &word) || !str_case_is(word, "XFORWARD"))
			continue;
		while (str_token(&line, " \t", &word))
			for (size_t i = 0; i < COUNT(attributes); i++)
				if (str_case_is(word, attributes[i]))
					f->offers |= 1U << i;
	}
}

/* RFC 5321 section 4.1.3, without brackets. */
static struct str
mail_address(struct session *s, struct str address)
{
	return str_chr(address, ':') >= 0 && !str_case_starts(address, STR("IPv6:"))
		       ? arena_printf(s->mail, "IPv6:%.*s", STR_ARG(address))
		       : address;
}

/* Of the client; or of the one whom XFORWARD told us of. */
static void
find_values(struct session *s, struct str values[COUNT(attributes)])
{
	const struct forwarded *f = &s->forwarded;
	struct str source = message_is_local(s) ? STR("LOCAL") : STR("REMOTE");
	struct str own[] = { s->name, mail_address(s, s->address), s->port, s->helo,
		STR_NONE, s->protocol, source };
	struct str told[] = { f->name, mail_address(s, f->address), f->port, f->helo,
		f->ident, f->protocol, source };

	memcpy(values, f->given ? told : own, sizeof(own));
}

SWITCHES static bool
tell_client(struct session *s)
{
	struct buf command CLEANUP(buf_free) = BUF_INIT;
	struct str values[COUNT(attributes)];

	find_values(s, values);
	for (size_t i = 0; i < COUNT(attributes); i++) {
		if (!(s->t.filter.offers & 1U << i))
			continue;
		buf_printf(
			&command, "%s %s=", command.len ? "" : "XFORWARD", attributes[i]);
		if (values[i].len == 0 || str_is(values[i], "unknown"))
			buf_addz(&command, "[UNAVAILABLE]");
		else
			xtext_encode(values[i], &command);
	}
	return command.len == 0 ||
	       ask(s, arena_str(s->mail, buf_str(&command)), '2', false);
}

SWITCHES static bool
connect_to(struct session *s)
{
	struct filter *f = &s->t.filter;
	int fd = service_connect(s->site->filter, patience(s));

	f->conn = fd >= 0 ? conn_open(fd) : NULL;
	if (!f->conn) {
		log_warn("connect to proxy filter %.*s: %s",
			STR_ARG(s->p->smtpd_proxy_filter), strerror(errno));
		return fails(s);
	}
	return hear(s) && agrees(s, STR("connection request"), '2', false);
}

SWITCHES static bool
say_mail(struct session *s)
{
	const struct params *p = s->p;
	struct str ehlo =
		arena_printf(s->mail, "EHLO %.*s", STR_ARG(p->smtpd_proxy_ehlo));

	if (!connect_to(s) || !ask(s, ehlo, '2', false))
		return false;
	take_offers(&s->t.filter);
	return tell_client(s) &&
	       ask(s, arena_printf(s->mail, "MAIL %.*s", STR_ARG(s->t.mail_arguments)),
		       '2', true);
}

bool
filter_open(struct session *s)
{
	struct filter *f = &s->t.filter;

	if (f->open)
		return true;
	f->waits = s->site->filter_waits;
	f->open = f->waits || say_mail(s);
	if (!f->open) /* the next recipient may find it better disposed */
		filter_reset(s);
	return f->open;
}

SWITCHES static bool
say_rcpt(struct session *s, struct str arguments)
{
	return ask(s, arena_printf(s->mail, "RCPT %.*s", STR_ARG(arguments)), '2', true);
}

bool
filter_rcpt(struct session *s, struct str arguments)
{
	struct filter *f = &s->t.filter;

	if (!f->waits)
		return say_rcpt(s, arguments);
	*vec_push(&f->rcpts) = arena_str(s->mail, arguments);
	return true;
}

bool
filter_data(struct session *s)
{
	return s->t.filter.waits || ask(s, STR("DATA"), '3', true);
}

/* All that it has not heard, up to the content. */
SWITCHES static bool
catch_up(struct session *s)
{
	struct filter *f = &s->t.filter;
	bool ok = say_mail(s);

	f->waits = false;
	for (size_t i = 0; ok && i < f->rcpts.n; i++)
		ok = say_rcpt(s, f->rcpts.items[i]);
	ok = ok && ask(s, STR("DATA"), '3', true);
	f->failed = !ok;
	return ok;
}

/* ---- the content ---- */

static size_t waiting; /* octets of messages in memory */

static void
count(struct filter *f, size_t octets)
{
	waiting += octets - f->counted;
	f->counted = octets;
}

void
filter_head(struct session *s)
{
	s->t.filter.lines = (struct line_filter){ .quote_dot = true, .eol = STR("\r\n") };
	for (size_t i = 0; i < s->actions.prepend.n; i++) {
		buf_add(&s->content, s->actions.prepend.items[i]);
		buf_addc(&s->content, '\n');
	}
	if (!s->forwarded.given)
		buf_add(&s->content, received_header(s));
}

SWITCHES static void
send_content(struct session *s, bool last)
{
	struct filter *f = &s->t.filter;
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str rest = buf_str(&s->content);

	while (!f->failed && (rest.len > 0 || last)) {
		struct str chunk = str_sub(rest, 0, MIN(rest.len, CHUNK_MOST));
		enum conn_result got;

		rest = str_from(rest, chunk.len);
		buf_clear(&out);
		line_filter(&f->lines, chunk, &out);
		if (last && rest.len == 0) {
			line_filter_end(&f->lines, &out);
			buf_addz(&out, ".\r\n");
			last = false;
		}
		conn_write(f->conn, buf_str(&out));
		got = conn_flush(f->conn, patience(s));
		if (got != CONN_OK)
			(void)lost(s, got);
	}
	buf_clear(&s->content);
}

void
filter_write(struct session *s)
{
	struct filter *f = &s->t.filter;

	if (f->waits) {
		count(f, s->content.len);
		if (waiting <= WAITING_MOST)
			return;
		(void)catch_up(s);
		count(f, 0);
	}
	send_content(s, false);
}

static void
log_end(struct session *s, const char *action)
{
	struct str rcpt = s->t.rcpts.items[0].address;

	log_line(SMTPD_FILTERED, str_c(action), on_one_line(s, s->t.filter.reply),
		s->t.sender.len ? address_quote(s->t.sender, s->mail) : STR(""),
		address_quote(rcpt, s->mail), s->protocol, s->helo);
}

bool
filter_end(struct session *s)
{
	struct filter *f = &s->t.filter;
	bool ok = !f->waits || catch_up(s);

	count(f, 0);
	if (ok)
		send_content(s, true);
	ok = ok && !f->failed && hear(s);
	f->lines = (struct line_filter){ .quote_dot = false }; /* commands again */
	if (ok && f->reply.data[0] == '3') {
		agrees(s, STR("."), '2', false);
		ok = false;
	}
	ok = ok && f->reply.data[0] == '2';
	if (!ok && f->reply.data[0] >= '4' && !f->failed)
		s->fault = FAULT_POLICY;
	log_end(s, ok ? "proxy-accept" : "proxy-reject");
	return reply_text(s, f->reply);
}

/* ---- the end ---- */

/* QUIT, unless within content: whoever gets that should not take it for the message's. */
static void
say_quit(struct filter *f)
{
	static const char quit[] = "QUIT\r\n";

	if (f->conn && f->lines.eol.data == NULL && f->conn->out.len == 0)
		(void)send(f->conn->io.fd, quit, sizeof(quit) - 1,
			MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
filter_reset(struct session *s)
{
	struct filter *f = &s->t.filter;

	say_quit(f);
	conn_close(f->conn);
	count(f, 0);
	vec_free(&f->rcpts);
	*f = (struct filter){ .open = false };
}
