/* session.c -- one SMTP session from greeting to goodbye (RFC 5321 section 3). */
#include "session.h"
#include "milters.h"
#include "service.h"
#include <errno.h>
#include <unistd.h>

/* What sessions leave behind, for those that need it next: warm, and bounded. */
#define POOL_MOST    64
#define CONTENT_KEPT (128 * 1024)
#define RCPTS_KEPT   64
static struct {
	struct session *sessions[POOL_MOST];
	struct arena *arenas[POOL_MOST];
	struct buf contents[POOL_MOST];
	size_t n_sessions, n_arenas, n_contents;
} pool;

static struct arena *
arena_borrow(void)
{
	return pool.n_arenas ? pool.arenas[--pool.n_arenas] : arena_new();
}

static void
arena_give_back(struct arena **a)
{
	if (*a && pool.n_arenas < POOL_MOST) {
		arena_reset(*a);
		pool.arenas[pool.n_arenas++] = *a;
	} else if (*a) {
		arena_free(*a);
	}
	*a = NULL;
}

static void
content_give_back(struct buf *b)
{
	buf_clear(b);
	if (b->room > 0 && b->room <= CONTENT_KEPT && pool.n_contents < POOL_MOST)
		pool.contents[pool.n_contents++] = *b;
	else
		buf_free(b);
	*b = (struct buf)BUF_INIT;
}

void
session_begin_mail(struct session *s)
{
	if (s->mail)
		return;
	s->mail = arena_borrow();
	if (pool.n_contents)
		s->content = pool.contents[--pool.n_contents];
}

struct session *
session_open(struct conn *conn)
{
	struct session *s = pool.n_sessions ? pool.sessions[--pool.n_sessions]
					    : mem_alloc(sizeof(*s));

	/* Belongs to the coroutine: each log line of this session carries it. */
	s->number = service_next_session();
	log_session(s->number);
	s->arena = arena_borrow();
	s->command = arena_borrow();
	s->conn = conn;
	s->site = smtpd_site;
	s->p = service_under_stress() ? smtpd_site->under_stress : smtpd_site->p;
	s->where = "CONNECT";
	s->protocol = STR("SMTP");
	s->extensions = ESMTP_ALL;
	conn->line_limit = (size_t)s->p->line_length_limit;
	return s;
}

static void
session_close(struct session *s)
{
	struct session blank = { .t.rcpts = s->t.rcpts };

	transcript_free(&s->transcript);
	arena_give_back(&s->arena);
	arena_give_back(&s->command);
	if (s->t.rcpts.room > RCPTS_KEPT) {
		vec_free(&s->t.rcpts);
		blank.t.rcpts = s->t.rcpts;
	}
	if (pool.n_sessions == POOL_MOST) {
		vec_free(&s->t.rcpts);
		mem_free(s);
		return;
	}
	*s = blank;
	pool.sessions[pool.n_sessions++] = s;
}

enum dict_result
session_client_is_ours(struct session *s)
{
	struct why why;
	enum dict_result found;

	if (s->network != NETWORK_UNASKED)
		return s->network == NETWORK_OURS ? DICT_FOUND : DICT_NOTFOUND;
	found = match_client(s->site->mynetworks, s->name, &s->peer, &why);
	if (found == DICT_ERROR)
		log_warn("mynetworks: %s", why.text);
	else
		s->network = found == DICT_FOUND ? NETWORK_OURS : NETWORK_STRANGE;
	return found;
}

void
session_name_client(struct session *s)
{
	if (s->p->smtpd_client_port_logging)
		s->client = arena_printf(s->arena, "%.*s[%.*s]:%.*s", STR_ARG(s->name),
			STR_ARG(s->address), STR_ARG(s->port));
	else
		s->client = arena_printf(
			s->arena, "%.*s[%.*s]", STR_ARG(s->name), STR_ARG(s->address));
	s->network = NETWORK_UNASKED;
}

struct str
session_instance(struct session *s)
{
	return arena_printf(
		s->command, "%x.%x.%x", (unsigned)getpid(), s->number, s->transactions);
}

void
session_set_helo(struct session *s, struct str name)
{
	name = str_sub(name, 0, HELO_MOST);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		s->helo_text[i] =
			c < ' ' || c == 0x7f || strchr("<>()\"\\;", c) ? '?' : (char)c;
	}
	s->helo = str_of(s->helo_text, name.len);
}

struct str
session_queue_id(const struct session *s)
{
	return s->t.queue_id[0] ? str_c(s->t.queue_id) : STR("NOQUEUE");
}

deadline_t
session_patience(const struct session *s)
{
	return deadline_in(s->p->smtpd_timeout);
}

void
session_note(struct session *s, enum transcript_side side, struct str line)
{
	if (s->site->faults_wanted)
		transcript_add(&s->transcript, side, line);
}

/* Without what may be a password: the postmaster reads it. */
static struct str
without_secrets(struct session *s, struct str line)
{
	struct str rest = line, verb, mechanism;

	if (!str_token(&rest, " \t", &verb) || !str_case_is(verb, "AUTH") ||
		!str_token(&rest, " \t", &mechanism) || rest.len == 0)
		return line;
	return arena_printf(s->command, "AUTH %.*s (response)", STR_ARG(mechanism));
}

static void
end_transcript(struct session *s)
{
	transcript_end(&s->transcript, s->site->faults_wanted, TRANSCRIPT_OF_SERVER,
		s->client, s->end_reason);
}

void
session_reset_mail(struct session *s)
{
	struct transaction blank = { .rcpts = s->t.rcpts };

	if (s->transcript.lines > (size_t)s->p->smtpd_history_flush_threshold)
		end_transcript(s);
	if (s->t.submission) {
		submission_abort(s->t.submission);
		milters_take_back(s, NULL);
	}
	milters_forget_mail(s);
	filter_reset(s);
	blank.rcpts.n = 0;
	s->t = blank;
	s->transactions++;
	vec_free(&s->actions.bcc);
	vec_free(&s->actions.prepend);
	s->actions = (struct actions){ .hold = false };
	s->asked_sender = s->asked_recipient = STR_NONE;
	s->asked_size = 0;
	s->spf = NULL;
	s->forwarded = (struct forwarded){ .given = false };
	arena_give_back(&s->mail);
	content_give_back(&s->content);
}

void
session_restart(struct session *s)
{
	session_reset_mail(s);
	milters_forget_helo(s);
	s->helo = STR_NONE;
	s->protocol = STR("SMTP");
	s->extensions = ESMTP_ALL;
	s->denied = STR_NONE;
	s->sasl_method = s->sasl_username = STR_NONE;
}

/* In front of "lost connection" and its like: only asked for by newer levels, since older
 * fail2ban filters do not know it. */
static struct str
end_prefix(const struct session *s)
{
	return s->site->prefix_ends ? session_queue_id(s) : STR_NONE;
}

void
session_lost(struct session *s, enum conn_result why, struct str bytes)
{
	s->closing = true;
	s->fault = 0;
	s->end_reason = why == CONN_TIMEOUT ? STR("timeout") : STR("lost connection");
	switch (why) {
	case CONN_TIMEOUT:
		reply(s, 421, "4.4.2 %.*s Error: timeout exceeded",
			STR_ARG(s->p->myhostname));
		log_line(SMTPD_TIMEOUT, end_prefix(s), str_c(s->where), bytes, s->client);
		break;
	case CONN_CANCELED:
		reply(s, 421, "4.3.2 %.*s Error: service shutting down",
			STR_ARG(s->p->myhostname));
		break;
	default:
		log_line(SMTPD_LOST, end_prefix(s), str_c(s->where), bytes, s->client);
	}
}

/* Gives what has arrived without waiting for it. After a read that found no more than the
 * command, asking the kernel again is not worth a system call: what comes in that instant
 * was not sent ahead. Under TLS only what was decrypted counts: raw bytes may be part of
 * the handshake. */
struct str
session_early_bytes(struct session *s)
{
	static char peeked[128]; /* good until the next call: it is logged at once */
	struct str pending = conn_pending(s->conn);
	ssize_t n;

	if (pending.len || s->conn->tls || !s->conn->io.readable)
		return pending;
	n = recv(s->conn->io.fd, peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		s->conn->io.readable =
			false; /* saves the read that would find this out */
	return n > 0 ? str_of(peeked, (size_t)n) : STR_NONE;
}

static struct str
escaped(struct str s, struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	c_escape(str_sub(s, 0, 100), &text);
	return arena_str(arena, buf_str(&text));
}

void
session_early_talker(struct session *s, struct str bytes)
{
	s->ill_pipelining = true;
	log_line(
		SMTPD_PIPELINING, str_c(s->where), s->client, escaped(bytes, s->command));
	if (!s->p->smtpd_forbid_unauth_pipelining)
		return;
	reply(s, 554, "5.5.0 Error: SMTP protocol synchronization");
	s->closing = true;
}

/* What they send is not even looked at. */
static void
refuse_suspect(struct session *s)
{
	struct str text = arena_printf(s->command,
		"421 4.7.0 %.*s Error: clients of your network have ended too many "
		"of our processes; try again later",
		STR_ARG(s->p->myhostname));

	policy_log(s, "reject", text);
	reply_text(s, text);
}

void
session_greet(struct session *s)
{
	struct str early;

	if (s->suspect) {
		refuse_suspect(s);
		return;
	}
	early = session_early_bytes(s);
	if (early.len)
		session_early_talker(s, early);
	if (s->closing)
		return;
	if (!policy_connect(s)) { /* smtpd_delay_reject = no */
		s->transcript.faults |= s->fault;
		s->denied = arena_str(s->arena, s->refusal);
		reply_text(s, s->denied);
		return;
	}
	if (milters_hear_connect(s))
		reply_text(s, s->site->banner);
	else {
		s->errors += !str_starts(s->refusal, STR("421"));
		s->transcript.faults |= s->fault;
		reply_text(s, s->refusal);
	}
}

/* smtpd_forbid_bare_newline = reject, for a command. */
static bool
refuses_bare_newline(struct session *s)
{
	struct why why;

	if (!s->conn->bare_lf || s->site->bare_newline != BARE_NEWLINE_REJECT ||
		match_client(s->site->bare_newline_exclusions, s->name, &s->peer, &why) ==
			DICT_FOUND)
		return false;
	reply(s, s->p->smtpd_forbid_bare_newline_reject_code,
		"5.5.2 Error: bare <LF> received");
	s->closing = true;
	return true;
}

/* One turn: a line from the client, and what we say to it. */
static void
session_turn(struct session *s)
{
	struct str line;
	enum conn_result got;

	if (s->errors >= s->p->smtpd_hard_error_limit) {
		s->transcript.faults |= FAULT_PROTOCOL;
		s->end_reason = STR("too many errors");
		reply(s, 421, "4.7.0 %.*s Error: too many errors",
			STR_ARG(s->p->myhostname));
		log_line(
			SMTPD_TOO_MANY_ERRORS, end_prefix(s), str_c(s->where), s->client);
		s->closing = true;
		return;
	}
	arena_give_back(&s->command);
	got = conn_read_line(s->conn, &line, session_patience(s));
	s->command = arena_borrow();
	if (got == CONN_TOO_LONG) {
		log_warn("%.*s: request longer than %d", STR_ARG(s->client),
			s->p->line_length_limit);
		s->errors++;
		s->transcript.faults |= FAULT_PROTOCOL;
		reply(s, 500, "5.5.2 Error: line too long");
	} else if (got != CONN_LINE) {
		session_lost(s, got, STR_NONE);
	} else if (!refuses_bare_newline(s)) {
		session_note(s, THEY_SAID, without_secrets(s, line));
		verbs_run(s, line);
	}
	/* Nothing may be half done when this process is to end. */
	if (service_stopping() && !s->t.open && !s->closing)
		session_lost(s, CONN_CANCELED, STR_NONE);
}

/* TLS from the first byte comes before the count, as with Postfix: a refusal can be read.
 */
static void
session_begin(struct session *s)
{
	limits_begin(s);
	if (s->suspect)
		session_greet(s);
	else if (s->site->tls_wrapper &&
		 (!limits_may_start_tls(s, "TLS service") || !starttls_wrapped(s)))
		s->closing = true;
	else if (limits_connect(s))
		session_greet(s);
}

void
session_end(struct session *s)
{
	listings_end(&s->listings);
	session_reset_mail(s);
	milters_forget_helo(s);
	milters_end(s);
	session_close(s);
}

void
smtpd_session(struct conn *conn)
{
	struct session *s;

	co_name("smtpd session");
	service_renew_tables();
	s = session_open(conn);
	if (peer_identify(s)) {
		log_line(SMTPD_CONNECT, s->client);
		session_begin(s);
	} else {
		s->closing = true;
	}
	while (!s->closing)
		session_turn(s);
	/* The goodbye is worth a short wait, not smtpd_timeout. */
	if (conn->error == 0)
		(void)conn_flush(conn, deadline_in(MIN(s->p->smtpd_timeout, 10000)));
	if (s->client.data)
		log_line(SMTPD_DISCONNECT, s->client, verbs_counts(s, s->command));
	limits_disconnect(s);
	end_transcript(s);
	session_end(s);
}
