/* session.c -- a conversation with one host, from connect to EHLO. */
#include "smtp.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

const struct session_watch *session_watch;

void
session_free(struct session *s)
{
	transcript_end(&s->transcript, smtp_faults_wanted, TRANSCRIPT_OF_CLIENT,
		s->namaddrport, STR_NONE);
	transcript_free(&s->transcript);
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
	s->addr = host->addr;
	s->nexthop = n;
	s->host = arena_str(arena, host->name);
	if (n->path.len > 0) {
		s->namaddr = arena_printf(
			arena, "%.*s[%.*s]", STR_ARG(host->name), STR_ARG(n->path));
		s->namaddrport = s->namaddr;
		return s;
	}
	net_addr_text(&host->addr, text);
	s->namaddr = arena_printf(arena, "%.*s[%s]", STR_ARG(host->name), text);
	s->namaddrport = arena_printf(arena, "%.*s:%u", STR_ARG(s->namaddr), host->port);
	return s;
}

/* ---- connecting ---- */

/* Where that cannot be, mail goes out all the same, unless smtp_bind_address_enforce. */
static int
bind_address(int fd, const struct host *host, const struct attempt *a)
{
	const struct params *p = &a->conf->p;
	bool v6 = host->addr.sa.ss_family == AF_INET6;
	struct str picked = v6 ? a->source.v6 : a->source.v4;
	struct str single = v6 ? p->smtp_bind_address6 : p->smtp_bind_address;
	struct str text = picked.len > 0 ? picked : single;
	struct net_addr addr;
	int error;

	if (text.len == 0)
		return 0;
	errno = EINVAL;
	if (net_addr_parse(text, 0, &addr) == 0 &&
		bind(fd, (struct sockaddr *)&addr.sa, addr.len) == 0)
		return 0;
	error = errno_of_failure();
	log_warn("smtp_bind_address%s: cannot use \"%.*s\": %s",
		picked.len > 0 ? "_maps"
		: v6           ? "6"
			       : "",
		STR_ARG(text), strerror(error));
	errno = error;
	return p->smtp_bind_address_enforce ? -1 : 0;
}

/* A socket of this machine: broker connects. */
static int
connect_path(struct session *s, const struct conf *c)
{
	msec_t most = c->p.smtp_connect_timeout;
	struct buf endpoint CLEANUP(buf_free) = BUF_INIT;
	int fd;

	buf_printf(&endpoint, "unix:%.*s", STR_ARG(s->nexthop->path));
	fd = service_connect(
		buf_cstr(&endpoint), most > 0 ? deadline_in(most) : DEADLINE_NEVER);
	s->conn = fd < 0 ? NULL : conn_open(fd);
	if (!s->conn)
		return -1;
	s->conn->line_limit = REPLY_TEXT_MOST;
	return 0;
}

static int
session_connect(struct session *s, const struct host *host, const struct attempt *a)
{
	msec_t most =
		a->conf->p.smtp_connect_timeout; /* 0: as long as the system tries */
	int fd = socket(
		host->addr.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	s->conn = conn_open(fd);
	if (!s->conn || bind_address(fd, host, a) < 0)
		return -1;
	s->conn->line_limit = REPLY_TEXT_MOST;
	return io_connect(&s->conn->io, &host->addr.sa, host->addr.len,
		most > 0 ? deadline_in(most) : DEADLINE_NEVER);
}

/* ---- EHLO (RFC 5321 section 4.1.1.1) ---- */

static bool
has_word(const struct strs *list, struct str word)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_case_eq(list->items[i], word))
			return true;
	return false;
}

/* False: a table failed. */
SWITCHES static bool
session_offer(struct session *s, struct str line, const struct strs *without,
	const struct conf *c)
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
		{ "REQUIRETLS", OFFERS_REQUIRETLS },
	};
	static const struct {
		const char *name;
		unsigned bit;
	} forwarded[] = {
		{ "NAME", OFFERS_XFORWARD_NAME },
		{ "ADDR", OFFERS_XFORWARD_ADDR },
		{ "PORT", OFFERS_XFORWARD_PORT },
		{ "PROTO", OFFERS_XFORWARD_PROTO },
		{ "HELO", OFFERS_XFORWARD_HELO },
		{ "IDENT", OFFERS_XFORWARD_IDENT },
		{ "SOURCE", OFFERS_XFORWARD_SOURCE },
	};
	struct str word = STR_NONE, value;
	uint64_t limit;

	if (!str_token(&line, " \t=", &word) || has_word(without, word))
		return true;
	if (str_case_is(word, "AUTH"))
		return auth_offered(s, line);
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_case_is(word, known[i].keyword))
			s->offers |= known[i].bit;
	if (str_case_is(word, "SIZE") && str_token(&line, " \t", &value) &&
		str_to_u64(value, &limit) == 0)
		s->size_limit = limit;
	if (!str_case_is(word, "XFORWARD") || !c->p.smtp_send_xforward_command)
		return true;
	while (str_token(&line, " \t", &value))
		for (size_t i = 0; i < COUNT(forwarded); i++)
			if (str_case_is(value, forwarded[i].name))
				s->offers |= forwarded[i].bit;
	return true;
}

/* Whoever discards keywords wants to see that it worked. */
static void
log_discarded(const struct strs *without)
{
	struct buf list CLEANUP(buf_free) = BUF_INIT;

	if (without->n == 0 || has_word(without, STR("silent-discard")))
		return;
	for (size_t i = 0; i < without->n; i++) {
		struct str word = without->items[i];

		buf_addc(&list, ' ');
		for (size_t k = 0; k < word.len; k++)
			buf_addc(&list, word.data[k] >= 'a' && word.data[k] <= 'z'
						? (char)(word.data[k] - 32)
						: word.data[k]);
	}
	log_info("discarding EHLO keywords:%.*s", STR_ARG(buf_str(&list)));
}

/* The first line names the server, each other an extension. False: what it offers cannot
 * be told now. */
SWITCHES static bool
session_offers(struct session *s, const struct conf *c)
{
	struct strs without;

	s->offers = OFFERS_ESMTP;
	s->size_limit = 0;
	s->mechanisms = STR_NONE;
	if (!quirks_discarded(s, c, &without))
		return false;
	log_discarded(&without);
	for (size_t i = 1; i < s->reply.n_lines; i++)
		if (!session_offer(s, reply_line(&s->reply, i), &without, c))
			return false;
	if (!s->conn->tls)
		s->offers &= ~(unsigned)OFFERS_REQUIRETLS;
	return true;
}

static void
command_helo(struct session *s, const char *verb, const struct conf *c)
{
	size_t begin = s->conn->out.len;

	conn_printf(s->conn, "%s %.*s\r\n", verb, STR_ARG(c->p.smtp_helo_name));
	session_said(s, begin);
}

bool
session_ehlo(struct session *s, const struct conf *c, const char **doing)
{
	deadline_t patience = deadline_in(c->p.smtp_helo_timeout);

	*doing = smtp_lmtp ? "performing the LHLO handshake"
			   : "performing the EHLO handshake";
	s->offers = 0;
	if (smtp_lmtp || s->conn->tls ||
		((c->p.smtp_always_send_ehlo || s->says_esmtp) &&
			!c->p.smtp_never_send_ehlo && !s->pix_no_esmtp)) {
		command_helo(s, smtp_lmtp ? "LHLO" : "EHLO", c);
		if (!session_reply(s, patience) || s->reply.code == 421)
			return false;
		if (s->reply.code / 100 == 2) {
			if (session_offers(s, c))
				return true;
			*doing = NULL;
			return false;
		}
		if (smtp_lmtp)
			return false;
	}
	*doing = "performing the HELO handshake";
	command_helo(s, "HELO", c);
	return session_reply(s, deadline_in(c->p.smtp_helo_timeout)) &&
	       s->reply.code / 100 == 2;
}

/* The first word of the reply is the server's name; if it is ours, and it listens where
 * we would, the mail would come back for ever. LMTP servers are often on our own host. */
static bool
greets_as_us(const struct session *s, const struct conf *c)
{
	struct str text = reply_line(&s->reply, 0), word;

	return !smtp_lmtp && s->nexthop->default_port && str_token(&text, " \t", &word) &&
	       str_case_eq(word, c->p.myhostname);
}

/* ---- from the greeting to the first MAIL ---- */

static bool
greeting_has_word(const struct session *s, const char *wanted)
{
	struct str text = reply_line(&s->reply, 0), word;

	while (str_token(&text, " \t", &word))
		if (str_case_is(word, wanted))
			return true;
	return false;
}

/* smtp_tls_block_early_mail_reply. What is there before MAIL answers somebody else, who
 * had begun the server's TLS session before ours was put into it (CVE-2009-3555). */
static enum verdict
early_reply(struct session *s, const struct conf *c, struct why *why)
{
	if (!c->p.smtp_tls_block_early_mail_reply || !s->conn->tls ||
		conn_pending(s->conn).len == 0)
		return ACCEPT;
	s->dead = true;
	reply_clear(&s->reply);
	return why_set(why, "4.7.0",
		"host " STR_FMT " replied to MAIL before it was sent",
		STR_ARG(s->namaddr));
}

SWITCHES static enum verdict
session_greet(struct session *s, const struct attempt *a, bool use_tls, struct why *why)
{
	const struct conf *c = a->conf;
	const char *doing = "receiving the initial server greeting";

	if (use_tls && c->p.smtp_tls_wrappermode && starttls_wrapped(s, c, why) != ACCEPT)
		return TEMPFAIL;
	if (!session_reply(s, deadline_in(c->p.smtp_helo_timeout)) ||
		s->reply.code / 100 != 2) {
		session_why(s, doing, NULL, why);
		/* A refusal to talk concerns this host only (RFC 5321 section 5.1),
		 * unless the administrator wants 5xx greetings to be final. */
		if (why->code[0] == '5' && c->p.smtp_skip_5xx_greeting)
			why->code[0] = '4';
		return TEMPFAIL;
	}
	quirks_greeting(s, a->d);
	s->says_esmtp = greeting_has_word(s, "ESMTP");
	if (!session_ehlo(s, c, &doing))
		return doing ? session_why(s, doing, NULL, why)
			     : why_set(why, "4.3.0",
				       "local data error while talking to %.*s",
				       STR_ARG(s->namaddr));
	if (!s->conn->tls)
		starttls_note(s, c, TLS_IN_CLEAR);
	if (greets_as_us(s, c)) {
		log_warn("host %.*s greeted me with my own hostname %.*s",
			STR_ARG(s->namaddrport), STR_ARG(c->p.myhostname));
		return why_set(why, "5.4.6", "mail for %.*s loops back to myself",
			STR_ARG(s->nexthop->host));
	}
	if (!use_tls && s->policy->level == TLS_NONE && s->offers & OFFERS_STARTTLS &&
		c->p.smtp_tls_note_starttls_offer)
		log_line(SMTP_STARTTLS_OFFER, s->host);
	if (use_tls && !s->conn->tls && starttls(s, c, why) != ACCEPT)
		return TEMPFAIL;
	if (requiretls_promised(s, a, why) != ACCEPT)
		return TEMPFAIL;
	if (auth_login(s, a, doing, why) != ACCEPT)
		return TEMPFAIL;
	return early_reply(s, c, why);
}

SWITCHES static enum verdict
session_begin(struct session *s, const struct attempt *a, bool use_tls, struct why *why)
{
	if (session_watch)
		session_watch->connected(s);
	return session_greet(s, a, use_tls, why);
}

static void
connect_failed(struct session *s, const struct attempt *a, struct refusal *r)
{
	struct str reason = str_c(strerror(errno));
	struct arena *arena = a->d->arena;

	*r = (struct refusal){ .code = "4.4.1",
		.relay = STR("none"),
		.tls = s->tls,
		.logged = !session_watch };
	s->dead = true; /* there is nobody to say QUIT to */
	r->text = arena_printf(
		arena, "connect to %.*s: %.*s", STR_ARG(s->namaddrport), STR_ARG(reason));
	if (r->logged)
		log_line(SMTP_CONNECT, s->namaddrport, reason);
}

static struct session *
session_try(const struct host *host, const struct attempt *a,
	const struct tls_policy *policy, bool use_tls, bool *tls_failed,
	struct refusal *r)
{
	struct session *s = session_new(host, &a->nexthop);
	struct why why;

	s->policy = policy;
	*tls_failed = false;
	starttls_note(s, a->conf, use_tls ? TLS_UNDECIDED : TLS_IN_CLEAR);
	if ((a->nexthop.path.len > 0 ? connect_path(s, a->conf)
				     : session_connect(s, host, a)) < 0) {
		connect_failed(s, a, r);
	} else if (session_begin(s, a, use_tls, &why) == ACCEPT) {
		s->opened = event_now();
		s->nexthop = NULL;
		s->policy = NULL;
		tls_cache_keep(s, a->conf);
		return s;
	} else {
		session_judge(s, a->d);
		session_refusal(s, &why, a->d->arena, r);
	}
	*tls_failed = s->tls_failed;
	if (s->conn && !s->dead)
		session_quit(s, a->conf);
	else
		session_free(s);
	return NULL;
}

/* A server that offers TLS and cannot do it gets the mail in clear (RFC 7435 section 3):
 * not at once, since it may be back tomorrow, but once mail has waited (as Postfix). */
static bool
may_go_clear(const struct attempt *a, const struct tls_policy *policy)
{
	uint64_t active = a->d->ask.active_us, arrival = a->d->envelope.arrival_us;

	return policy->level == TLS_MAY && !a->conf->p.smtp_tls_wrappermode &&
	       active > arrival &&
	       (msec_t)((active - arrival) / 1000) >= a->conf->p.minimal_backoff_time;
}

/* What TLS this host must have: what the table or the parameters say, then the DNS, the
 * host's domain, and the sender. */
SWITCHES static enum verdict
find_policy(const struct attempt *a, const struct host *host, struct tls_policy *out,
	struct why *why)
{
	struct tls_policy wanted = a->tls;

	if (tls_per_site(&wanted, a->destination, host, a->conf, a->d->arena, why) !=
			ACCEPT ||
		dane_policy(&wanted, host, a->conf, a->d->arena, out, why) != ACCEPT ||
		sts_policy(&a->sts, host, a->conf, a->d->arena, out, why) != ACCEPT)
		return TEMPFAIL;
	requiretls_policy(a, host, out);
	return ACCEPT;
}

static void
policy_failed(const struct host *host, const struct attempt *a, const struct why *why,
	struct refusal *r)
{
	*r = (struct refusal){ .relay = STR("none"), .logged = true };
	snprintf(r->code, sizeof(r->code), "%s", why->code);
	r->text = arena_str(a->d->arena, str_c(why->text));
	log_warn("TLS policy lookup for " STR_FMT "/" STR_FMT ": %s",
		STR_ARG(a->destination), STR_ARG(host->name), why->text);
}

struct session *
session_open(const struct host *host, const struct attempt *a, struct refusal *r)
{
	bool local = a->nexthop.path.len > 0, tls_failed;
	struct tls_policy policy;
	struct session *s;
	struct why why;

	if (find_policy(a, host, &policy, &why) != ACCEPT) {
		policy_failed(host, a, &why, r);
		return NULL;
	}
	/* What does not leave the machine needs no TLS. */
	s = session_try(
		host, a, &policy, policy.level != TLS_NONE && !local, &tls_failed, r);
	if (!s && tls_failed && may_go_clear(a, &policy)) {
		log_line(SMTP_HOST, a->d->envelope.queue_id, r->text);
		s = session_try(host, a, &policy, false, &tls_failed, r);
	}
	if (s)
		sts_note(&a->sts, &policy, host, s);
	return s;
}

void
session_quit(struct session *s, const struct conf *c)
{
	if (!s->dead) {
		command_send(s, "QUIT");
		conn_flush(s->conn, deadline_in(c->p.smtp_quit_timeout));
		if (!c->p.smtp_skip_quit_response)
			session_reply(s, deadline_in(c->p.smtp_quit_timeout));
	}
	session_free(s);
}
