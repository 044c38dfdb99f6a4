/* play.c -- see play.h. Stands in for lib/service, beside alone.c there, and for cleanup.
 */
#include "play.h"
#include "explain.h"
#include "explained.h"
#include "service.h"
#include "session.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE 20000

struct play_mail play_mail;
struct submit_reply play_verdict;
bool play_cleanup_dies, play_draining, play_suspect;
const struct play_record *play_zone;
size_t play_zone_n;
struct buf play_said;
const char *play_policy;
struct buf play_policy_asked;
unsigned play_policy_connections;
const char *const *play_auth;
struct buf play_auth_asked;
struct verify_reply play_verified;
const char *play_login = "";

static const struct conf *conf;
static struct ipc_peer *cleanup, *dns;
static struct ipc_link *cleanup_link, *dns_link, *verify_link;
static struct buf logged;
static uint32_t sessions;

/* ---- what lib/service does elsewhere ---- */

const struct conf *
service_conf(void)
{
	return conf;
}

const char *
service_name(void)
{
	return "smtp";
}

uint32_t
service_next_session(void)
{
	return ++sessions;
}

bool
service_client(const struct net_addr *client)
{
	(void)client;
	return !play_suspect;
}

bool
service_stopping(void)
{
	return play_draining;
}

void
service_queue_id(char out[32])
{
	snprintf(out, 32, "TESTQ%zu", play_mail.count + 1);
}

/* Reads one message, answers, and goes. */
static void
answer_submit(struct ipc_request *rq)
{
	struct str chunk;
	struct arena *arena = arena_new();
	struct buf content = BUF_INIT;
	int got;

	while ((got = ipc_request_read(rq, &chunk, deadline_in(PATIENCE))) > 0)
		buf_add(&content, chunk);
	if (got < 0) {
		buf_free(&content);
		arena_free(arena);
		submit_answer(rq, &play_verdict); /* to nobody */
		return;
	}
	if (play_mail.arena)
		arena_free(play_mail.arena);
	buf_free(&play_mail.content);
	play_mail.arena = arena;
	play_mail.content = content;
	play_mail.count++;
	ensure(submit_request_get(
		       arena_str(arena, rq->payload), &play_mail.request, arena) == 0);
	ensure(envelope_get(play_mail.request.envelope, &play_mail.envelope, arena) == 0);
	if (play_cleanup_dies)
		ipc_link_close(cleanup_link);
	submit_answer(rq, &play_verdict);
}

static void
answer_dns(struct ipc_request *rq)
{
	struct dns_request ask;
	struct dns_reply say = { .status = DNS_NXDOMAIN };
	struct dns_rr found[8] = { 0 };

	ensure(dns_request_get(rq->payload, &ask, rq->arena) == 0);
	say.records = found;
	for (size_t i = 0; i < play_zone_n; i++) {
		const struct play_record *r = &play_zone[i];

		if (!str_is(ask.name, r->name) || ask.type != r->type)
			continue;
		say.status = r->data ? DNS_OK : DNS_TEMPFAIL;
		if (r->data && say.n_records < COUNT(found))
			found[say.n_records++] = (struct dns_rr){
				.type = ask.type, .data = str_c(r->data), .ttl = 60
			};
	}
	dns_answer(rq, &say);
}

static void
answer_verify(struct ipc_request *rq)
{
	verify_answer(rq, &play_verified);
}

/* A policy server's side of one connection. */
static void
serve_policy(void *arg)
{
	struct conn *conn = conn_open((int)(intptr_t)arg);
	bool begins = true;
	struct str line;

	ensure(conn);
	while (conn_read_line(conn, &line, deadline_in(PATIENCE)) == CONN_LINE) {
		if (begins)
			buf_clear(&play_policy_asked);
		begins = line.len == 0;
		buf_add(&play_policy_asked, line);
		buf_addc(&play_policy_asked, '\n');
		if (!begins)
			continue;
		conn_printf(conn, "%s", play_policy);
		(void)conn_flush(conn, deadline_in(PATIENCE));
		if (str_ends(str_c(play_policy), STR("close\n\n")))
			break;
	}
	conn_close(conn);
}

/* The same of Dovecot's auth service. */
static void
serve_auth(void *arg)
{
	struct conn *conn = conn_open((int)(intptr_t)arg);
	struct str line;

	ensure(conn);
	conn->line_limit = 16384;
	conn_printf(conn, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\n"
			  "MECH\tLOGIN\tplaintext\nMECH\tANONYMOUS\tanonymous\n"
			  "MECH\tSCRAM-SHA-256\tmutual-auth\nDONE\n");
	while (conn_read_line(conn, &line, deadline_in(PATIENCE)) == CONN_LINE) {
		struct str word, id;

		buf_add(&play_auth_asked, line);
		buf_addc(&play_auth_asked, '\n');
		(void)str_split(&line, '\t', &word);
		(void)str_split(&line, '\t', &id);
		if (!str_is(word, "AUTH") && !str_is(word, "CONT"))
			continue;
		if (!*play_auth) /* all was said */
			break;
		for (const char *c = *play_auth++; *c; c++)
			conn_write(conn, *c == '@' ? id : str_of(c, 1));
		(void)conn_flush(conn, deadline_in(PATIENCE));
	}
	conn_close(conn);
}

int
service_connect(const char *endpoint, deadline_t patience)
{
	bool auth = strcmp(endpoint, "unix:private/auth") == 0;
	int pair[2];

	(void)patience;
	if (!(auth ? play_auth != NULL : play_policy != NULL) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		errno = ECONNREFUSED;
		return -1;
	}
	if (!auth)
		play_policy_connections++;
	co_spawn(auth ? serve_auth : serve_policy, (void *)(intptr_t)pair[1],
		CO_STACK_SMALL);
	return pair[0];
}

static const struct ipc_handler handlers[] = {
	{ .type = submit_TYPE, .run = answer_submit },
	{ .type = dns_TYPE, .run = answer_dns },
	{ .type = verify_TYPE, .run = answer_verify },
	{ .type = 0 },
};

static void
link_lost(struct ipc_link *link, void *ctx)
{
	(void)ctx;
	if (link == cleanup_link)
		cleanup_link = NULL;
	if (link == dns_link)
		dns_link = NULL;
	if (link == verify_link)
		verify_link = NULL;
}

/* Both services live in this process. */
static int
connect_here(const char *name, deadline_t patience)
{
	struct ipc_caller caller = {
		.program = "smtpd", .pid = getpid(), .uid = getuid()
	};
	struct ipc_link *link;
	int pair[2];

	(void)patience;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	ensure(ipc_hello(pair[0], &caller) == 0);
	link = ipc_link_accept(pair[1], handlers, NULL, link_lost, getuid());
	*(strcmp(name, "cleanup") == 0     ? &cleanup_link
		: strcmp(name, "dns") == 0 ? &dns_link
					   : &verify_link) = link;
	return pair[0];
}

static int
connect_nobody(const char *name, deadline_t patience)
{
	(void)name, (void)patience;
	errno = ECONNREFUSED;
	return -1;
}

struct ipc_peer *
service_peer(const char *name)
{
	static struct ipc_peer *nobody, *verify;

	if (!cleanup) {
		verify = ipc_peer_new("verify", connect_here, NULL, NULL);
		cleanup = ipc_peer_new("cleanup", connect_here, NULL, NULL);
		dns = ipc_peer_new("dns", connect_here, NULL, NULL);
		nobody = ipc_peer_new("nobody", connect_nobody, NULL, NULL);
	}
	return strcmp(name, "cleanup") == 0  ? cleanup
	       : strcmp(name, "dns") == 0    ? dns
	       : strcmp(name, "verify") == 0 ? verify
					     : nobody;
}

/* ---- the stage ---- */

static void
keep_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&logged, line);
	buf_addc(&logged, '\n');
}

const char *
play_log(void)
{
	return buf_cstr(&logged);
}

bool
play_logged(const char *part)
{
	return str_find(buf_str(&logged), str_c(part)) >= 0;
}

const char *
play_file(const char *name, const char *text)
{
	static char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	ensure(f && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static const char basis[] =
	"compatibility_level = 3.6\n"
	"myhostname = mx.test\n"
	"mydomain = test\n"
	"mail_name = Postern\n"
	"smtpd_banner = $myhostname ESMTP $mail_name\n"
	"mydestination = mx.test, here.test\n"
	"inet_interfaces = 127.0.0.1\n"
	"mynetworks = 127.0.0.0/8\n"
	"smtpd_authorized_xclient_hosts = 127.0.0.1\n"
	"local_recipient_maps = inline:{ user=x, root=x }\n"
	"alias_maps =\n"
	"relay_domains = relay.test\n"
	"virtual_alias_maps = inline:{ { alias@valias.test = user@here.test } }\n"
	"virtual_alias_domains = valias.test\n"
	"virtual_mailbox_domains = vbox.test\n"
	"virtual_mailbox_maps = inline:{ box@vbox.test=x }\n"
	"smtpd_error_sleep_time = 0\n"
	"smtpd_peername_lookup = no\n";

void
play_conf(const char *text)
{
	static bool started;
	struct conf_issues issues;
	struct buf file CLEANUP(buf_free) = BUF_INIT;

	if (!started)
		event_init();
	started = true;
	if (smtpd_site) {
		site_close(smtpd_site);
		conf_free((struct conf *)(uintptr_t)conf);
	}
	buf_addz(&file, basis);
	buf_addz(&file, text);
	play_file("main.cf", buf_cstr(&file));
	conf_issues_init(&issues);
	conf = conf_load(test_dir(), STR("smtp"), &(struct strs){ NULL, 0 }, &issues);
	for (size_t i = 0; i < issues.list.n; i++)
		if (issues.list.items[i].fatal)
			fprintf(stderr, "play: %.*s\n",
				STR_ARG(issues.list.items[i].text));
	conf_issues_free(&issues);
	ensure(conf);
	buf_clear(&logged);
	log_capture(keep_line, NULL);
	play_mail.count = 0;
	play_cleanup_dies = play_draining = play_suspect = false;
	play_zone_n = 0;
	play_policy = NULL;
	play_policy_connections = 0;
	play_auth = NULL;
	buf_clear(&play_auth_asked);
	play_verified = (struct verify_reply){ .status = VERIFY_OK };
	play_verdict = (struct submit_reply){ .verdict = ACCEPT, .code = STR("2.0.0") };
	smtpd_site = site_open(conf, conf);
}

/* ---- the dialogue ---- */

struct stage {
	int server, client;
	const struct exchange *rows;
	size_t n;
	struct str bytes; /* play_bytes */
	size_t ended, wrong;
};

static void
stage_leave(struct stage *stage)
{
	if (++stage->ended == 2)
		event_stop();
}

static void
serve(void *arg)
{
	struct stage *stage = arg;
	struct conn *conn = conn_open(stage->server);

	ensure(conn);
	smtpd_session(conn);
	conn_close(conn);
	stage_leave(stage);
}

/* One reply; first is good until the next. False: the connection ended. */
static bool
read_reply(struct conn *conn, struct buf *first)
{
	struct str line;

	buf_clear(first);
	do {
		if (conn_read_line(conn, &line, deadline_in(PATIENCE)) != CONN_LINE)
			return false;
		if (first->len == 0)
			buf_add(first, line);
		buf_add(&play_said, line);
		buf_addc(&play_said, '\n');
	} while (line.len > 3 && line.data[3] == '-');
	return true;
}

static void
act(void *arg)
{
	struct stage *stage = arg;
	struct conn *conn = conn_open(stage->client);
	struct buf first CLEANUP(buf_free) = BUF_INIT;

	ensure(conn);
	for (size_t i = 0; i < stage->n; i++) {
		const struct exchange *row = &stage->rows[i];

		test_row(i);
		if (row->send)
			conn_write(conn, str_c(row->send));
		if (!row->want)
			continue;
		if (!read_reply(conn, &first))
			buf_clear(&first);
		first.len = MIN(first.len, MAX(strlen(row->want), 1));
		stage->wrong += !str_is(buf_str(&first), row->want);
		CHECK_STR(buf_str(&first), row->want);
	}
	if (stage->bytes.data) {
		conn_write(conn, stage->bytes);
		(void)conn_flush(conn, deadline_in(PATIENCE));
		shutdown(stage->client, SHUT_WR);
		while (read_reply(conn, &first))
			;
	}
	(void)conn_flush(conn, deadline_in(PATIENCE));
	conn_close(conn);
	stage_leave(stage);
}

static void
run(struct stage *stage)
{
	int pair[2];

	buf_clear(&play_said);
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	stage->server = pair[0];
	stage->client = pair[1];
	co_spawn(serve, stage, CO_STACK_LARGE);
	co_spawn(act, stage, CO_STACK_SMALL);
	event_run();
}

bool
play(const struct exchange *rows, size_t n)
{
	struct stage stage = { .rows = rows, .n = n };

	run(&stage);
	return stage.wrong == 0;
}

void
play_feed(struct str send)
{
	static const struct exchange greeting = { NULL, "220 " };
	struct stage stage = { .rows = &greeting, .n = 1, .bytes = send };

	buf_clear(&logged);
	run(&stage);
}

void
play_bytes(struct str send, const char *want)
{
	play_feed(send);
	CHECK_STR(buf_str(&play_said), want);
}

/* ---- without a client ---- */

struct explaining {
	struct explain_request ask;
	struct explain_reply *said;
	struct arena *arena;
};

static void
explain(void *arg)
{
	struct explaining *e = arg;

	explain_begin(&e->ask, e->arena);
	smtpd_explain(&e->ask, e->said, e->arena);
	explain_end(e->said);
	event_stop();
}

void
play_explain(const char *client, const char *helo, const char *sender, const char *rcpt,
	unsigned may_ask, struct arena *arena, struct explain_reply *said)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct rcpt to = { .address = str_c(rcpt) };
	struct envelope e = { .sender = str_c(sender), .rcpts = &to, .n_rcpts = 1 };
	struct explaining all = { .said = said, .arena = arena };

	*said = (struct explain_reply){ 0 };
	envelope_put(&bytes, &e);
	all.ask = (struct explain_request){ .envelope = buf_str(&bytes),
		.client = str_c(client),
		.helo = str_c(helo),
		.may_ask = may_ask,
		.login = str_c(play_login) };
	co_spawn(explain, &all, CO_STACK_LARGE);
	event_run();
}
