/* early.c -- the tests before the greeting: does the client speak before its turn, and
 * what do lists in the DNS say of it? Both at the same time, for postscreen_greet_wait.
 *
 * The first half of a greeting is bait: who takes "220-" for an invitation is no mail
 * server. What a client sends early is looked at and not read, since smtpd may get it. */
#include "lists.h"
#include "log.h"
#include "service.h"
#include "session.h"
#include <errno.h>

#define PEEK_MOST   1024
#define LOGGED_MOST 100
#define TEASER_WAIT ((msec_t)10000)

#define REFUSAL  "550 5.5.1 Protocol error"
#define FAREWELL "521 5.5.1 Protocol error"

/* What a session waits for: its socket, or its lists. */
struct early {
	struct session *session;
	struct co_queue changed;
	struct lists *lists; /* NULL: none are asked */
	bool listened;       /* the client has spoken: no need to look again */
};

static void
on_socket(struct io *io)
{
	struct early *e = io->arg;

	co_wake_all(&e->changed);
}

static void
on_lists(void *arg)
{
	struct early *e = arg;

	co_wake_all(&e->changed);
}

/* ---- speaking early ---- */

/* False: the session is over. */
SWITCHES static bool
spoke_early(struct early *e, struct str bytes)
{
	struct session *s = e->session;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	e->listened = true;
	c_escape(bytes, &text);
	log_line(POSTSCREEN_PREGREET, log_num((int64_t)bytes.len),
		log_delay(time_monotonic_us() - s->phase_us,
			s->p->delay_logging_resolution_limit),
		s->client, str_sub(buf_str(&text), 0, LOGGED_MOST));
	return session_fails(s, TEST_PREGREET, REFUSAL, FAREWELL);
}

/* Looks at the socket. False: the session is over. */
SWITCHES static bool
listen_early(struct early *e)
{
	struct session *s = e->session;
	char bytes[PEEK_MOST];
	ssize_t n;

	if (e->listened)
		return true;
	n = recv(s->conn->io.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0) {
		session_hangup(s, "tests before SMTP handshake");
		return false;
	}
	/* The test may be over for this client: then it may speak. */
	if (!(s->todo & ~s->passed & TEST_BIT(TEST_PREGREET))) {
		e->listened = true;
		return true;
	}
	return spoke_early(e, str_of(bytes, (size_t)n));
}

/* ---- lists ---- */

/* A client that is well thought of need not be tested: all other tests count as passed
 * for as long as the lists' opinion is good. */
static void
spare(struct session *s, int total, msec_t ttl)
{
	int64_t until = time_wall_us() / 1000000 + ttl / 1000;

	if (s->failed || s->p->postscreen_dnsbl_allowlist_threshold >= 0 ||
		total > s->p->postscreen_dnsbl_allowlist_threshold)
		return;
	for (unsigned i = 0; i < TESTS; i++) {
		if (i == TEST_DNSBL)
			continue;
		s->passed |= s->todo & TEST_BIT(i);
		s->known->stamps.until[i] = MAX(s->known->stamps.until[i], until);
	}
}

/* The name of a list in a reply: some are secrets of those who pay for them. */
SWITCHES static struct str
list_name(struct session *s, struct str domain)
{
	struct str value;
	struct why why;

	if (maps_empty(s->site->list_names))
		return domain;
	switch (maps_find(s->site->list_names, domain, s->command, &value, &why)) {
	case DICT_FOUND:
		return value;
	case DICT_ERROR:
		log_warn("postscreen_dnsbl_reply_map: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	return domain;
}

/* The score of a client at the end of the tests. False: the session is over. */
SWITCHES static bool
judge(struct session *s, const struct score *score, msec_t ttl)
{
	const char *text;

	if (score->total < s->p->postscreen_dnsbl_threshold) {
		session_passes(s, TEST_DNSBL, ttl);
		return true;
	}
	log_line(POSTSCREEN_RANK, log_num(score->total), s->client);
	text = arena_printf(s->arena,
		"5.7.1 Service unavailable; client [%s] blocked using %.*s", s->address,
		STR_ARG(list_name(s, score->worst)))
		       .data;
	return session_fails(s, TEST_DNSBL, arena_printf(s->arena, "550 %s", text).data,
		arena_printf(s->arena, "521 %s", text).data);
}

/* ---- both ---- */

static bool
is_pending(const struct early *e)
{
	const struct session *s = e->session;
	bool silence = s->todo & ~s->passed & TEST_BIT(TEST_PREGREET) && !e->listened;

	return silence || (e->lists && !lists_answered(e->lists));
}

/* Until both tests are through, or the time is. False: the session is over. */
SWITCHES static bool
wait_for_both(struct early *e)
{
	struct session *s = e->session;
	deadline_t patience = deadline_in(s->p->postscreen_greet_wait);
	bool spared = false;

	while (listen_early(e) && !s->over) {
		if (!spared && e->lists && lists_answered(e->lists)) {
			msec_t ttl = lists_ttl(e->lists, s->p);

			spare(s, lists_score(e->lists)->total, ttl);
			spared = true;
		}
		if (!is_pending(e))
			return true;
		if (co_wait(&e->changed, patience) < 0)
			return errno == ETIMEDOUT && listen_early(e);
	}
	return false;
}

static bool
send_teaser(struct session *s)
{
	if (!(s->todo & TEST_BIT(TEST_PREGREET)) || !s->site->teaser.len)
		return true;
	conn_write(s->conn, s->site->teaser);
	return conn_flush(s->conn, deadline_in(TEASER_WAIT)) == CONN_OK;
}

static void
finish(struct early *e)
{
	struct session *s = e->session;

	if (s->todo & TEST_BIT(TEST_PREGREET) &&
		!((s->passed | s->skipped) & TEST_BIT(TEST_PREGREET)))
		session_passes(s, TEST_PREGREET, s->site->ttl[TEST_PREGREET]);
	if (e->lists) {
		struct score score = *lists_score(e->lists);
		msec_t ttl = lists_ttl(e->lists, s->p);

		if (!lists_answered(e->lists)) /* what is there by now */
			spare(s, score.total, ttl);
		(void)judge(s, &score, ttl);
	}
}

void
early_tests(struct session *s)
{
	struct early e = { .session = s };
	bool goes_on;

	s->phase_us = time_monotonic_us();
	if (!send_teaser(s)) {
		session_hangup(s, "tests before SMTP handshake");
		return;
	}
	conn_idle(s->conn);
	if (s->todo & TEST_BIT(TEST_DNSBL))
		e.lists = lists_ask(
			&s->site->lists, s->known, &s->peer, s->p, on_lists, &e);
	s->conn->io.arg = &e;
	s->conn->io.on_event = on_socket;
	goes_on = wait_for_both(&e);
	s->conn->io.on_event = NULL;
	s->conn->io.readable = true;
	if (goes_on)
		finish(&e);
	else if (!s->over) /* we are being stopped */
		session_drop(s, "421 4.3.2 Service shutting down");
	if (e.lists)
		lists_leave(e.lists, &e);
}
