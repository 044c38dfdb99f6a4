/* sasl_test.c -- the lines of Dovecot's auth service, and conversations with one that
 * does what a row says. */
#include "dovecot_line.h"
#include "event.h"
#include "log.h"
#include "test.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- lines ---- */

static const struct {
	struct str line;
	const char *want; /* NULL: refused */
} lines[] = {
	{ STR_INIT("VERSION\t1\t2"), "version 1" },
	{ STR_INIT("VERSION\t2\t0"), "version 2" },
	{ STR_INIT("VERSION\t1"), NULL },
	{ STR_INIT("VERSION\tone\t0"), NULL },
	{ STR_INIT("MECH\tPLAIN\tplaintext"), "mech PLAIN 1" },
	{ STR_INIT("MECH\tSCRAM-SHA-256\tmutual-auth"), "mech SCRAM-SHA-256 16" },
	{ STR_INIT("MECH\tX\tdictionary\tactive\tanonymous\tforward-secrecy\tnew"),
		"mech X 46" },
	{ STR_INIT("MECH\tAPOP\tprivate"), "mech APOP 64" },
	{ STR_INIT("MECH\tSCRAM-SHA-1-PLUS\tmutual-auth\tchannel-binding"),
		"mech SCRAM-SHA-1-PLUS 80" },
	{ STR_INIT("MECH\tBAD NAME"), NULL },
	{ STR_INIT("MECH\tBAD\rNAME"), NULL },
	{ STR_INIT("MECH"), NULL },
	{ STR_INIT("DONE"), "done" },
	{ STR_INIT("SPID\t17"), "other" },
	{ STR_INIT("OK\t7\tuser=joe\tnologin"), "ok 7 joe - 0" },
	{ STR_INIT("OK\t7\tuser=a\001tb\001\001"), "ok 7 a?b? - 0" },
	{ STR_INIT("OK\t7\tuser=a\rb\0c"), "ok 7 a?b?c - 0" },
	{ STR_INIT("OK\t7"), "ok 7 - - 0" },
	{ STR_INIT("OK\t7\tuser="), "ok 7  - 0" },
	{ STR_INIT("OK\tx\tuser=joe"), NULL },
	{ STR_INIT("OK\t4294967296\tuser=joe"), NULL },
	{ STR_INIT("FAIL\t7"), "fail 7 - - 0" },
	{ STR_INIT("FAIL\t7\tuser=joe\treason=not now"), "fail 7 joe not now 0" },
	{ STR_INIT("FAIL\t7\tuser=joe\ttemp"), "fail 7 joe - 1" },
	{ STR_INIT("FAIL\t7\tcode=temp_fail\treason=x"), "fail 7 - x 1" },
	{ STR_INIT("FAIL\t7\tauthz\tcode=authz_fail"), "fail 7 - - 0" },
	{ STR_INIT("CONT\t7\tUGFzc3dvcmQ6"), "cont 7 UGFzc3dvcmQ6" },
	{ STR_INIT("CONT\t7\t"), "cont 7 " },
	{ STR_INIT("CONT\t7"), "cont 7 " },
	{ STR_INIT("CONT\t7\tnot base64!"), NULL },
	{ STR_INIT("CONT\t7\tabc\r"), NULL },
	{ STR_INIT(""), NULL },
};

static struct str
shown(struct str s)
{
	return s.data ? s : STR("-");
}

TEST(lines_of_the_auth_server)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct dovecot_line got;

	for (size_t i = 0; i < COUNT(lines); i++) {
		struct buf text CLEANUP(buf_free) = BUF_INIT;
		bool ok = dovecot_line_read(lines[i].line, arena, &got);

		test_row(i);
		CHECK(ok == (lines[i].want != NULL));
		if (!ok || !lines[i].want)
			continue;
		if (got.word == DOVECOT_VERSION)
			buf_printf(&text, "version %u", (unsigned)got.major);
		else if (got.word == DOVECOT_MECH)
			buf_printf(&text, "mech " STR_FMT " %u",
				STR_ARG(got.mechanism.name), got.mechanism.properties);
		else if (got.word == DOVECOT_CONT)
			buf_printf(&text, "cont %u " STR_FMT, (unsigned)got.id,
				STR_ARG(got.challenge));
		else if (got.word == DOVECOT_OK || got.word == DOVECOT_FAIL)
			buf_printf(&text, "%s %u " STR_FMT " " STR_FMT " %d",
				got.word == DOVECOT_OK ? "ok" : "fail", (unsigned)got.id,
				STR_ARG(shown(got.user)), STR_ARG(shown(got.reason)),
				got.temporary);
		else
			buf_addz(&text, got.word == DOVECOT_DONE ? "done" : "other");
		CHECK_STR(buf_str(&text), lines[i].want);
	}
}

static const struct {
	const char *text;
	bool want;
} encoded[] = { { "", true }, { "ABCD", true }, { "AB+/", true }, { "ABC=", true },
	{ "AB==", true }, { "A===", false }, { "====", false }, { "=", false },
	{ "ABC", false }, { "AB=C", false }, { "A BC", false }, { "*", false } };

TEST(base64_is_told_from_other_things)
{
	for (size_t i = 0; i < COUNT(encoded); i++) {
		test_row(i);
		CHECK(sasl_is_base64(str_c(encoded[i].text)) == encoded[i].want);
	}
}

static const struct {
	const char *words;
	unsigned properties; /* of a mechanism */
	bool good;
} choices[] = {
	{ "", SASL_PLAINTEXT, true },
	{ "noanonymous", SASL_PLAINTEXT, true },
	{ "noanonymous", SASL_ANONYMOUS, false },
	{ "noanonymous, noplaintext", SASL_PLAINTEXT, false },
	{ "NoAnonymous noPlaintext", SASL_DICTIONARY | SASL_ACTIVE, true },
	{ "nodictionary", SASL_DICTIONARY, false },
	{ "noactive", SASL_ACTIVE, false },
	{ "mutual_auth", SASL_DICTIONARY, false },
	{ "mutual_auth", SASL_MUTUAL, true },
	{ "forward_secrecy", SASL_MUTUAL, false },
	{ "", SASL_NOT_OFFERED, false },
};

TEST(security_options)
{
	struct sasl_options options;
	struct why why;

	for (size_t i = 0; i < COUNT(choices); i++) {
		struct sasl_mechanism m = { .properties = choices[i].properties };

		test_row(i);
		CHECK(sasl_options_parse(str_c(choices[i].words), &options, &why) ==
			ACCEPT);
		CHECK(sasl_mechanism_is_good(&m, &options) == choices[i].good);
	}
	CHECK(sasl_options_parse(STR("noplaintext, secure"), &options, &why) == PERMFAIL);
	CHECK_STR(str_c(why.text), "unknown SASL security option \"secure\"");
}

/* ---- conversations ---- */

#define HELLO "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tANONYMOUS\tanonymous\nDONE\n"

/* What the server says when it is connected to, and to each AUTH or CONT in turn: @ is
 * the number of the request, a text that begins with ! is the last before it hangs up;
 * NULL: it says nothing more. */
static struct server {
	const char *hello;
	const char *says[8];
	size_t at, connections;
	bool absent;
	struct buf heard;
} server;

static void
answer(int fd, struct str line)
{
	const char *say = server.says[server.at];
	struct str word, id;
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (!str_starts(line, STR("AUTH")) && !str_starts(line, STR("CONT")))
		return;
	(void)str_split(&line, '\t', &word);
	(void)str_split(&line, '\t', &id);
	if (!say)
		return;
	server.at++;
	for (const char *c = say + (*say == '!'); *c; c++)
		if (*c == '@')
			buf_add(&text, id);
		else
			buf_addc(&text, *c);
	ensure(write_all(fd, buf_str(&text)) == 0);
	if (*say == '!')
		shutdown(fd, SHUT_RDWR);
}

static void
serve(void *arg)
{
	struct io io;
	struct buf in CLEANUP(buf_free) = BUF_INIT;
	char bytes[4096];
	ssize_t n, end;

	ensure(io_open(&io, (int)(intptr_t)arg) == 0);
	(void)io_write_all(&io, str_c(server.hello), DEADLINE_NEVER);
	while ((n = io_read(&io, bytes, sizeof(bytes), DEADLINE_NEVER)) > 0) {
		buf_add(&in, str_of(bytes, (size_t)n));
		while ((end = str_chr(buf_str(&in), '\n')) >= 0) {
			struct str line = str_sub(buf_str(&in), 0, (size_t)end);

			buf_add(&server.heard, line);
			buf_addc(&server.heard, '\n');
			answer(io.fd, line);
			buf_drop(&in, (size_t)end + 1);
		}
	}
	io_close(&io);
}

static int
connect_server(const char *endpoint, deadline_t patience)
{
	int pair[2];

	(void)patience;
	CHECK_STR(str_c(endpoint), "unix:private/auth");
	if (server.absent) {
		errno = ENOENT;
		return -1;
	}
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	server.connections++;
	co_spawn(serve, (void *)(intptr_t)pair[1], CO_STACK_SMALL);
	return pair[0];
}

static struct buf logged;

static void
keep_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&logged, line);
	buf_addc(&logged, '\n');
}

static struct sasl *
begin(const char *hello)
{
	static const struct sasl_config config = { .type = STR_INIT("dovecot"),
		.path = STR_INIT("private/auth"),
		.service = STR_INIT("smtp"),
		.connect = connect_server };
	struct why why;
	struct sasl *s = sasl_open(&config, &why);

	ensure(s);
	event_init();
	buf_free(&server.heard);
	buf_clear(&logged);
	log_capture(keep_line, NULL);
	server = (struct server){ .hello = hello };
	return s;
}

static struct sasl_client
somebody(void)
{
	struct sasl_client client = { .client_address = STR("192.0.2.1"),
		.server_address = STR("198.51.100.2") };
	struct why why;

	ensure(sasl_options_parse(STR("noanonymous"), &client.options, &why) == ACCEPT);
	return client;
}

struct play {
	struct sasl *s;
	void (*run)(struct sasl *s);
};

static void
play_run(void *arg)
{
	struct play *p = arg;

	p->run(p->s);
	sasl_close(p->s);
	event_stop();
}

static void
play(struct sasl *s, void (*run)(struct sasl *s))
{
	struct play p = { s, run };

	co_spawn(play_run, &p, CO_STACK_SMALL);
	event_run();
}

/* One exchange; the responses to its challenges are "cGxheQ==". The answer is shown as
 * "status text user". */
static void
check_exchange(struct sasl *s, const char *initial, const char *want)
{
	static const char *const names[] = { "more", "done", "fail", "tempfail" };
	struct sasl_client client = somebody();
	struct sasl_answer got;
	struct sasl_exchange *x =
		sasl_begin(s, &client, STR("PLAIN"), str_c(initial), &got);
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	while (got.status == SASL_MORE)
		sasl_continue(x, STR("cGxheQ=="), &got);
	buf_printf(&text, "%s " STR_FMT " " STR_FMT, names[got.status],
		STR_ARG(shown(got.text)), STR_ARG(shown(got.username)));
	CHECK_STR(buf_str(&text), want);
	sasl_end(x);
}

static void
good_and_bad(struct sasl *s)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct sasl_client client = somebody();
	struct strs names;

	CHECK(sasl_mechanisms(s, &client, arena, &names));
	CHECK_INT((long long)names.n, 1);
	CHECK_STR(names.items[0], "PLAIN");
	check_exchange(s, "AGEAYg==", "done  joe");
	client.secured = true;
	check_exchange(s, NULL, "done  joe");
	check_exchange(s, "=", "fail no joe");
	check_exchange(s, "A", "fail Invalid base64 data in initial response -");
	check_exchange(s, "=", "fail Authentication backend error -");
	CHECK_INT((long long)server.connections, 1);
	CHECK(str_find(buf_str(&server.heard),
		      STR("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=198.51.100.2\t"
			  "rip=192.0.2.1\tresp=AGEAYg==\n"
			  "AUTH\t2\tPLAIN\tservice=smtp\tnologin\tlip=198.51.100.2\t"
			  "rip=192.0.2.1\nCONT\t2\tcGxheQ==\n"
			  "AUTH\t3\tPLAIN\tservice=smtp\tnologin\tlip=198.51.100.2\t"
			  "rip=192.0.2.1\tresp==\n")) > 0);
}

TEST(answers_are_told)
{
	struct sasl *s = begin(HELLO);

	server.says[0] = "OK\t@\tuser=joe\n";
	server.says[1] = "CONT\t@\t\n";
	server.says[2] = "OK\t@\tuser=joe\n";
	server.says[3] = "FAIL\t@\tuser=joe\treason=no\n";
	server.says[4] = "OK\t@\tuser=\n";
	play(s, good_and_bad);
	CHECK_STR(buf_str(&logged),
		"warning: SASL: Dovecot auth socket 'private/auth': OK without a user\n");
}

/* Answers come in any order, and for nobody. */
static struct co_scope scope;

static void
first(void *arg)
{
	check_exchange(arg, "Zmlyc3Q=", "done  first");
}

static void
second(void *arg)
{
	check_exchange(arg, "c2Vjb25k", "done  second");
}

static void
two_at_a_time(struct sasl *s)
{
	co_scope_init(&scope);
	co_scope_spawn(&scope, first, s, CO_STACK_SMALL);
	co_scope_spawn(&scope, second, s, CO_STACK_SMALL);
	co_scope_end(&scope, false);
	CHECK_INT((long long)server.connections, 1);
}

TEST(one_connection_serves_many)
{
	struct sasl *s = begin(HELLO);

	server.says[0] = "";
	server.says[1] = "OK\t77\tuser=nobody\nOK\t2\tuser=second\nOK\t1\tuser=first\n";
	play(s, two_at_a_time);
}

#define LOST "tempfail Connection lost to authentication server -"

static void
lost_and_found(struct sasl *s)
{
	check_exchange(s, "=", "done  joe");
	CHECK_INT((long long)server.connections, 2);
	check_exchange(s, "=", LOST);
}

TEST(a_restart_of_the_server_is_not_noticed)
{
	struct sasl *s = begin(HELLO);

	server.says[0] = "!";
	server.says[1] = "OK\t@\tuser=joe\n";
	server.says[2] = "!CONT\t@\t\n"; /* it will not know what is continued */
	play(s, lost_and_found);
}

static void
nobody_there(struct sasl *s)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct sasl_client client = somebody();
	struct strs names;

	CHECK(!sasl_mechanisms(s, &client, arena, &names));
	check_exchange(s, "=", LOST);
}

TEST(a_server_that_is_not_there)
{
	struct sasl *s = begin(HELLO);

	server.absent = true;
	play(s, nobody_there);
	CHECK_STR(buf_str(&logged),
		"warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: "
		"No such file or directory\n");
}

static const struct {
	const char *hello, *log;
} strangers[] = {
	{ "220 smtp.example ESMTP\r\n", "protocol error" },
	{ "VERSION\t2\t0\nDONE\n", "protocol error" },
	{ "MECH\tPLAIN\nDONE\n", "protocol error" },
	{ "VERSION\t1\t0\nOK\t1\tuser=joe\nDONE\n", "protocol error" },
	{ "VERSION\t1\t0\nMECH\tA B\nDONE\n", "protocol error" },
};

TEST(what_is_no_auth_server)
{
	for (size_t i = 0; i < COUNT(strangers); i++) {
		struct sasl *s = begin(strangers[i].hello);

		test_row(i);
		play(s, nobody_there);
		CHECK(str_find(buf_str(&logged), str_c(strangers[i].log)) > 0);
	}
}

static void
endless_line(struct sasl *s)
{
	check_exchange(s, "=", LOST);
}

TEST(a_line_without_end)
{
	struct buf hello CLEANUP(buf_free) = BUF_INIT;
	struct sasl *s;

	buf_addz(&hello, "VERSION\t1\t0\nCOOKIE\t");
	while (hello.len < 20000)
		buf_addc(&hello, 'x');
	s = begin(buf_cstr(&hello));
	play(s, endless_line);
	CHECK(str_find(buf_str(&logged), STR("a line is too long")) > 0);
}

TEST_MAIN()
