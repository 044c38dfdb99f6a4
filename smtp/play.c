/* play.c -- see play.h. Stands in for lib/service, beside alone.c there, for qmgr and for
 * dns. */
#include "play.h"
#include "log.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE 20000 /* of the stage */

struct params *play_settings;
struct play_mail play_mail;
struct play_end play_end;
bool play_dns_dies, play_on_default_port;
const char *play_host;
const struct own_addresses *smtp_own;
unsigned smtp_port = 25, smtp_faults_wanted;
bool smtp_lmtp;

static struct conf *conf;
static struct arena *arena; /* of one play */
static struct buf logged = BUF_INIT;
static unsigned port;
static const struct zone_row *zone;
static size_t zone_n;

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

int
service_connect(const char *endpoint, deadline_t patience)
{
	(void)endpoint, (void)patience;
	errno = ENOENT;
	return -1;
}

/* ---- dns ---- */

static struct ipc_link *dns_link;

static struct str
data_of(const struct zone_row *row, struct arena *room)
{
	size_t len = strlen(row->data) / 2;
	char *bytes;

	if (row->type != ns_t_tlsa)
		return str_c(row->data);
	bytes = arena_alloc(room, len);
	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		ensure(sscanf(row->data + 2 * i, "%2x", &byte) == 1);
		bytes[i] = (char)byte;
	}
	return str_of(bytes, len);
}

static void
answer_question(struct ipc_request *rq)
{
	struct dns_request ask;
	struct dns_reply say = { .status = DNS_NXDOMAIN,
		.reason = STR("Host not found") };
	struct dns_rr records[100];
	struct str name;

	ensure(dns_request_get(rq->payload, &ask, rq->arena) == 0);
	if (play_dns_dies) {
		ipc_link_close(dns_link);
		dns_answer(rq, &say);
		return;
	}
	say.records = records;
	name = ask.name;
	say.secure = (ask.flags & DNS_VALIDATE) != 0;
	for (size_t i = 0; i < zone_n; i++) {
		const struct zone_row *row = &zone[i];

		if (!str_case_is(name, row->name) ||
			(ask.type != row->type && row->type != ns_t_cname) ||
			(ask.flags & row->flags) != row->flags)
			continue;
		say.secure &= (row->flags & DNS_VALIDATE) != 0;
		if (ask.type != row->type) {
			name = str_c(row->data);
			continue;
		}
		say.status = (uint8_t)row->status;
		say.reason = row->status == DNS_TEMPFAIL
				     ? STR("Host not found, try again")
				     : STR("no data");
		if (row->status == DNS_OK)
			records[say.n_records++] = (struct dns_rr){ .type = row->type,
				.preference = row->preference,
				.data = data_of(row, rq->arena) };
	}
	say.name = name;
	dns_answer(rq, &say);
}

static const struct ipc_handler dns_handlers[] = {
	{ .type = dns_TYPE, .run = answer_question },
	{ .type = 0 },
};

static void
dns_lost(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	dns_link = NULL;
}

static int
connect_dns(const char *name, deadline_t patience)
{
	struct ipc_caller caller = {
		.program = "smtp", .pid = getpid(), .uid = getuid()
	};
	int pair[2];

	(void)name, (void)patience;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	ensure(ipc_hello(pair[0], &caller) == 0);
	dns_link = ipc_link_accept(pair[1], dns_handlers, NULL, dns_lost, getuid());
	return pair[0];
}

struct ipc_peer *
service_peer(const char *name)
{
	static struct ipc_peer *dns;

	ensure(strcmp(name, "dns") == 0);
	if (!dns)
		dns = ipc_peer_new("dns", connect_dns, NULL, NULL);
	return dns;
}

void
play_zone(const struct zone_row *rows, size_t n)
{
	zone = rows;
	zone_n = n;
}

/* ---- log and texts ---- */

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

const char *
play_text(const char *text)
{
	static struct buf out = BUF_INIT;

	buf_clear(&out);
	for (; *text; text++) {
		if (*text == '@')
			buf_addz(&out, "127.0.0.1[127.0.0.1]");
		else if (*text == '#')
			buf_printf(&out, "127.0.0.1[127.0.0.1]:%u", port);
		else
			buf_addc(&out, *text);
	}
	return buf_cstr(&out);
}

bool
play_logged(const char *part)
{
	return str_find(buf_str(&logged), str_c(play_text(part))) >= 0;
}

/* ---- the message ---- */

void
play_rcpts(size_t n)
{
	ensure(n <= COUNT(play_mail.rcpts));
	memset(play_mail.rcpts, 0, sizeof(play_mail.rcpts));
	for (size_t i = 0; i < n; i++)
		play_mail.rcpts[i].address = arena_printf(arena, "b%zu@test", i);
	play_mail.envelope.rcpts = play_mail.rcpts;
	play_mail.envelope.n_rcpts = n;
}

static void
shorten(struct params *p)
{
	p->smtp_connect_timeout = p->smtp_helo_timeout = p->smtp_mail_timeout =
		p->smtp_rcpt_timeout = p->smtp_data_init_timeout =
			p->smtp_data_xfer_timeout = p->smtp_data_done_timeout =
				p->smtp_rset_timeout = p->smtp_quit_timeout =
					p->smtp_starttls_timeout = PATIENCE;
}

static const char basis[] = "compatibility_level = 3.6\n"
			    "myhostname = client.test\n"
			    "mydomain = test\n"
			    "inet_interfaces = 192.0.2.99\n"
			    "smtp_connection_cache_on_demand = no\n";

void
play_conf(const char *text)
{
	static bool started;
	struct conf_issues issues;
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	char path[512];
	FILE *f;

	if (!started)
		event_init();
	started = true;
	if (conf)
		conf_free(conf);
	if (arena)
		arena_free(arena);
	arena = arena_new();
	buf_addz(&file, basis);
	buf_addz(&file, text);
	snprintf(path, sizeof(path), "%s/main.cf", test_dir());
	f = fopen(path, "w");
	ensure(f && fputs(buf_cstr(&file), f) >= 0 && fclose(f) == 0);
	conf_issues_init(&issues);
	conf = conf_load(test_dir(), STR("smtp"), &(struct strs){ NULL, 0 }, &issues);
	conf_issues_free(&issues);
	ensure(conf);
	play_settings = &conf->p;
	shorten(play_settings);
	if (smtp_own)
		own_addresses_free((struct own_addresses *)(uintptr_t)smtp_own);
	smtp_own = own_addresses_new(conf);
	edit_prepare(conf);
	quirks_prepare(conf);
	source_prepare(conf);
	buf_clear(&logged);
	log_capture(keep_line, NULL);
	play_dns_dies = play_on_default_port = smtp_lmtp = false;
	play_host = "127.0.0.1";
	zone_n = 0;
	memset(&play_mail, 0, sizeof(play_mail));
	play_mail.envelope.queue_id = STR("QID");
	play_mail.envelope.sender = STR("a@test");
	play_mail.envelope.arrival_us = (uint64_t)time_wall_us();
	play_mail.request.content = STR("Subject: play\n\nbody\n");
	play_mail.request.active_us = play_mail.envelope.arrival_us;
	play_rcpts(1);
}

/* ---- the server ---- */

struct stage {
	int listener;
	const struct line *lines;
	size_t n;
	unsigned running;
};

static void
stage_leave(struct stage *stage)
{
	if (--stage->running == 0)
		event_stop();
}

static struct conn *
next_connection(struct stage *stage)
{
	struct io io;
	int fd;

	ensure(io_open(&io, dup(stage->listener)) == 0);
	fd = accept4(stage->listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EAGAIN &&
		(io.readable = false, io_wait_read(&io, deadline_in(PATIENCE))) == 0)
		fd = accept4(stage->listener, NULL, NULL, SOCK_CLOEXEC);
	io_close(&io);
	CHECK(fd >= 0);
	return fd < 0 ? NULL : conn_open(fd);
}

static void
read_content(struct conn *conn)
{
	struct str line;

	for (;;) {
		if (conn_read_line(conn, &line, deadline_in(PATIENCE)) != CONN_LINE ||
			str_is(line, "."))
			return;
		CHECK(!conn->bare_lf);
		buf_add(&play_end.content, line);
		buf_addc(&play_end.content, '\n');
	}
}

static bool
expect(struct stage *stage, struct conn **conn, const char *want)
{
	struct str line;

	if (!want)
		return true;
	if (strcmp(want, CONNECT) == 0) {
		conn_close(*conn);
		*conn = next_connection(stage);
		return *conn != NULL;
	}
	if (!*conn)
		return false;
	if (strcmp(want, DATA_END) == 0) {
		read_content(*conn);
		return true;
	}
	if (conn_read_line(*conn, &line, deadline_in(PATIENCE)) != CONN_LINE)
		line = STR("(closed)");
	buf_add(&play_end.heard, line);
	buf_addc(&play_end.heard, '\n');
	CHECK_STR(str_sub(line, 0, strlen(want)), want);
	return str_starts(line, str_c(want));
}

static void
serve(void *arg)
{
	struct stage *stage = arg;
	struct conn *conn = NULL;

	for (size_t i = 0; i < stage->n; i++) {
		const struct line *line = &stage->lines[i];

		test_row(i);
		if (!expect(stage, &conn, line->want))
			break;
		if (strcmp(line->say, HANG_UP) == 0) {
			conn_close(conn);
			conn = NULL;
		} else if (line->say[0] && conn) {
			conn_printf(conn, "%s\r\n", line->say);
			(void)conn_flush(conn, deadline_in(PATIENCE));
		}
	}
	/* The rest of what the client has to say. */
	if (conn) {
		struct str line;

		(void)conn_flush(conn, deadline_in(PATIENCE));
		while (conn_read_line(conn, &line, deadline_in(PATIENCE)) == CONN_LINE) {
			buf_add(&play_end.heard, line);
			buf_addc(&play_end.heard, '\n');
		}
	}
	conn_close(conn);
	stage_leave(stage);
}

/* ---- the delivery ---- */

static void
deliver(void *arg)
{
	struct stage *stage = arg;
	struct delivery d = {
		.ask = play_mail.request,
		.envelope = play_mail.envelope,
		.outcomes = play_end.outcomes,
		.rest_fd = -1,
		.arena = arena,
		.conf = conf,
		.started_us = time_wall_us(),
	};

	if (d.ask.nexthop.len == 0)
		d.ask.nexthop = arena_printf(arena, "[%s]:%u", play_host, port);
	if (d.ask.size == 0)
		d.ask.size = d.ask.content.len;
	smtp_port = play_on_default_port ? port : 25;
	attempt_run(&d);
	play_end.site_down = d.site_down;
	for (size_t i = 0; i < d.envelope.n_rcpts; i++)
		CHECK(delivery_decided(&d, i));
	stage_leave(stage);
}

static int
listen_loopback(void)
{
	struct net_addr addr;
	socklen_t len = sizeof(addr.sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ensure(net_addr_parse(STR("127.0.0.1"), 0, &addr) == 0);
	ensure(fd >= 0 && bind(fd, (struct sockaddr *)&addr.sa, addr.len) == 0);
	ensure(listen(fd, 10) == 0);
	ensure(getsockname(fd, (struct sockaddr *)&addr.sa, &len) == 0);
	port = ntohs(((struct sockaddr_in *)&addr.sa)->sin_port);
	return fd;
}

void
play(const struct line *lines, size_t n)
{
	struct stage stage = { .lines = lines, .n = n, .running = 2 };

	stage.listener = listen_loopback();
	memset(play_end.outcomes, 0, sizeof(play_end.outcomes));
	buf_clear(&play_end.heard);
	buf_clear(&play_end.content);
	co_spawn(serve, &stage, CO_STACK_SMALL);
	co_spawn(deliver, &stage, CO_STACK_LARGE);
	event_run();
	close(stage.listener);
	test_row(0);
}

void
play_alone(void)
{
	struct stage stage = { .running = 1 };

	memset(play_end.outcomes, 0, sizeof(play_end.outcomes));
	co_spawn(deliver, &stage, CO_STACK_LARGE);
	event_run();
}

/* ---- anything else ---- */

struct errand {
	void (*fn)(void *);
	void *arg;
};

static void
run_errand(void *arg)
{
	struct errand *e = arg;

	e->fn(e->arg);
	event_stop();
}

void
play_run(void (*fn)(void *), void *arg)
{
	struct errand e = { fn, arg };

	co_spawn(run_errand, &e, CO_STACK_LARGE);
	event_run();
}
