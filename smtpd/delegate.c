/* delegate.c -- check_policy_service: another program decides (SMTPD_POLICY_README). Each
 * question is a list of attributes, each answer an access(5) action.
 *
 * Connections are made by broker, one for each question that waits at a time, and kept
 * for those that follow. A server that closed a kept connection is asked again at once.
 */
#include "log.h"
#include "policy_answer.h"
#include "service.h"
#include "session.h"
#include "spf_session.h"
#include <errno.h>

#define KEPT_MOST 20 /* idle connections to one server */
#define LINE_MOST 8192

struct policy_link {
	struct conn *conn;
	deadline_t until;  /* max_ttl */
	int64_t asked;     /* request_limit */
	struct timer idle; /* max_idle */
	struct policy_service *of;
	struct policy_link *next; /* kept ones */
};

struct policy_service {
	const char *endpoint; /* "inet:host:port", "unix:path" */
	struct str default_action, context;
	msec_t max_idle, max_ttl, retry_delay, timeout;
	int64_t request_limit, try_limit;
	struct policy_link *kept;
	size_t n_kept;
};

/* ---- options ---- */

static const struct {
	const char *name;
	enum { TEXT, TIME, NUMBER } kind;
	size_t at; /* in struct policy_service */
	int64_t least;
} options[] = {
	{ "default_action", TEXT, offsetof(struct policy_service, default_action), 0 },
	{ "policy_context", TEXT, offsetof(struct policy_service, context), 0 },
	{ "max_idle", TIME, offsetof(struct policy_service, max_idle), 1 },
	{ "max_ttl", TIME, offsetof(struct policy_service, max_ttl), 1 },
	{ "retry_delay", TIME, offsetof(struct policy_service, retry_delay), 1 },
	{ "timeout", TIME, offsetof(struct policy_service, timeout), 1 },
	{ "request_limit", NUMBER, offsetof(struct policy_service, request_limit), 0 },
	{ "try_limit", NUMBER, offsetof(struct policy_service, try_limit), 1 },
};

static bool
option_set(struct policy_service *p, size_t i, struct str value)
{
	char *at = (char *)p + options[i].at;
	uint64_t number;
	msec_t time;

	switch (options[i].kind) {
	case TEXT:
		memcpy(at, &value, sizeof(value));
		return true;
	case TIME:
		if (conf_time(value, 's', &time) < 0 || time < options[i].least * 1000)
			return false;
		memcpy(at, &time, sizeof(time));
		return true;
	case NUMBER:
		if (str_to_u64(value, &number) < 0 || number > INT32_MAX ||
			(int64_t)number < options[i].least)
			return false;
		memcpy(at, &number, sizeof(number));
		return true;
	}
	return false;
}

static bool
option_read(struct policy_service *p, struct str item, struct arena *arena)
{
	struct str name, value;

	if (!str_assignment(item, &name, &value))
		return false;
	for (size_t i = 0; i < COUNT(options); i++)
		if (str_is(name, options[i].name))
			return option_set(p, i, arena_str(arena, value));
	return false;
}

struct policy_service *
policy_service_open(
	struct str spec, const struct conf *conf, struct arena *arena, struct why *why)
{
	const struct params *c = &conf->p;
	struct policy_service *p = arena_alloc(arena, sizeof(*p));
	struct strs items = conf_list(spec, arena);

	*p = (struct policy_service){
		.default_action = c->smtpd_policy_service_default_action,
		.context = c->smtpd_policy_service_policy_context,
		.max_idle = c->smtpd_policy_service_max_idle,
		.max_ttl = c->smtpd_policy_service_max_ttl,
		.retry_delay = c->smtpd_policy_service_retry_delay,
		.timeout = c->smtpd_policy_service_timeout,
		.request_limit = c->smtpd_policy_service_request_limit,
		.try_limit = c->smtpd_policy_service_try_limit,
	};
	if (items.n == 0 || str_chr(items.items[0], ':') < 0 ||
		str_chr(items.items[0], 0) >= 0) {
		why_set(why, "4.3.5",
			"restriction check_policy_service must be followed by "
			"transport:server");
		return NULL;
	}
	p->endpoint = net_endpoint(items.items[0], arena);
	for (size_t i = 1; i < items.n; i++)
		if (!option_read(p, items.items[i], arena)) {
			why_set(why, "4.3.5", "policy service syntax error: %.*s",
				STR_ARG(items.items[i]));
			return NULL;
		}
	return p;
}

/* ---- connections ---- */

static void
link_free(struct policy_link *link)
{
	timer_cancel(&link->idle);
	conn_close(link->conn);
	mem_free(link);
}

static void
link_idle_too_long(void *arg)
{
	struct policy_link *link = arg;
	struct policy_link **at = &link->of->kept;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->of->n_kept--;
	link_free(link);
}

static void
link_keep(struct policy_link *link)
{
	struct policy_service *p = link->of;
	bool spent = p->request_limit > 0 && link->asked >= p->request_limit;

	if (spent || deadline_passed(link->until) || p->n_kept >= KEPT_MOST) {
		link_free(link);
		return;
	}
	conn_idle(link->conn);
	link->next = p->kept;
	p->kept = link;
	p->n_kept++;
	timer_set(&link->idle, deadline_in(p->max_idle), link_idle_too_long, link);
}

/* One that was kept, or NULL. */
static struct policy_link *
link_kept(struct policy_service *p)
{
	struct policy_link *link = p->kept;

	if (!link)
		return NULL;
	p->kept = link->next;
	p->n_kept--;
	timer_cancel(&link->idle);
	return link;
}

/* A new one; NULL and errno. */
SWITCHES static struct policy_link *
link_new(struct policy_service *p, deadline_t patience)
{
	int fd = service_connect(p->endpoint, patience);
	struct policy_link *link;
	struct conn *conn = fd >= 0 ? conn_open(fd) : NULL;

	if (!conn)
		return NULL;
	conn->line_limit = LINE_MOST;
	link = mem_alloc(sizeof(*link));
	link->conn = conn;
	link->of = p;
	link->until = deadline_in(p->max_ttl);
	return link;
}

void
policy_service_close(struct policy_service *p)
{
	struct policy_link *link;

	while ((link = link_kept(p)))
		link_free(link);
}

/* ---- the question ---- */

static void
add(struct buf *out, const char *name, struct str value)
{
	buf_addz(out, name);
	buf_addc(out, '=');
	/* A client's text never becomes an attribute of its own. */
	for (size_t i = 0; i < value.len; i++)
		buf_addc(out, value.data[i] == '\n' || value.data[i] == 0
				      ? '?'
				      : value.data[i]);
	buf_addc(out, '\n');
}

static void
add_number(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, "%s=%llu\n", name, (unsigned long long)n);
}

/* Before the content came its size is what MAIL said. */
static void
add_message(struct session *s, struct buf *out)
{
	bool all_known = str_is(STR("DATA"), s->where) || str_is(STR("BDAT"), s->where) ||
			 str_is(STR("END-OF-MESSAGE"), s->where);

	add(out, "helo_name", s->helo);
	add(out, "sender", s->asked_sender);
	add(out, "recipient", s->asked_recipient);
	add_number(out, "recipient_count", all_known ? s->t.rcpts.n : 0);
	add(out, "queue_id", str_c(s->t.queue_id));
	add(out, "instance", session_instance(s));
	add_number(out, "size", s->t.scan.size > 0 ? s->t.scan.size : s->asked_size);
	add(out, "etrn_domain", s->asked_site);
	add(out, "stress", service_under_stress() ? STR("yes") : STR(""));
}

static void
add_xtext(struct buf *out, const char *name, struct str value)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	xtext_encode(value, &text);
	add(out, name, buf_str(&text));
}

static void
add_security(struct session *s, struct buf *out)
{
	static const struct tls_info clear;
	const struct tls_info *tls = s->conn->tls ? conn_tls_info(s->conn) : &clear;
	bool verified = tls->peer_certificate && tls->trusted;

	add(out, "sasl_method", s->sasl_method);
	add(out, "sasl_username", s->sasl_username);
	add(out, "sasl_sender", s->t.parameters.auth);
	add_xtext(out, "ccert_subject", verified ? tls->peer_cn : STR(""));
	add_xtext(out, "ccert_issuer", verified ? tls->issuer_cn : STR(""));
	add(out, "ccert_fingerprint", tls->peer_certificate ? tls->fingerprint : STR(""));
	add(out, "ccert_pubkey_fingerprint",
		tls->peer_certificate ? tls->key_fingerprint : STR(""));
	add(out, "encryption_protocol", tls->protocol);
	add(out, "encryption_cipher", tls->cipher);
	add_number(out, "encryption_keysize", tls->used_bits);
	add(out, "tls_sni", tls->server_name);
}

SWITCHES static void
compose(struct session *s, const struct policy_service *p, struct buf *out)
{
	struct str spf = spf_result_known(s);

	add(out, "request", STR("smtpd_access_policy"));
	add(out, "protocol_state", str_c(s->where));
	add(out, "protocol_name", s->protocol);
	add(out, "client_address", s->address);
	add(out, "client_name", s->name);
	add(out, "client_port", s->port);
	add(out, "reverse_client_name", s->reverse_name);
	add(out, "server_address", s->server_address);
	add(out, "server_port", s->server_port);
	add_message(s, out);
	add_security(s, out);
	if (spf.data)
		add(out, "spf_result", spf);
	add(out, "policy_context", p->context);
	add(out, "compatibility_level", s->p->compatibility_level);
	add(out, "mail_version", s->p->mail_version);
	buf_addc(out, '\n');
}

/* ---- the answer ---- */

enum attempt { ATTEMPT_OK, ATTEMPT_FAILED, ATTEMPT_CLOSED };

SWITCHES static enum attempt
converse(struct policy_link *link, struct str question, struct arena *arena,
	struct str *action, const char **what)
{
	struct policy_answer answer = { .lines = 0 };
	deadline_t patience = deadline_in(link->of->timeout);
	enum policy_answer_state state = ANSWER_MORE;

	link->asked++;
	conn_write(link->conn, question);
	while (state == ANSWER_MORE) {
		struct str line;
		enum conn_result got = conn_read_line(link->conn, &line, patience);

		if (got != CONN_LINE) {
			*what = got == CONN_TIMEOUT  ? "timeout"
				: got == CONN_CLOSED ? "the server closed the connection"
				: got == CONN_TOO_LONG ? "a line is too long"
						       : strerror(link->conn->error);
			return got == CONN_CLOSED ? ATTEMPT_CLOSED : ATTEMPT_FAILED;
		}
		state = policy_answer_take(&answer, line, arena, what);
	}
	*action = answer.action;
	return state == ANSWER_DONE ? ATTEMPT_OK : ATTEMPT_FAILED;
}

SWITCHES static enum attempt
attempt(struct policy_service *p, struct str question, struct arena *arena,
	struct str *action, const char **what)
{
	struct policy_link *link = link_kept(p);
	octets_t before = link ? link->conn->received : 0;
	bool kept = link != NULL;
	enum attempt result;

	if (!link)
		link = link_new(p, deadline_in(p->timeout));
	if (!link) {
		*what = strerror(errno);
		return ATTEMPT_FAILED;
	}
	result = converse(link, question, arena, action, what);
	if (result == ATTEMPT_OK) {
		link_keep(link);
		return ATTEMPT_OK;
	}
	/* One that was closed while it was kept says nothing about the server. */
	if (!kept || link->conn->received != before)
		result = ATTEMPT_FAILED;
	link_free(link);
	return result;
}

/* False: nobody answered. */
SWITCHES static bool
ask(struct session *s, struct policy_service *p, struct str *action)
{
	struct buf question CLEANUP(buf_free) = BUF_INIT;
	int64_t tries = 0;

	compose(s, p, &question);
	for (;;) {
		const char *what = "";

		switch (attempt(p, buf_str(&question), s->command, action, &what)) {
		case ATTEMPT_OK:
			return true;
		case ATTEMPT_CLOSED:
			continue;
		case ATTEMPT_FAILED:
			break;
		}
		if (++tries >= p->try_limit || co_cancelled()) {
			log_warn("problem talking to server %s: %s", p->endpoint, what);
			return false;
		}
		if (co_sleep(deadline_in(p->retry_delay)) < 0)
			return false;
	}
}

enum decision
check_policy_service(struct session *s, const struct check *c)
{
	struct str action;

	if (!c->service)
		return refuse_for_mistake(s,
			"restriction check_policy_service must be followed by "
			"transport:server");
	if (!ask(s, c->service, &action))
		action = c->service->default_action;
	return access_apply(s, str_c(c->service->endpoint), s->walk.about, action);
}
