/* limits.c -- see limits.h. Replies and log lines are Postfix's. */
#include "limits.h"
#include "service.h"
#include "session.h"
#include <errno.h>
#include <netinet/in.h>

/* anvil answers in microseconds, once it has started. When it does not, it is left alone
 * for a while, and then one session finds out for all whether it does again. */
#define LEFT_ALONE ((msec_t)10000)

static const struct {
	const char *what; /* of the warning */
	size_t at;        /* of the parameter */
} limits[ANVIL_EVENTS] = {
#define LIMIT(event, what, parameter) \
	[event] = { what, offsetof(struct params, parameter) }
	LIMIT(ANVIL_CONNECT, "Connection rate", smtpd_client_connection_rate_limit),
	LIMIT(ANVIL_MAIL, "Message delivery request rate",
		smtpd_client_message_rate_limit),
	LIMIT(ANVIL_RCPT, "Recipient address rate", smtpd_client_recipient_rate_limit),
	LIMIT(ANVIL_NEWTLS, "New TLS session rate",
		smtpd_client_new_tls_session_rate_limit),
	LIMIT(ANVIL_AUTH, "AUTH command rate", smtpd_client_auth_rate_limit),
#undef LIMIT
};

static int
limit_of(const struct session *s, enum anvil_event event)
{
	return *(const int *)((const char *)s->p + limits[event].at);
}

/* ---- asking anvil ---- */

static struct {
	bool trouble; /* it did not answer lately */
	deadline_t left_alone_until;
} state;

/* Counts the links there were: a connection that one anvil counted is none to the next.
 */
static uint32_t links;

static void
on_connect(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	links++;
}

static struct ipc_peer *
anvil(void)
{
	static struct ipc_peer *peer;

	if (!peer) {
		peer = service_peer("anvil");
		ipc_peer_on_connect(peer, on_connect);
	}
	return peer;
}

static void
note_trouble(void)
{
	int error = errno;

	if (!state.trouble)
		log_warn("anvil: %m: for a while limits on clients have no effect");
	state.trouble = true;
	state.left_alone_until = deadline_in(LEFT_ALONE);
	errno = error;
}

struct ipc_peer *
limits_anvil(void)
{
	if (event_now() < state.left_alone_until) {
		errno = EAGAIN;
		return NULL;
	}
	if (state.trouble)
		state.left_alone_until = deadline_in(LIMITS_PATIENCE);
	return anvil();
}

bool
limits_anvil_said(bool something)
{
	if (something) {
		state.trouble = false;
		state.left_alone_until = 0;
	} else if (errno != ECANCELED) {
		note_trouble();
	}
	return something;
}

/* False: no answer, errno. */
SWITCHES static bool
ask(struct session *s, enum anvil_event event, bool look, struct anvil_reply *said)
{
	struct anvil_request question = {
		.event = (uint8_t)event, .look = look, .client = s->counted_as
	};
	struct ipc_peer *peer = limits_anvil();

	return peer && limits_anvil_said(anvil_call(peer, &question, said, s->arena,
						 deadline_in(LIMITS_PATIENCE)) == 0);
}

static void
warn_limit(const struct session *s, const char *what, uint32_t n)
{
	log_line(SMTPD_LIMIT, str_c(what), log_num(n), s->client, str_c(service_name()));
}

/* Counts the event, when there is a limit, and says whether that is kept to. */
SWITCHES static bool
is_within(struct session *s, enum anvil_event event)
{
	int limit = limit_of(s, event);
	struct anvil_reply said;

	if (limit <= 0 || !s->counted_as.len || !ask(s, event, false, &said) ||
		said.rate <= (uint32_t)limit)
		return true;
	warn_limit(s, limits[event].what, said.rate);
	return false;
}

/* ---- who is counted ---- */

/* The network of the address: all bits behind the first `kept` are zero. */
static struct net_addr
network_of(const struct net_addr *a, unsigned kept)
{
	struct net_addr network = *a;
	unsigned char *bytes =
		a->sa.ss_family == AF_INET6
			? ((struct sockaddr_in6 *)&network.sa)->sin6_addr.s6_addr
			: (unsigned char *)&((struct sockaddr_in *)&network.sa)->sin_addr;
	unsigned all = a->sa.ss_family == AF_INET6 ? 128 : 32;

	for (unsigned i = 0; i < all; i++)
		if (i >= kept)
			bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	return network;
}

struct str
limits_network_name(const struct session *s, unsigned kept)
{
	struct net_addr network = network_of(&s->peer, kept);
	char text[NET_ADDR_TEXT];

	net_addr_text(&network, text);
	if (kept == (s->peer.sa.ss_family == AF_INET6 ? 128 : 32))
		return arena_str(s->arena, str_c(text));
	return arena_printf(s->arena, "%s/%u", text, kept);
}

/* "smtp:192.0.2.1", "smtp:2001:db8::/84" */
static struct str
counted_name(const struct session *s)
{
	bool v6 = s->peer.sa.ss_family == AF_INET6;
	unsigned kept = (unsigned)(v6 ? s->p->smtpd_client_ipv6_prefix_length
				      : s->p->smtpd_client_ipv4_prefix_length);
	struct str name = limits_network_name(s, kept);

	return arena_printf(s->arena, "%s:%.*s", service_name(), STR_ARG(name));
}

bool
limits_exempt(const struct session *s)
{
	struct why why;

	return match_client(s->site->limit_exceptions, s->name, &s->peer, &why) ==
		       DICT_FOUND ||
	       match_client(s->site->xclient_hosts, s->name, &s->peer, &why) ==
		       DICT_FOUND;
}

static bool
is_limited(const struct session *s)
{
	bool any = s->p->smtpd_client_connection_count_limit > 0;

	for (int i = 0; i < ANVIL_EVENTS; i++)
		any = any || (limits[i].what && limit_of(s, (enum anvil_event)i) > 0);
	return any && !limits_exempt(s);
}

void
limits_begin(struct session *s)
{
	if (is_limited(s))
		s->counted_as = counted_name(s);
}

/* ---- connections ---- */

static bool
too_many_connections(struct session *s, const char *what, uint32_t n)
{
	reply(s, 421, "4.7.0 %.*s Error: too many connections from %.*s",
		STR_ARG(s->p->myhostname), STR_ARG(s->address));
	warn_limit(s, what, n);
	return false;
}

bool
limits_connect(struct session *s)
{
	int at_a_time = s->p->smtpd_client_connection_count_limit;
	int rate = limit_of(s, ANVIL_CONNECT);
	struct anvil_reply said;
	bool answered;

	if (!s->counted_as.len)
		return true;
	answered = ask(s, ANVIL_CONNECT, false, &said);
	/* Where only the answer is missing, anvil has counted it, or will. */
	if (answered || errno == ETIMEDOUT || errno == ECANCELED)
		s->counted_over = links;
	s->connections = answered ? said.count : 0;
	if (answered && at_a_time > 0 && said.count > (uint32_t)at_a_time)
		return too_many_connections(s, "Connection concurrency", said.count);
	if (answered && rate > 0 && said.rate > (uint32_t)rate)
		return too_many_connections(s, limits[ANVIL_CONNECT].what, said.rate);
	return true;
}

void
limits_disconnect(struct session *s)
{
	struct anvil_gone_note note = { .client = s->counted_as };
	struct ipc_link *link = s->counted_over ? ipc_peer_link_now(anvil()) : NULL;

	if (link && s->counted_over == links)
		anvil_gone_send(link, &note);
}

/* ---- commands ---- */

bool
limits_mail(struct session *s)
{
	return is_within(s, ANVIL_MAIL) ||
	       reply(s, 450, "4.7.1 Error: too much mail from %.*s", STR_ARG(s->address));
}

bool
limits_rcpt(struct session *s)
{
	return is_within(s, ANVIL_RCPT) ||
	       reply(s, 450, "4.7.1 Error: too many recipients from %.*s",
		       STR_ARG(s->address));
}

bool
limits_auth(struct session *s)
{
	return is_within(s, ANVIL_AUTH) ||
	       reply(s, 450, "4.7.1 Error: too many AUTH commands from %.*s",
		       STR_ARG(s->address));
}

/* ---- TLS sessions ---- */

bool
limits_may_start_tls(struct session *s, const char *what)
{
	int limit = limit_of(s, ANVIL_NEWTLS);
	struct anvil_reply said;

	if (limit <= 0 || !s->counted_as.len || !ask(s, ANVIL_NEWTLS, true, &said) ||
		said.rate <= (uint32_t)limit)
		return true;
	log_line(SMTPD_TLS_REFUSED, str_c(what), s->client, str_c(service_name()));
	return false;
}

bool
limits_new_tls(struct session *s)
{
	return is_within(s, ANVIL_NEWTLS) ||
	       reply(s, 421, "4.7.0 %.*s Error: too many new TLS sessions from %.*s",
		       STR_ARG(s->p->myhostname), STR_ARG(s->client));
}
