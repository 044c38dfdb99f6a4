/* net_test.c -- connections that speak lines, over socket pairs. */
#include "net_impl.h"
#include "test.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void
in_loop(void (*fn)(void *))
{
	event_init();
	co_spawn(fn, NULL, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

static deadline_t
soon(void)
{
	return deadline_in(20 * 1000);
}

/* ---- lines, from bytes that come in pieces of every size ---- */

struct expected {
	enum conn_result result;
	const char *line;
	bool bare_lf, bare_cr;
};

static const struct {
	struct str bytes;
	struct expected lines[6]; /* then CONN_CLOSED */
} inputs[] = {
	{ STR_INIT("EHLO a\r\nQUIT\r\n"), { { CONN_LINE, "EHLO a", false, false },
						  { CONN_LINE, "QUIT", false, false } } },
	{ STR_INIT("a\nb\r\n\n\r\n"),
		{ { CONN_LINE, "a", true, false }, { CONN_LINE, "b", false, false },
			{ CONN_LINE, "", true, false },
			{ CONN_LINE, "", false, false } } },
	{ STR_INIT("a\rb\r\r\n\r\n"), { { CONN_LINE, "a\rb\r", false, true },
					      { CONN_LINE, "", false, false } } },
	{ STR_INIT("no end"), { { CONN_CLOSED, NULL, false, false } } },
	{ STR_INIT("1234567890\r\nx\r\n"), { { CONN_LINE, "1234567890", false, false },
						   { CONN_LINE, "x", false, false } } },
	{ STR_INIT("12345678901\r\nx\r\n"), { { CONN_TOO_LONG, NULL, false, false },
						    { CONN_LINE, "x", false, false } } },
	{ STR_INIT("12345678901\nx\r\n"), { { CONN_TOO_LONG, NULL, false, false },
						  { CONN_LINE, "x", false, false } } },
	{ STR_INIT("1234567890 2345 7890 234567890\r\n\r\n"),
		{ { CONN_TOO_LONG, NULL, false, false },
			{ CONN_LINE, "", false, false } } },
};

static struct conn *served;
static int client = -1;

static void
open_conn(void)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	client = pair[0];
	served = conn_open(pair[1]);
}

static void
close_conn(void)
{
	conn_close(served);
	close(client);
}

static struct str to_send;
static size_t piece;

/* The client writes its bytes piece by piece and hangs up. */
static void
send_pieces(void *arg)
{
	struct str rest = to_send;

	(void)arg;
	while (rest.len > 0) {
		size_t n = MIN(piece, rest.len);

		CHECK(write(client, rest.data, n) == (ssize_t)n);
		rest = str_from(rest, n);
		co_yield ();
	}
	shutdown(client, SHUT_WR);
}

static void
check_lines(const struct expected *want)
{
	for (;; want++) {
		struct str line;
		enum conn_result got = conn_read_line(served, &line, soon());

		if (!want->line && want->result == CONN_LINE) {
			CHECK(got == CONN_CLOSED);
			return;
		}
		CHECK(got == want->result);
		if (got == CONN_CLOSED)
			return;
		if (got != CONN_LINE)
			continue;
		CHECK_STR(line, want->line);
		CHECK(served->bare_lf == want->bare_lf);
		CHECK(served->bare_cr == want->bare_cr);
	}
}

static void
lines(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < COUNT(inputs); i++) {
		for (piece = 1; piece <= inputs[i].bytes.len; piece++) {
			test_row(i * 100 + piece);
			open_conn();
			served->line_limit = 10;
			to_send = inputs[i].bytes;
			co_spawn(send_pieces, NULL, CO_STACK_LARGE);
			check_lines(inputs[i].lines);
			CHECK_INT((long long)served->received,
				(long long)inputs[i].bytes.len);
			close_conn();
		}
	}
	event_stop();
}

TEST(lines_are_read_in_pieces)
{
	in_loop(lines);
}

static void
nul_in_line(void *arg)
{
	struct str line;

	(void)arg;
	open_conn();
	CHECK(write(client, "a\0b\r\n", 5) == 5);
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	CHECK_INT((long long)line.len, 3);
	CHECK(memcmp(line.data, "a\0b", 3) == 0);
	close_conn();
	event_stop();
}

TEST(a_nul_is_the_callers_affair)
{
	in_loop(nul_in_line);
}

/* ---- output ---- */

static size_t
drain(char *room, size_t size)
{
	ssize_t n = recv(client, room, size, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

static struct str last_line;
static enum conn_result last_result;
static bool reader_done;
static void
read_one_line(void *arg)
{
	(void)arg;
	last_result = conn_read_line(served, &last_line, soon());
	reader_done = true;
}

static void
output(void *arg)
{
	char room[200];
	struct str line;

	(void)arg;
	open_conn();
	/* Commands sent ahead are answered together. */
	CHECK(write(client, "A\r\nB\r\nC", 7) == 7);
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	conn_write(served, STR("1\r\n"));
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	conn_printf(served, "%d\r\n", 2);
	CHECK_STR(conn_pending(served), "C");
	CHECK_INT((long long)drain(room, sizeof(room)), 0);
	reader_done = false;
	co_spawn(read_one_line, NULL, CO_STACK_LARGE);
	while (served->sent < 6)
		co_yield ();
	CHECK_INT((long long)drain(room, sizeof(room)), 6);
	CHECK(memcmp(room, "1\r\n2\r\n", 6) == 0);
	CHECK(!reader_done);
	CHECK(write(client, "\r\n", 2) == 2);
	while (!reader_done)
		co_yield ();
	CHECK(last_result == CONN_LINE);
	conn_write(served, STR("3\r\n"));
	CHECK(conn_flush(served, soon()) == CONN_OK);
	CHECK_INT((long long)drain(room, sizeof(room)), 3);
	conn_idle(served);
	CHECK(served->in.data == NULL && served->out.data == NULL);
	close_conn();
	event_stop();
}

TEST(output_waits_for_a_quiet_moment)
{
	in_loop(output);
}

/* A large answer to a slow reader: waits, and loses nothing. */
enum { LARGE = 3 * 1000 * 1000 };
static size_t drained;
static void
drain_slowly(void *arg)
{
	static char room[50000];

	(void)arg;
	while (drained < LARGE) {
		size_t n = drain(room, sizeof(room));

		for (size_t i = 0; i < n; i++, drained++) {
			if (room[i] != (char)(drained % 251))
				CHECK(!"bytes in order");
		}
		co_yield ();
	}
}

static void
large_output(void *arg)
{
	char *bytes = mem_alloc(LARGE);

	(void)arg;
	open_conn();
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (char)(i % 251);
	drained = 0;
	co_spawn(drain_slowly, NULL, CO_STACK_LARGE);
	conn_write(served, str_of(bytes, LARGE));
	CHECK(conn_flush(served, soon()) == CONN_OK);
	while (drained < LARGE)
		co_yield ();
	CHECK_INT((long long)served->sent, LARGE);
	mem_free(bytes);
	close_conn();
	event_stop();
}

TEST(a_slow_reader_gets_everything)
{
	in_loop(large_output);
}

/* ---- peek ---- */

static void
peek(void *arg)
{
	struct buf got CLEANUP(buf_free) = BUF_INIT;
	struct str bytes, line;

	(void)arg;
	open_conn();
	CHECK(write(client, "DATA\r\nbody", 10) == 10);
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	CHECK(conn_peek(served, &bytes, soon()) == CONN_OK);
	CHECK_STR(bytes, "body");
	conn_consume(served, 2);
	CHECK(conn_peek(served, &bytes, soon()) == CONN_OK);
	CHECK_STR(bytes, "dy");
	conn_consume(served, 2);
	to_send = STR("some more of this\r\nQUIT\r\n");
	piece = 3;
	co_spawn(send_pieces, NULL, CO_STACK_LARGE);
	while (got.len < 18 && conn_peek(served, &bytes, soon()) == CONN_OK) {
		bytes = str_sub(bytes, 0, 18 - got.len);
		buf_add(&got, bytes);
		conn_consume(served, bytes.len);
	}
	CHECK_STR(buf_str(&got), "some more of this\r");
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "");
	CHECK(conn_read_line(served, &line, soon()) == CONN_LINE);
	CHECK_STR(line, "QUIT");
	CHECK(conn_peek(served, &bytes, soon()) == CONN_CLOSED);
	close_conn();
	event_stop();
}

TEST(bulk_can_be_peeked_at)
{
	in_loop(peek);
}

/* ---- ends ---- */

static void
ends(void *arg)
{
	char room[10];
	struct str line;
	struct co_scope scope;

	(void)arg;
	/* Time runs out; a last word can still be said. */
	open_conn();
	CHECK(conn_read_line(served, &line, event_now()) == CONN_TIMEOUT);
	conn_write(served, STR("421"));
	CHECK(conn_flush(served, soon()) == CONN_OK);
	CHECK_INT((long long)drain(room, sizeof(room)), 3);

	/* Cancelled. */
	co_scope_init(&scope);
	reader_done = false;
	co_scope_spawn(&scope, read_one_line, NULL, CO_STACK_LARGE);
	co_yield ();
	co_scope_end(&scope, true);
	CHECK(reader_done && last_result == CONN_CANCELED);

	/* The peer is gone: first the end, then an error that stays. */
	close(client);
	CHECK(conn_read_line(served, &line, soon()) == CONN_CLOSED);
	conn_write(served, STR("421"));
	CHECK(conn_flush(served, soon()) == CONN_CLOSED);
	CHECK_INT(served->error, EPIPE);
	CHECK(conn_flush(served, soon()) == CONN_CLOSED);
	conn_close(served);
	errno = 0;
	CHECK(conn_open(-1) == NULL && errno == EBADF);
	event_stop();
}

TEST(connections_end_in_several_ways)
{
	in_loop(ends);
}

/* Someone who never stops sending and never ends a line. */
static void
endless(void *arg)
{
	static char noise[60000];
	(void)arg;
	memset(noise, 'x', sizeof(noise));
	while (!reader_done) {
		(void)!send(client, noise, sizeof(noise), MSG_DONTWAIT | MSG_NOSIGNAL);
		co_yield ();
	}
}

static void
patience_ends(void *arg)
{
	struct str line;

	(void)arg;
	open_conn();
	reader_done = false;
	co_spawn(endless, NULL, CO_STACK_LARGE);
	CHECK(conn_read_line(served, &line, deadline_in(30)) == CONN_TIMEOUT);
	CHECK(served->in.room <= 64 * 1024);
	reader_done = true;
	co_yield ();
	close_conn();
	event_stop();
}

TEST(noise_does_not_stretch_the_deadline)
{
	in_loop(patience_ends);
}

TEST_MAIN()
