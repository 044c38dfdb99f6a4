/* session.c -- one client from the connection to the decision: to smtpd, or out.
 *
 * What happened to it is in the log, in Postfix's words. */
#include "session.h"
#include "footer.h"
#include "haproxy.h"
#include "log.h"
#include "service.h"
#include <stdio.h>

#define FAREWELL_WAIT ((msec_t)10000)
/* Under stress clients get less time: from this part of postscreen_pre_queue_limit on,
 * and until it is below that. */
#define STRESS_ABOVE 90 /* percent */
#define STRESS_BELOW 70

static struct {
	size_t open;     /* connections */
	size_t screened; /* of them in the tests */
	bool stress;
} load;

size_t
sessions_open(void)
{
	return load.open;
}

static void
count(int change)
{
	size_t limit = (size_t)postscreen_site->p->postscreen_pre_queue_limit;

	load.screened += (size_t)change;
	if (!load.stress && load.screened * 100 >= limit * STRESS_ABOVE) {
		load.stress = true;
		log_info("entering STRESS mode with %zu connections", load.screened);
	} else if (load.stress && load.screened * 100 <= limit * STRESS_BELOW) {
		load.stress = false;
		log_info("leaving STRESS mode with %zu connections", load.screened);
	}
}

void
sessions_leave(struct session *s)
{
	if (s->counted)
		count(-1);
	s->counted = false;
}

/* ---- replies ---- */

static struct str
footer_name(struct str name, void *arg)
{
	const struct session *s = arg;
	struct str value = STR_NONE, allowed = s->site->expansion_filter;
	char *clean;

	if (str_is(name, "client_address"))
		value = str_c(s->address);
	else if (str_is(name, "client_port"))
		value = arena_printf(s->command, "%u", net_addr_port(&s->peer));
	else if (str_is(name, "server_name"))
		value = s->p->myhostname;
	else if (str_is(name, "localtime"))
		value = footer_localtime(s->command);
	if (!value.data || !allowed.len)
		return value;
	clean = arena_alloc(s->command, value.len + 1);
	for (size_t i = 0; i < value.len; i++)
		clean[i] = str_chr(allowed, value.data[i]) >= 0 ? value.data[i] : '_';
	return str_of(clean, value.len);
}

/* postscreen_reject_footer, for refusals; none otherwise. */
static struct str
footer_for(struct session *s, struct str text)
{
	struct str template = s->site->footer, value, footer;
	struct why why;

	if (text.data[0] != '4' && text.data[0] != '5')
		return STR_NONE;
	if (!maps_empty(s->site->footers)) {
		switch (maps_find(s->site->footers, text, s->command, &value, &why)) {
		case DICT_FOUND:
			template = value;
			break;
		case DICT_ERROR:
			log_warn("postscreen_reject_footer_maps: %s", why.text);
			break;
		case DICT_NOTFOUND:
			break;
		}
	}
	if (!template.len)
		return STR_NONE;
	if (conf_expand_with(template, footer_name, s, s->command, &footer, &why) < 0) {
		log_warn("postscreen_reject_footer: %s", why.text);
		return STR_NONE;
	}
	return footer;
}

/* What the client sent may be quoted back to it: never as a line of its own. */
static void
send_line(void *arg, struct str text, bool last)
{
	struct session *s = arg;
	char line[512];
	size_t n = MIN(text.len, sizeof(line));

	memcpy(line, text.data, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (n > 3)
		line[3] = last ? ' ' : '-';
	conn_write(s->conn, str_of(line, n));
	conn_write(s->conn, STR("\r\n"));
}

bool
session_reply_text(struct session *s, struct str text)
{
	struct str footer = footer_for(s, text);

	if (footer.len)
		footer_each_line(text, footer, s->command, send_line, s);
	else
		send_line(s, text, true);
	return conn_flush(s->conn, deadline_in(FAREWELL_WAIT)) == CONN_OK;
}

bool
session_reply(struct session *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ensure(n >= 4);
	return session_reply_text(s, str_of(text, MIN((size_t)n, sizeof(text) - 1)));
}

/* ---- what tests say ---- */

static int64_t
now(void)
{
	return time_wall_us() / 1000000;
}

void
session_passes(struct session *s, enum test_kind test, msec_t ttl)
{
	s->passed |= TEST_BIT(test);
	s->known->stamps.until[test] = now() + ttl / 1000;
}

bool
session_fails(
	struct session *s, enum test_kind test, const char *refusal, const char *farewell)
{
	s->failed |= TEST_BIT(test);
	s->passed &= ~TEST_BIT(test);
	s->skipped |= TEST_BIT(test);
	if (TEST_BIT(test) & TESTS_DEEP)
		s->known->stamps.until[test] = STAMP_DISABLED;
	switch (s->site->on[test]) {
	case ACTION_DROP:
		session_drop(s, farewell);
		return false;
	case ACTION_ENFORCE:
		s->screened = true;
		s->refusal = arena_str(s->arena, str_c(refusal));
		break;
	case ACTION_IGNORE:
		s->failed &= ~TEST_BIT(test);
		/* The early ones are repeated the next time. */
		if (TEST_BIT(test) & TESTS_DEEP)
			session_passes(s, test, s->site->least_ttl);
		break;
	}
	return true;
}

/* ---- the end ---- */

void
session_conclude(struct session *s)
{
	if (s->over)
		return;
	s->over = true;
	if (s->failed)
		s->passed = 0;
	if (s->passed && s->passed == s->todo) {
		bool first = s->is_new && !s->known->passed_new;

		log_line(POSTSCREEN_PASS, first ? STR("NEW") : STR("OLD"), s->client);
		s->known->passed_new = s->known->passed_new || s->is_new;
	}
	if (s->passed) {
		stamps_disable(&s->known->stamps, s->site->enabled);
		cache_changed(s->known);
	}
	if (s->screened)
		log_line(POSTSCREEN_DISCONNECT, s->client);
	else
		pass_to_smtpd(s);
}

void
session_drop(struct session *s, const char *text)
{
	s->screened = true;
	(void)session_reply(s, "%s", text);
	session_conclude(s);
}

void
session_hangup(struct session *s, const char *phase)
{
	log_line(POSTSCREEN_HANGUP,
		log_delay(time_monotonic_us() - s->phase_us,
			s->p->delay_logging_resolution_limit),
		s->client, str_c(phase));
	s->screened = true;
	session_conclude(s);
}

/* ---- the beginning ---- */

/* Between whom the connection is. False: that cannot be found out. */
SWITCHES static bool
identify(struct session *s)
{
	struct haproxy header = { .local = true };
	const char *what;

	if (s->p->postscreen_upstream_proxy_protocol.len &&
		!haproxy_take(&s->conn->io,
			deadline_in(s->p->postscreen_upstream_proxy_timeout), &header,
			&what)) {
		log_warn("haproxy read: %s", what);
		return false;
	}
	if (!header.local) {
		s->conn->ends = mem_alloc(sizeof(*s->conn->ends));
		*s->conn->ends = (struct conn_ends){ header.client, header.server };
	}
	if (!conn_client(s->conn, &s->peer) || !conn_server(s->conn, &s->server)) {
		log_warn("a client without an address");
		return false;
	}
	net_addr_text(&s->peer, s->address);
	net_addr_text(&s->server, s->server_address);
	s->client =
		arena_printf(s->arena, "[%s]:%u", s->address, net_addr_port(&s->peer));
	return true;
}

/* Limits come first: they need nothing but a count. */
static bool
is_within_limits(struct session *s)
{
	int most = s->p->postscreen_client_connection_count_limit;

	if (most > 0 && s->known->sessions > (size_t)most) {
		log_line(POSTSCREEN_REFUSED, s->client, STR("too many connections"));
		session_drop(s, "421 4.7.0 Error: too many connections");
		return false;
	}
	if (load.screened > (size_t)s->site->p->postscreen_pre_queue_limit) {
		log_line(POSTSCREEN_REFUSED, s->client, STR("all screening ports busy"));
		session_drop(s, "421 4.3.2 All screening ports are busy");
		return false;
	}
	return true;
}

/* postscreen_access_list. False: that was all that there is to say. */
SWITCHES static bool
passes_access(struct session *s)
{
	bool respectful = s->p->respectful_logging;

	switch (site_access(s->site, &s->peer, str_c(s->address))) {
	case ACCESS_PERMIT:
		log_line(POSTSCREEN_LISTED,
			respectful ? STR("ALLOWLISTED") : STR("WHITELISTED"), s->client);
		session_conclude(s);
		return false;
	case ACCESS_REJECT:
		log_line(POSTSCREEN_LISTED,
			respectful ? STR("DENYLISTED") : STR("BLACKLISTED"), s->client);
		break;
	default:
		return true;
	}
	if (s->site->denylist == ACTION_IGNORE)
		return true;
	s->failed |= FAILED_DENIED;
	if (s->site->denylist == ACTION_DROP) {
		session_drop(s, "521 5.3.2 Service currently unavailable");
		return false;
	}
	s->screened = true;
	s->refusal = STR("550 5.3.2 Service currently unavailable");
	return true;
}

/* Which tests are before it. False: it has passed them all lately. */
SWITCHES static bool
needs_tests(struct session *s)
{
	bool cached = cache_recall(s->known);

	s->todo = stamps_due(&s->known->stamps, s->site->enabled, now());
	s->is_new = !cached || stamps_are_new(&s->known->stamps);
	if (!cached || s->failed || s->todo)
		return true;
	log_line(POSTSCREEN_PASS, STR("OLD"), s->client);
	session_conclude(s);
	return false;
}

/* A client that comes to the backup first is not to be remembered as a good one. */
static void
ask_interfaces(struct session *s)
{
	struct why why;

	switch (match_client(s->site->allowlist_interfaces, STR(""), &s->server, &why)) {
	case DICT_FOUND:
		return;
	case DICT_ERROR:
		log_warn("postscreen_allowlist_interfaces: %s", why.text);
		break;
	case DICT_NOTFOUND:
		break;
	}
	log_line(POSTSCREEN_LISTED,
		s->p->respectful_logging ? STR("ALLOWLIST VETO") : STR("WHITELIST VETO"),
		s->client);
	s->failed |= FAILED_VETO;
	s->screened = true;
}

SWITCHES static void
screen(struct session *s)
{
	log_line(POSTSCREEN_CONNECT, s->client,
		arena_printf(s->arena, "[%s]:%u", s->server_address,
			net_addr_port(&s->server)));
	if (!is_within_limits(s) || !passes_access(s) || !needs_tests(s))
		return;
	ask_interfaces(s);
	if (s->todo & TESTS_EARLY)
		early_tests(s);
	if (s->over)
		return;
	/* Who is sent to smtpd has not said a word to us. */
	if (s->screened || s->todo & TESTS_DEEP & ~s->passed)
		deep_tests(s);
	session_conclude(s);
}

void
postscreen_session(struct conn *conn)
{
	struct session s = { .conn = conn,
		.site = postscreen_site,
		.arena = arena_new(),
		.command = arena_new(),
		.where = "CONNECT",
		.protocol = STR("SMTP"),
		.refusal = STR("450 4.3.2 Service currently unavailable") };

	co_name("postscreen session");
	log_session(service_next_session());
	service_renew_tables();
	if (!site_refresh(postscreen_site))
		service_retire("a table changed");
	load.open++;
	count(+1);
	s.counted = true;
	s.p = load.stress ? s.site->under_stress : s.site->p;
	conn->line_limit = (size_t)s.p->line_length_limit;
	if (identify(&s) && service_client(&s.peer)) {
		s.known = cache_client(str_c(s.address));
		screen(&s);
		cache_leave(s.known);
	}
	sessions_leave(&s);
	load.open--;
	if (s.mail)
		arena_free(s.mail);
	arena_free(s.command);
	arena_free(s.arena);
}
