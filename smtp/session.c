/* session.c -- a conversation with one host, from connect to EHLO, with TLS on the way.
 */
#include "smtp.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum tls_level
smtp_tls_level(const struct conf *c)
{
	struct str level = c->p.smtp_tls_security_level;

	if (str_case_is(level, "may"))
		return TLS_MAY;
	if (level.len > 0 && !str_case_is(level, "none"))
		return TLS_ENCRYPT;
	if (level.len == 0 && c->p.smtp_enforce_tls)
		return TLS_ENCRYPT;
	return level.len == 0 && c->p.smtp_use_tls ? TLS_MAY : TLS_NONE;
}

void
session_free(struct session *s)
{
	if (s->conn)
		conn_close(s->conn);
	buf_free(&s->reply.text);
	arena_free(s->arena); /* s lives there */
}

static struct session *
session_new(const struct host *host, const struct nexthop *n)
{
	struct arena *arena = arena_new();
	struct session *s = arena_alloc(arena, sizeof(*s));
	char text[NET_ADDR_TEXT];

	s->arena = arena;
	s->host = arena_str(arena, host->name);
	net_addr_text(&host->addr, text);
	s->namaddr = arena_printf(arena, "%.*s[%s]", STR_ARG(host->name), text);
	s->namaddrport = arena_printf(arena, "%.*s:%u", STR_ARG(s->namaddr), n->port);
	return s;
}

/* ---- connecting ---- */

static int
bind_address(int fd, const struct host *host, const struct conf *c)
{
	bool v6 = host->addr.sa.ss_family == AF_INET6;
	struct str text = v6 ? c->p.smtp_bind_address6 : c->p.smtp_bind_address;
	struct net_addr addr;

	if (text.len == 0 || net_addr_parse(text, 0, &addr) < 0)
		return 0;
	return bind(fd, (struct sockaddr *)&addr.sa, addr.len);
}

static int
session_connect(struct session *s, const struct host *host, const struct conf *c)
{
	int fd = socket(
		host->addr.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind_address(fd, host, c) < 0) {
		close(fd);
		return -1;
	}
	s->conn = conn_open(fd);
	if (!s->conn)
		return -1;
	return io_connect(&s->conn->io, &host->addr.sa, host->addr.len,
		deadline_in(c->p.smtp_connect_timeout));
}

/* ---- greeting ---- */

static void
session_offer(struct session *s, struct str line)
{
	static const struct {
		const char *keyword;
		unsigned bit;
	} known[] = {
		{ "PIPELINING", OFFERS_PIPELINING },
		{ "SIZE", OFFERS_SIZE },
		{ "8BITMIME", OFFERS_8BITMIME },
		{ "SMTPUTF8", OFFERS_SMTPUTF8 },
		{ "DSN", OFFERS_DSN },
		{ "STARTTLS", OFFERS_STARTTLS },
	};
	struct str word = STR_NONE, value;
	uint64_t limit;

	if (!str_token(&line, " \t", &word))
		return;
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_case_is(word, known[i].keyword))
			s->offers |= known[i].bit;
	if (str_case_is(word, "SIZE") && str_token(&line, " \t", &value) &&
		str_to_u64(value, &limit) == 0)
		s->size_limit = limit;
}

/* The lines of an EHLO reply were joined by blanks with their codes: "250-host 250-SIZE 1
 * 250 DSN". Keywords follow each "250-" or "250 " but the first. */
static void
session_offers(struct session *s)
{
	struct str text = buf_str(&s->reply.text);
	ssize_t at;

	s->offers = OFFERS_ESMTP;
	s->size_limit = 0;
	while ((at = str_find(str_from(text, 4), STR(" 250"))) >= 0) {
		struct str line;
		ssize_t end;

		text = str_from(text, 4 + (size_t)at + 1);
		end = str_find(str_from(text, 4), STR(" 250"));
		line = end < 0 ? str_from(text, 4) : str_sub(text, 4, (size_t)end);
		session_offer(s, line);
	}
}

/* The first word of the reply is the server's name; if it is ours, and it listens where
 * we would, the mail would come back for ever. */
static bool
greets_as_us(const struct session *s, const struct nexthop *n, const struct conf *c)
{
	struct str text = str_from(buf_str(&s->reply.text), 4), word;

	return n->default_port && str_token(&text, " \t", &word) &&
	       str_case_eq(word, c->p.myhostname);
}

static bool
session_ehlo(struct session *s, const struct conf *c)
{
	conn_printf(s->conn, "EHLO %.*s\r\n", STR_ARG(c->p.smtp_helo_name));
	if (!session_reply(s, deadline_in(c->p.smtp_helo_timeout)))
		return false;
	if (s->reply.code / 100 == 2) {
		session_offers(s);
		return true;
	}
	if (s->reply.code / 100 != 5 || s->dead)
		return false;
	conn_printf(s->conn, "HELO %.*s\r\n", STR_ARG(c->p.smtp_helo_name));
	s->offers = 0;
	return session_reply(s, deadline_in(c->p.smtp_helo_timeout)) &&
	       s->reply.code / 100 == 2;
}

/* ---- TLS (RFC 3207) ---- */

static void
tls_log(const struct session *s, const struct conf *c)
{
	const struct tls_info *t = conn_tls_info(s->conn);
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!t || c->p.smtp_tls_loglevel.len == 0 || str_is(c->p.smtp_tls_loglevel, "0"))
		return;
	conn_tls_text(s->conn, &text);
	log_line(SMTP_TLS,
		t->trusted            ? STR("Trusted")
		: t->peer_certificate ? STR("Untrusted")
				      : STR("Anonymous"),
		t->reused ? STR("reused") : STR("established"), s->namaddrport,
		buf_str(&text));
}

static enum verdict
session_start_tls(struct session *s, const struct conf *c, struct why *why)
{
	bool must = smtp_tls_level(c) == TLS_ENCRYPT;

	if (!smtp_tls)
		return must ? why_set(why, "4.7.5",
				      "TLS is required, but our TLS engine is "
				      "unavailable")
			    : ACCEPT;
	if (!(s->offers & OFFERS_STARTTLS))
		return must ? why_set(why, "4.7.4",
				      "TLS is required, but was not offered by "
				      "host %.*s",
				      STR_ARG(s->namaddr))
			    : ACCEPT;
	conn_write(s->conn, STR("STARTTLS\r\n"));
	if (!session_reply(s, deadline_in(c->p.smtp_starttls_timeout)))
		return session_why(s, "sending STARTTLS", "STARTTLS", why);
	if (s->reply.code / 100 != 2)
		return must ? session_why(s, "", "STARTTLS", why) : ACCEPT;
	if (conn_connect_tls(s->conn, smtp_tls, s->host,
		    deadline_in(c->p.smtp_starttls_timeout)) != CONN_OK) {
		log_line(SMTP_SSL_CONNECT, s->namaddrport, s->conn->tls_error);
		s->tls_failed = s->dead = true;
		return why_set(why, "4.7.5", "Cannot start TLS: handshake failure");
	}
	tls_log(s, c);
	/* What was said in clear does not count any more (RFC 3207 section 4.2). */
	if (session_ehlo(s, c))
		return ACCEPT;
	return session_why(s, "performing the EHLO handshake", NULL, why);
}

/* ---- all of it ---- */

/* A refusal to talk concerns this host only: the next one is asked (RFC 5321
 * section 5.1), unless the administrator wants 5xx greetings to be final. */
static enum verdict
refused(struct session *s, const struct conf *c, const char *doing, struct why *why)
{
	session_why(s, doing, NULL, why);
	if (why->code[0] == '5' && c->p.smtp_skip_5xx_greeting)
		why->code[0] = '4';
	return why->code[0] == '5' ? PERMFAIL : TEMPFAIL;
}

static enum verdict
session_greet(struct session *s, const struct nexthop *n, const struct conf *c,
	bool use_tls, struct why *why)
{
	if (!session_reply(s, deadline_in(c->p.smtp_helo_timeout)) ||
		s->reply.code / 100 != 2)
		return refused(s, c, "receiving the initial server greeting", why);
	if (!session_ehlo(s, c))
		return refused(s, c, "performing the EHLO handshake", why);
	if (greets_as_us(s, n, c))
		return why_set(why, "5.4.6", "mail for %.*s loops back to myself",
			STR_ARG(n->host));
	return use_tls ? session_start_tls(s, c, why) : ACCEPT;
}

static struct session *
session_try(const struct host *host, const struct nexthop *n, const struct conf *c,
	bool use_tls, bool *tls_failed, struct why *why)
{
	struct session *s = session_new(host, n);

	*tls_failed = false;
	if (session_connect(s, host, c) < 0) {
		struct str reason = str_c(strerror(errno));

		why_set(why, "4.4.1", "connect to %.*s: %.*s", STR_ARG(s->namaddrport),
			STR_ARG(reason));
		log_line(SMTP_CONNECT, s->namaddrport, reason);
	} else if (session_greet(s, n, c, use_tls, why) == ACCEPT) {
		s->opened = event_now();
		return s;
	}
	*tls_failed = s->tls_failed;
	session_free(s);
	return NULL;
}

struct session *
session_open(const struct host *host, const struct nexthop *n, const struct conf *c,
	const char *qid, struct why *why)
{
	enum tls_level level = smtp_tls_level(c);
	bool tls_failed;
	struct session *s = session_try(host, n, c, level != TLS_NONE, &tls_failed, why);

	/* Opportunistic: a server that offers TLS and cannot do it gets the mail in clear
	 * (RFC 7435 section 3). */
	if (!s && tls_failed && level == TLS_MAY) {
		log_line(SMTP_HOST, str_c(qid), str_c(why->text));
		s = session_try(host, n, c, false, &tls_failed, why);
	}
	return s;
}

void
session_quit(struct session *s, const struct conf *c)
{
	if (!s->dead) {
		conn_write(s->conn, STR("QUIT\r\n"));
		conn_flush(s->conn, deadline_in(c->p.smtp_quit_timeout));
		if (!c->p.smtp_skip_quit_response)
			session_reply(s, deadline_in(c->p.smtp_quit_timeout));
	}
	session_free(s);
}
