/* explain.c -- what a client would hear (postern explain): a session over a socket pair
 * whose other end is ours, command after command. There is no content, so it ends where
 * content would begin; nothing is counted, nothing handed on. */
#include "explained.h"
#include "explain.h"
#include "login.h"
#include "message.h"
#include "session.h"
#include <errno.h>
#include <unistd.h>

#define REPLY_MOST 65536

struct stage {
	struct session *s;
	int client;
	struct str reply; /* the last line of the last one */
	struct arena *arena;
};

/* What the client would read now. */
static struct str
read_reply(struct stage *t)
{
	char *bytes = arena_alloc(t->arena, REPLY_MOST);
	ssize_t got = 0;
	struct str all, line, last = STR("");

	if (conn_flush(t->s->conn, session_patience(t->s)) == CONN_OK)
		got = recv(t->client, bytes, REPLY_MOST, MSG_DONTWAIT);
	all = str_of(bytes, (size_t)MAX(got, 0));
	while (str_split(&all, '\n', &line))
		last = line;
	return str_ends(last, STR("\r")) ? str_sub(last, 0, last.len - 1) : last;
}

static bool
is_refusal(struct str reply)
{
	return reply.len == 0 || reply.data[0] >= '4';
}

/* One command, and all that was asked because of it. False: it was refused. */
static bool
command(struct stage *t, struct str line)
{
	size_t step = explain_open("command", line, STR_NONE);

	verbs_run(t->s, line);
	t->reply = read_reply(t);
	explain_close(step, is_refusal(t->reply) ? "refused" : "accepted", t->reply);
	return !is_refusal(t->reply);
}

/* DATA, or the end of data: what speaks against them before there is any content. */
static bool
content(struct stage *t, const char *where, bool (*policy)(struct session *s))
{
	size_t step = explain_open("command", str_c(where), STR_NONE);
	bool ok;

	t->s->where = where;
	ok = policy(t->s);
	if (!ok) {
		reply_text(t->s, t->s->refusal);
		t->reply = read_reply(t);
	}
	explain_close(step, ok ? "accepted" : "refused", ok ? STR_NONE : t->s->refusal);
	return ok;
}

static bool
greeting(struct stage *t)
{
	size_t step = explain_open("command", STR("CONNECT"), STR_NONE);

	session_greet(t->s);
	t->reply = read_reply(t);
	explain_close(step, is_refusal(t->reply) ? "refused" : "accepted", t->reply);
	return !is_refusal(t->reply);
}

/* What an address without <> needs around it, and behind it. */
static struct str
path_command(struct stage *t, const char *verb, struct str address)
{
	bool ascii = true;

	for (size_t i = 0; i < address.len; i++)
		ascii = ascii && (unsigned char)address.data[i] < 0x80;
	return arena_printf(t->arena, "%s:<" STR_FMT ">%s", verb, STR_ARG(address),
		ascii || strcmp(verb, "MAIL FROM") != 0 ? "" : " SMTPUTF8");
}

static bool
dialogue(struct stage *t, const struct explain_request *ask, const struct envelope *e)
{
	return greeting(t) &&
	       command(t, arena_printf(t->arena, "EHLO " STR_FMT, STR_ARG(ask->helo))) &&
	       command(t, path_command(t, "MAIL FROM", e->sender)) &&
	       command(t, path_command(t, "RCPT TO", e->rcpts[0].address)) &&
	       content(t, "DATA", policy_data) &&
	       content(t, "END-OF-MESSAGE", policy_end_of_data);
}

/* The client, as if it had connected. */
static void
identify(struct session *s, const struct net_addr *client)
{
	peer_claimed(s, client);
	s->port = s->server_port = STR("0");
	s->server_address = STR("127.0.0.1");
	peer_find_name(s);
	session_name_client(s);
	explain_step("client", STR_NONE, s->address,
		explain_may(EXPLAIN_DNS) ? "is called" : "is not looked up", s->name);
}

/* How it has logged in does not matter to restrictions, as whom does. */
static void
log_in(struct session *s, struct str name)
{
	if (name.len == 0)
		return;
	if (s->p->smtpd_sasl_auth_enable)
		login_begin(s, STR("PLAIN"), name);
	explain_step("client", STR_NONE, s->address,
		s->p->smtpd_sasl_auth_enable ? "has logged in as"
					     : "cannot log in here as",
		name);
}

/* What access tables and policy servers want done to it. */
static void
explain_actions(const struct actions *a)
{
	if (a->hold)
		explain_step("action", STR("HOLD"), STR_NONE, "holds it", STR_NONE);
	if (a->discard)
		explain_step("action", STR("DISCARD"), STR_NONE,
			"takes it, and nobody "
			"gets it",
			STR_NONE);
	if (a->filter.len > 0)
		explain_step("action", STR("FILTER"), STR_NONE, "sends it to", a->filter);
	if (a->redirect.len > 0)
		explain_step(
			"action", STR("REDIRECT"), STR_NONE, "sends it to", a->redirect);
	for (size_t i = 0; i < a->bcc.n; i++)
		explain_step("action", STR("BCC"), STR_NONE, "sends a copy to",
			a->bcc.items[i]);
	for (size_t i = 0; i < a->prepend.n; i++)
		explain_step("action", STR("PREPEND"), STR_NONE, "puts in front",
			a->prepend.items[i]);
}

static void
finish(struct stage *t, bool ok, struct explain_reply *say)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;

	if (!ok) {
		say->verdict = str_starts(t->reply, STR("4")) ? TEMPFAIL : PERMFAIL;
		say->text = arena_str(t->arena, t->reply);
		return;
	}
	explain_actions(&t->s->actions);
	message_envelope(t->s, &envelope);
	say->envelope = arena_str(t->arena, buf_str(&envelope));
	say->ends = t->s->actions.discard;
}

void
smtpd_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	struct stage t = { .arena = arena };
	struct net_addr client;
	struct envelope e;
	struct conn *conn;
	int pair[2];

	say->verdict = TEMPFAIL;
	say->text = STR("cannot begin a session");
	if (envelope_get(ask->envelope, &e, arena) < 0 || e.n_rcpts != 1 ||
		net_addr_parse(ask->client, 0, &client) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) <
			0)
		return;
	t.client = pair[1];
	conn = conn_open(pair[0]);
	if (conn) {
		say->verdict = ACCEPT;
		say->text = STR_NONE;
		t.s = session_open(conn);
		/* It would have begun TLS; only then is there more to tell. */
		if (smtpd_site->tls_required)
			explain_step("note", STR("smtpd_tls_security_level"), STR_NONE,
				"demands TLS",
				STR("the client is taken to have begun it"));
		smtpd_site->tls_required = false;
		identify(t.s, &client);
		log_in(t.s, ask->login);
		finish(&t, dialogue(&t, ask, &e), say);
		session_end(t.s);
		conn_close(conn);
	}
	close(t.client);
}
