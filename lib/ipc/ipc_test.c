/* ipc_test.c -- links over socket pairs: calls, streams, descriptors, and peers that
 * break the rules. */
#include "ipc_impl.h"
#include "log.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ECHO = 1, SLOW, COUNT_BYTES, EARLY, SWALLOW, TELL, PASS, IN_PLACE, FILES };

static void
in_loop(void (*fn)(void *))
{
	event_init();
	co_spawn(fn, NULL, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

/* What the log was told, newest last line only. */
static char logged[300];
static void
keep_log(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	snprintf(logged, sizeof(logged), STR_FMT, STR_ARG(line));
}

static bool
was_logged(const char *text)
{
	return str_find(str_c(logged), str_c(text)) >= 0;
}

static deadline_t
soon(void)
{
	return deadline_in(20 * 1000);
}

/* ---- the answering side ---- */

static struct ipc_request *held[20000];
static size_t held_n;
static size_t echoed, told;
static char told_text[100];

static void
run_echo(struct ipc_request *rq)
{
	echoed++;
	ipc_reply(rq, rq->payload, rq->fd);
}

static void
run_slow(struct ipc_request *rq)
{
	held[held_n++] = rq;
}

static void
run_count(struct ipc_request *rq)
{
	uint64_t n = 0, sum = 0;
	struct str chunk;
	int got;
	char text[60];

	while ((got = ipc_request_read(rq, &chunk, soon())) > 0) {
		n += chunk.len;
		for (size_t i = 0; i < chunk.len; i++)
			sum += (unsigned char)chunk.data[i];
	}
	if (got < 0)
		told = (size_t)errno;
	snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)n,
		(unsigned long long)sum);
	ipc_reply(rq, got < 0 ? STR("lost") : str_c(text), -1);
}

static void
run_early(struct ipc_request *rq)
{
	struct str chunk;

	(void)ipc_request_read(rq, &chunk, soon());
	ipc_reply(rq, STR("enough"), -1);
}

static void
run_tell(struct ipc_request *rq)
{
	told++;
	snprintf(told_text, sizeof(told_text), STR_FMT, STR_ARG(rq->payload));
	ipc_done(rq);
}

/* Says what stands in the file that came along. */
static void
run_pass(struct ipc_request *rq)
{
	char text[50] = "";
	ssize_t n = rq->fd < 0 ? -1 : pread(rq->fd, text, sizeof(text), 0);

	ipc_reply(rq, n < 0 ? STR("nothing") : str_of(text, (size_t)n), -1);
}

/* The same for several, one behind the other. */
static void
run_many(struct ipc_request *rq)
{
	char text[200] = "";
	size_t len = 0;

	for (size_t i = 0; i <= rq->n_more_fds; i++) {
		ssize_t n = pread(i == 0 ? rq->fd : rq->more_fds[i - 1], text + len,
			sizeof(text) - len, 0);

		len += n > 0 ? (size_t)n : 0;
	}
	ipc_reply(rq, str_of(text, len), -1);
}

static const struct ipc_handler handlers[] = {
	{ .type = ECHO, .run = run_echo },
	{ .type = SLOW, .run = run_slow, .direct = true, .last_words = true },
	{ .type = COUNT_BYTES, .run = run_count },
	{ .type = EARLY, .run = run_early },
	{ .type = TELL, .run = run_tell, .direct = true },
	{ .type = PASS, .run = run_pass, .direct = true },
	{ .type = FILES, .run = run_many },
	{ .type = IN_PLACE, .run = run_echo, .direct = true, .in_place = true },
	{ .type = 0 },
};

/* ---- two ends of a socket pair ---- */

static struct ipc_link *ours, *theirs;
static unsigned closed;

static void
on_close(struct ipc_link *l, void *ctx)
{
	(void)ctx;
	closed++;
	if (l == ours)
		ours = NULL;
	if (l == theirs)
		theirs = NULL;
}

static int raw[2];
static void
open_pair(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw) == 0);
	closed = 0;
	held_n = 0;
	echoed = told = 0;
	logged[0] = 0;
	log_capture(keep_log, NULL);
	theirs = ipc_link_open(raw[1], handlers, NULL, on_close, "theirs");
}

static void
open_both(void)
{
	open_pair();
	ours = ipc_link_open(raw[0], handlers, NULL, on_close, "ours");
}

static void
close_both(void)
{
	if (ours)
		ipc_link_close(ours);
	if (theirs)
		ipc_link_close(theirs);
	while (ours || theirs)
		co_yield ();
	log_capture(NULL, NULL);
	event_stop();
}

static void
wait_closed(unsigned n)
{
	while (closed < n)
		co_yield ();
}

static void
calls_both_ways(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf big CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	(void)arg;
	open_both();
	CHECK(ipc_link_call(ours, ECHO, STR("hello"), -1, arena, &reply, NULL, soon()) ==
		0);
	CHECK_STR(reply, "hello");
	CHECK(ipc_link_call(theirs, ECHO, STR(""), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(reply, "");
	CHECK(ipc_link_call(
		      ours, IN_PLACE, STR("here"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(reply, "here");
	/* Sizes around the read buffer, and the largest. */
	for (size_t n = 1000; n <= IPC_FRAME_LIMIT; n = n * 4 + 3) {
		while (big.len < n)
			buf_addc(&big, (char)big.len);
		CHECK(ipc_link_call(ours, ECHO, buf_str(&big), -1, arena, &reply, NULL,
			      soon()) == 0);
		CHECK(str_eq(reply, buf_str(&big)));
	}
	ipc_link_note(ours, TELL, STR("a note"), -1);
	while (told == 0)
		co_yield ();
	CHECK_STR(str_c(told_text), "a note");
	close_both();
}

TEST(calls_go_both_ways)
{
	in_loop(calls_both_ways);
}

/* Ten thousand in flight, answered backwards. */
enum { MANY = 10000 };
static size_t ended, failed, cut_short;
static bool right_order;

static void
one_of_many(void *arg, int error, struct str reply)
{
	char want[20];

	snprintf(want, sizeof(want), "%zu", (size_t)(uintptr_t)arg);
	right_order = right_order && (error || str_is(reply, want));
	ended += error == 0;
	failed += error == ECONNRESET;
}

static void
call_many(void)
{
	right_order = true;
	ended = failed = 0;
	for (size_t i = 0; i < MANY; i++) {
		char text[20];

		snprintf(text, sizeof(text), "%zu", i);
		ipc_link_call_then(
			ours, SLOW, str_c(text), -1, one_of_many, (void *)(uintptr_t)i);
	}
	while (held_n < MANY)
		co_yield ();
}

static void
many_in_flight(void *arg)
{
	(void)arg;
	open_both();
	for (int round = 0; round < 2; round++) {
		call_many();
		while (held_n > 0) {
			struct ipc_request *rq = held[--held_n];

			ipc_reply(rq, rq->payload, -1);
		}
		while (ended < MANY)
			co_yield ();
		CHECK(right_order);
	}
	CHECK_INT((long long)ours->calls.n, MANY); /* places were used again */
	close_both();
}

TEST(ten_thousand_calls_in_flight)
{
	in_loop(many_in_flight);
}

static void
lost_while_pending(void *arg)
{
	(void)arg;
	open_both();
	call_many();
	ipc_link_close(theirs);
	wait_closed(2);
	CHECK_INT((long long)failed, MANY);
	/* The handlers answer into the void. */
	for (size_t i = 0; i < held_n; i++) {
		CHECK(ipc_request_gone(held[i]));
		ipc_reply(held[i], STR("late"), -1);
	}
	CHECK_INT((long long)ended, 0);
	close_both();
}

TEST(pending_calls_fail_with_their_link)
{
	in_loop(lost_while_pending);
}

static void
ignore_answer(void *arg, int error, struct str reply)
{
	(void)arg, (void)error, (void)reply;
}

/* All of it lies unread when the caller has gone already. */
static void
hung_up(void *arg)
{
	(void)arg;
	open_both();
	ipc_link_call_then(ours, SLOW, STR("x"), -1, ignore_answer, NULL);
	ipc_link_call_then(ours, ECHO, STR("x"), -1, ignore_answer, NULL);
	ipc_link_call_then(ours, IN_PLACE, STR("x"), -1, ignore_answer, NULL);
	ipc_link_note(ours, TELL, STR("last words"), -1);
	ipc_link_close(ours);
	wait_closed(2);
	CHECK_INT((long long)echoed, 0);
	CHECK_INT((long long)held_n, 1);
	ipc_reply(held[0], STR_NONE, -1);
	CHECK_STR(str_c(told_text), "last words");
	close_both();
}

TEST(only_last_words_of_a_caller_that_hung_up_count)
{
	in_loop(hung_up);
}

/* What was sent is answered, what comes later fails at once, and then the link is gone.
 */
static void
finishing(void *arg)
{
	(void)arg;
	open_both();
	CHECK(ipc_link_idle(theirs));
	call_many();
	CHECK(!ipc_link_idle(theirs));
	ipc_link_finish(theirs);
	while (held_n > 0) {
		struct ipc_request *rq = held[--held_n];

		ipc_reply(rq, rq->payload, -1);
	}
	wait_closed(2);
	CHECK(right_order);
	CHECK_INT((long long)ended, MANY);
	CHECK_INT((long long)failed, 0);
	close_both();
}

TEST(a_link_is_finished_with_its_answers)
{
	in_loop(finishing);
}

/* ---- giving up ---- */

static void
give_up(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str reply;
	struct buf big CLEANUP(buf_free) = BUF_INIT;
	uint32_t id;

	(void)arg;
	open_both();
	for (int i = 0; i < 100000; i++)
		buf_addc(&big, 'x');
	/* Patience that has passed already: the payload may not be borrowed any longer.
	 */
	CHECK(ipc_link_call(ours, SLOW, buf_str(&big), -1, arena, &reply, NULL,
		      event_now()) < 0);
	CHECK(errno == ETIMEDOUT);
	buf_free(&big);
	failed = ended = 0;
	id = ipc_link_call_then(ours, SLOW, STR("y"), -1, one_of_many, NULL);
	ipc_link_cancel(ours, id);
	while (held_n < 2 || !ipc_request_gone(held[0]) || !ipc_request_gone(held[1]))
		co_yield ();
	CHECK_INT((long long)held[0]->payload.len, 100000);
	CHECK(held[0]->payload.data[99999] == 'x');
	CHECK_INT((long long)ours->free_calls.n, 0); /* not before the replies */
	ipc_reply(held[0], STR("late"), -1);
	ipc_reply(held[1], STR("late"), -1);
	CHECK(ipc_link_call(ours, ECHO, STR("z"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(reply, "z");
	CHECK_INT((long long)(ended + failed), 0);
	close_both();
}

TEST(a_call_may_be_given_up)
{
	in_loop(give_up);
}

static void
cancelled_caller(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str reply;

	(void)arg;
	CHECK(ipc_link_call(ours, SLOW, STR(""), -1, arena, &reply, NULL, soon()) < 0);
	cut_short = (size_t)errno;
}

static void
cancel_from_outside(void *arg)
{
	struct co_scope scope;

	(void)arg;
	open_both();
	co_scope_init(&scope);
	co_scope_spawn(&scope, cancelled_caller, NULL, CO_STACK_LARGE);
	while (held_n == 0)
		co_yield ();
	co_scope_end(&scope, true);
	CHECK_INT((long long)cut_short, ECANCELED);
	while (!ipc_request_gone(held[0]))
		co_yield ();
	ipc_reply(held[0], STR_NONE, -1);
	close_both();
}

TEST(a_cancelled_coroutine_cancels_its_call)
{
	in_loop(cancel_from_outside);
}

/* ---- descriptors ---- */

/* A file that holds text. */
static int
file_with(const char *text)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), text);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static size_t files_open;
static void
file_came(void *arg, int error, struct str reply)
{
	char want[20];

	snprintf(want, sizeof(want), "file %zu", (size_t)(uintptr_t)arg);
	CHECK(error == 0);
	CHECK_STR(reply, want);
	files_open--;
}

/* Files between frames that have none: each arrives with its own frame. */
static void
pass_files(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf filler_text CLEANUP(buf_free) = BUF_INIT;
	struct str reply;
	int fd, back;

	(void)arg;
	open_both();
	for (int i = 0; i < 3000; i++)
		buf_addc(&filler_text, '.');
	for (size_t i = 0; i < 500; i++) {
		char text[20];

		snprintf(text, sizeof(text), "file %zu", i);
		fd = file_with(text);
		for (size_t k = 0; k < i % 4; k++)
			ipc_link_note(ours, TELL, buf_str(&filler_text), -1);
		files_open++;
		ipc_link_call_then(
			ours, PASS, STR("p"), fd, file_came, (void *)(uintptr_t)i);
		close(fd);
	}
	while (files_open > 0)
		co_yield ();

	/* And back with a reply; whoever does not ask for it does not keep it. */
	fd = file_with("there and back");
	CHECK(ipc_link_call(ours, ECHO, STR("e"), fd, arena, &reply, &back, soon()) == 0);
	CHECK(back >= 0 && back != fd);
	CHECK(lseek(back, 0, SEEK_END) == 14);
	close(back);
	CHECK(ipc_link_call(ours, ECHO, STR("e"), fd, arena, &reply, NULL, soon()) == 0);
	CHECK(ipc_link_call(ours, ECHO, STR("e"), -1, arena, &reply, &back, soon()) == 0);
	CHECK(back == -1);
	close(fd);
	close_both();
}

TEST(descriptors_travel_with_their_frames)
{
	in_loop(pass_files);
}

/* ---- streams, through a peer ---- */

static unsigned connects;
static int connect_error;

static int
test_connect(const char *name, deadline_t patience)
{
	(void)patience;
	CHECK_STR(str_c(name), "counter");
	connects++;
	co_yield (); /* as asking broker would */
	if (connect_error) {
		errno = connect_error;
		return -1;
	}
	open_pair();
	return raw[0];
}

static uint64_t
fill(struct buf *b, size_t n)
{
	uint64_t sum = 0;

	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		buf_addc(b, (char)(i * 7));
		sum += (unsigned char)(i * 7);
	}
	return sum;
}

static const size_t stream_sizes[] = { 0, 1, 8191, 8192, 100000, 3 * IPC_WINDOW + 5 };
static const size_t piece_sizes[] = { 1000, 9000, 1024 * 1024 };

static void
stream_one(struct ipc_peer *p, size_t size, size_t piece)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	uint64_t sum = fill(&bytes, size);
	struct ipc_stream *s = ipc_stream_begin(p, COUNT_BYTES, STR(""), soon());
	struct str rest = buf_str(&bytes), reply;
	char want[60];

	CHECK(s != NULL);
	while (rest.len > 0) {
		CHECK(ipc_stream_write(s, str_sub(rest, 0, piece), soon()) == 0);
		rest = str_from(rest, MIN(piece, rest.len));
	}
	CHECK(ipc_stream_finish(s, arena, &reply, soon()) == 0);
	snprintf(want, sizeof(want), "%zu %llu", size, (unsigned long long)sum);
	CHECK_STR(reply, want);
}

static void
streams(void *arg)
{
	struct ipc_peer *p = ipc_peer_new("counter", test_connect, NULL, NULL);

	(void)arg;
	for (size_t i = 0; i < COUNT(stream_sizes); i++) {
		for (size_t k = 0; k < COUNT(piece_sizes); k++) {
			test_row(i * 10 + k);
			stream_one(p, stream_sizes[i], piece_sizes[k]);
		}
	}
	CHECK_INT(connects, 1);
	CHECK_INT((long long)theirs->held, 0);
	CHECK_INT((long long)theirs->streams_in, 0);
	ipc_link_close(ipc_peer_link_now(p));
	close_both();
	mem_free(p);
}

TEST(streams_larger_than_the_window)
{
	connects = 0;
	connect_error = 0;
	in_loop(streams);
}

/* With a frame go as many descriptors as it may have, and they keep their order. */
static void
many_descriptors(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct ipc_peer *p = ipc_peer_new("counter", test_connect, NULL, NULL);
	struct str reply;
	int fds[IPC_FDS_MOST];

	(void)arg;
	for (size_t i = 0; i < IPC_FDS_MOST; i++) {
		char name[2] = { (char)('a' + i), 0 };

		fds[i] = file_with(name);
	}
	for (size_t n = 1; n <= IPC_FDS_MOST; n += 5) {
		struct ipc_stream *s =
			ipc_stream_begin_with(p, FILES, STR("m"), fds, n, soon());

		CHECK(s != NULL);
		CHECK(ipc_stream_finish(s, arena, &reply, soon()) == 0);
		CHECK(str_eq(reply, str_sub(STR("abcdefghijklmnop"), 0, n)));
	}
	for (size_t i = 0; i < IPC_FDS_MOST; i++)
		close(fds[i]);
	ipc_link_close(ipc_peer_link_now(p));
	close_both();
	mem_free(p);
}

TEST(many_descriptors_with_one_frame)
{
	connects = 0;
	connect_error = 0;
	in_loop(many_descriptors);
}

/* A peer that leaves answers what it was asked, and is asked nothing any more: the next
 * call goes to another one. */
static void
leaving(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct ipc_peer *p = ipc_peer_new("counter", test_connect, NULL, NULL);
	struct ipc_stream *s;
	struct ipc_link *first;
	struct str reply;

	(void)arg;
	stream_one(p, 1000, 1000);
	first = ipc_peer_link_now(p);
	s = ipc_stream_begin(p, COUNT_BYTES, STR_NONE, soon());
	CHECK(s != NULL);
	CHECK(ipc_stream_write(s, STR("abc"), soon()) == 0);
	ipc_link_leave(theirs);
	while (ipc_peer_link_now(p))
		co_yield ();
	CHECK(!first->closing);
	CHECK(ipc_stream_write(s, STR("def"), soon()) == 0);
	CHECK(ipc_stream_finish(s, arena, &reply, soon()) == 0);
	CHECK(str_starts(reply, STR("6 ")));
	wait_closed(1);
	CHECK_INT(connects, 1);
	stream_one(p, 1000, 1000);
	CHECK_INT(connects, 2);
	ipc_link_close(ipc_peer_link_now(p));
	close_both();
	mem_free(p);
}

TEST(a_peer_that_leaves_is_asked_no_more)
{
	connects = 0;
	connect_error = 0;
	in_loop(leaving);
}

static void
early_reply(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct ipc_peer *p = ipc_peer_new("counter", test_connect, NULL, NULL);
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct ipc_stream *s;
	struct str reply;
	int result = 0;

	(void)arg;
	fill(&bytes, 100000);
	s = ipc_stream_begin(p, EARLY, STR(""), soon());
	for (int i = 0; i < 100 && result == 0; i++)
		result = ipc_stream_write(s, buf_str(&bytes), soon());
	CHECK(result < 0 && errno == EPIPE);
	CHECK(ipc_stream_finish(s, arena, &reply, soon()) == 0);
	CHECK_STR(reply, "enough");
	/* The link goes on. */
	stream_one(p, 5000, 1000);

	/* Given up in the middle: the reader hears of it. */
	told = 0;
	s = ipc_stream_begin(p, COUNT_BYTES, STR(""), soon());
	CHECK(ipc_stream_write(s, buf_str(&bytes), soon()) == 0);
	ipc_stream_abort(s);
	while (told == 0)
		co_yield ();
	CHECK_INT((long long)told, ECANCELED);

	/* Lost in the middle. */
	s = ipc_stream_begin(p, SLOW, STR(""), soon());
	ipc_link_close(theirs);
	result = 0;
	while (result == 0)
		result = ipc_stream_write(s, buf_str(&bytes), soon());
	CHECK(errno == ECONNRESET);
	CHECK(ipc_stream_finish(s, arena, &reply, soon()) < 0);
	CHECK(errno == ECONNRESET);

	/* Lost in this very turn, with much unsent. */
	s = ipc_stream_begin(p, SLOW, STR(""), soon());
	while (bytes.len < 3000000)
		buf_addc(&bytes, 'x');
	for (int i = 0; i < 5; i++)
		ipc_link_note(ipc_peer_link_now(p), TELL, buf_str(&bytes), -1);
	ipc_link_close(ipc_peer_link_now(p));
	CHECK(ipc_stream_write(s, buf_str(&bytes), soon()) < 0 && errno == ECONNRESET);
	ipc_stream_abort(s);
	wait_closed(1);
	while (held_n > 0)
		ipc_reply(held[--held_n], STR_NONE, -1);
	close_both();
	mem_free(p);
}

TEST(streams_end_early)
{
	in_loop(early_reply);
}

/* ---- peers ---- */

static unsigned greeted;
static void
greet(struct ipc_link *l, void *ctx)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str reply;

	(void)ctx;
	CHECK(ipc_link_call(l, ECHO, STR("hi"), -1, arena, &reply, NULL, soon()) == 0);
	greeted++;
}

static void
peers(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct ipc_peer *p = ipc_peer_new("counter", test_connect, NULL, NULL);
	struct str reply;

	(void)arg;
	ipc_peer_on_connect(p, greet);
	connect_error = ENOENT;
	CHECK(ipc_call(p, ECHO, STR("a"), -1, arena, &reply, soon()) < 0 &&
		errno == ENOENT);
	CHECK(ipc_peer_link_now(p) == NULL);
	connect_error = 0;
	CHECK(ipc_call(p, ECHO, STR("b"), -1, arena, &reply, soon()) == 0);
	CHECK_INT(greeted, 1);

	/* The other side goes away unnoticed: the call finds out, and is tried again. */
	shutdown(theirs->io.fd, SHUT_RDWR);
	CHECK(ipc_call(p, ECHO, STR("c"), -1, arena, &reply, soon()) == 0);
	CHECK_STR(reply, "c");
	CHECK_INT(greeted, 2);
	CHECK_INT(connects, 3);
	ipc_link_close(ipc_peer_link_now(p));
	close_both();
	mem_free(p);
}

TEST(peers_connect_when_needed)
{
	connects = 0;
	in_loop(peers);
}

/* ---- those who break the rules ---- */

static void
say(int fd, const struct frame *f, struct str payload)
{
	char header[FRAME_HEADER];

	frame_put(header, f);
	CHECK(write(fd, header, sizeof(header)) == sizeof(header));
	CHECK(write(fd, payload.data, payload.len) == (ssize_t)payload.len);
}

static const struct {
	struct frame frame;
	struct str payload;
	const char *why;
} breaches[] = {
	{ { .len = IPC_FRAME_LIMIT + 1, .kind = FRAME_CALL, .type = ECHO }, STR_INIT(""),
		"above the limit" },
	{ { .kind = 99 }, STR_INIT(""), "unknown kind" },
	{ { .kind = 0 }, STR_INIT(""), "unknown kind" },
	{ { .kind = FRAME_HELLO }, STR_INIT(""), "HELLO where none belongs" },
	{ { .kind = FRAME_NOTE, .type = TELL, .flags = 0x80 }, STR_INIT(""),
		"unknown flags" },
	{ { .kind = FRAME_NOTE, .type = TELL, .flags = FRAME_FD }, STR_INIT(""),
		"did not come" },
	{ { .kind = FRAME_NOTE, .type = 999 }, STR_INIT(""), "do not answer" },
	{ { .kind = FRAME_CALL, .type = 999 }, STR_INIT(""), "do not answer" },
	{ { .kind = FRAME_NOTE, .type = TELL, .flags = FRAME_STREAM }, STR_INIT(""),
		"note with a stream" },
	{ { .kind = FRAME_CALL, .type = SLOW, .id = IPC_CALLS_LIMIT }, STR_INIT(""),
		"too many calls" },
	{ { .kind = FRAME_REPLY, .id = 5 }, STR_INIT(""), "was not made" },
	{ { .len = 4, .kind = FRAME_CREDIT, .id = 5 }, STR_INIT("\0\0\0\1"),
		"credit for nothing" },
};

static void
break_rules(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < COUNT(breaches); i++) {
		int mine;

		test_row(i);
		open_pair();
		mine = raw[0];
		say(mine, &breaches[i].frame, breaches[i].payload);
		wait_closed(1);
		CHECK(was_logged("link with theirs"));
		CHECK(was_logged(breaches[i].why));
		close(mine);
	}
	close_both();
}

/* A length that is too large is no reason to make room, however little of it came. */
static void
half_header(void *arg)
{
	(void)arg;
	open_pair();
	CHECK(write(raw[0], "\xff\xff\xff\xff\0", 5) == 5);
	co_yield ();
	co_yield ();
	CHECK(theirs->in.room < 1000);
	CHECK(write(raw[0], "1234567", 7) == 7);
	wait_closed(1);
	CHECK(was_logged("above the limit"));
	close(raw[0]);
	close_both();
}

TEST(a_large_length_makes_no_room)
{
	in_loop(half_header);
}

TEST(a_broken_frame_closes_the_link)
{
	in_loop(break_rules);
}

/* A note to who answers calls, a call to who takes notes: nobody falls over. */
static void
wrong_kind(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str reply;

	(void)arg;
	open_both();
	ipc_link_note(ours, ECHO, STR("x"), -1);
	ipc_link_note(ours, IN_PLACE, STR("x"), -1);
	CHECK(ipc_link_call(ours, TELL, STR("y"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(reply, "");
	CHECK_INT((long long)told, 1);
	CHECK(ipc_link_call(ours, ECHO, STR("z"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(reply, "z");
	close_both();
}

TEST(notes_and_calls_may_be_mixed_up)
{
	in_loop(wrong_kind);
}

/* Rules that need more than one frame to be broken. */
static void
break_rules_of_streams(void *arg)
{
	struct frame call = { .kind = FRAME_CALL, .type = SLOW, .flags = FRAME_STREAM };
	struct frame data = { .kind = FRAME_DATA, .len = 4 };
	struct frame end = { .kind = FRAME_END };

	(void)arg;
	open_pair();
	say(raw[0], &call, STR(""));
	say(raw[0], &call, STR(""));
	wait_closed(1);
	CHECK(was_logged("id of a call that is in hand"));
	ipc_reply(held[0], STR_NONE, -1);
	close(raw[0]);

	open_pair();
	say(raw[0], &data, STR("late")); /* for a call that is over: harmless */
	say(raw[0], &call, STR(""));
	say(raw[0], &end, STR(""));
	say(raw[0], &data, STR("more"));
	wait_closed(1);
	CHECK(was_logged("data where no stream is"));
	ipc_reply(held[0], STR_NONE, -1);
	close(raw[0]);
	close_both();
}

TEST(broken_streams_close_the_link)
{
	in_loop(break_rules_of_streams);
}

/* A sender that ignores the window. */
static void
flood(void *arg)
{
	struct frame call = { .kind = FRAME_CALL, .type = SLOW, .flags = FRAME_STREAM };
	struct frame data = { .kind = FRAME_DATA, .len = IPC_CHUNK };
	char *chunk = mem_alloc(IPC_CHUNK);

	(void)arg;
	open_pair();
	say(raw[0], &call, STR(""));
	for (int i = 0; i < 5; i++) {
		say(raw[0], &data, str_of(chunk, IPC_CHUNK));
		co_yield ();
	}
	wait_closed(1);
	CHECK(was_logged("more than the window"));
	ipc_reply(held[0], STR_NONE, -1);
	close(raw[0]);
	mem_free(chunk);
	close_both();
}

TEST(the_window_is_enforced)
{
	in_loop(flood);
}

/* Nobody reads at the other end. */
static void
deaf_peer(void *arg)
{
	char *big = mem_alloc(IPC_FRAME_LIMIT);

	(void)arg;
	open_pair();
	CHECK(ipc_link_wait_sent(theirs, 0, soon()) == 0);
	for (int i = 0; i < 20 && closed == 0; i++) {
		ipc_link_note(theirs, TELL, str_of(big, IPC_FRAME_LIMIT), -1);
		if (i == 2)
			CHECK(ipc_link_wait_sent(theirs, 0, event_now()) < 0 &&
				errno == ETIMEDOUT);
	}
	CHECK(ipc_link_wait_sent(theirs, 0, soon()) < 0 && errno == ECONNRESET);
	CHECK(was_logged("does not read"));
	close(raw[0]);
	mem_free(big);
	close_both();
}

TEST(output_has_a_limit)
{
	in_loop(deaf_peer);
}

/* ---- HELLO ---- */

static void
hello(void *arg)
{
	struct ipc_caller me = { .program = "smtpd", .service = "submission", .pid = 77 };
	struct ipc_caller command = { .program = "command", .uid = 12345 };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str reply;
	int pair[2];

	(void)arg;
	open_pair();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(ipc_hello(pair[0], &me) == 0);
	ipc_link_close(theirs);
	theirs = ipc_link_accept(pair[1], handlers, NULL, on_close, 0);
	ours = ipc_link_open(pair[0], handlers, NULL, on_close, "ours");
	CHECK(ipc_link_call(ours, ECHO, STR("x"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_STR(str_c(ipc_link_caller(theirs)->program), "smtpd");
	CHECK_STR(str_c(ipc_link_caller(theirs)->service), "submission");
	CHECK_INT(ipc_link_caller(theirs)->pid, 77);
	ipc_link_close(ours);
	while (theirs)
		co_yield ();

	/* Of a command the kernel says who it is. */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(ipc_hello(pair[0], &command) == 0);
	theirs = ipc_link_accept(pair[1], handlers, NULL, on_close, 0);
	ours = ipc_link_open(pair[0], handlers, NULL, on_close, "ours");
	CHECK(ipc_link_call(ours, ECHO, STR("x"), -1, arena, &reply, NULL, soon()) == 0);
	CHECK_INT(ipc_link_caller(theirs)->uid, geteuid());
	CHECK_INT(ipc_link_caller(theirs)->pid, getpid());
	close(raw[0]);
	close_both();
}

TEST(hello_says_who_calls)
{
	in_loop(hello);
}

static const struct {
	struct frame frame;
	struct str payload;
	const char *why;
} bad_hellos[] = {
	{ { .len = 0, .kind = FRAME_NOTE, .type = TELL }, STR_INIT(""), "did not begin" },
	{ { .len = 6, .kind = FRAME_HELLO }, STR_INIT("\0\0\0\1\0\1"), "cannot be read" },
	{ { .len = 4, .kind = FRAME_HELLO }, STR_INIT("\0\0\0\2"), "another version" },
	{ { .len = 9, .kind = FRAME_HELLO }, STR_INIT("\0\0\0\1\0\0\0\2\n"),
		"cannot be read" },
};

static void
bad_hello(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < COUNT(bad_hellos); i++) {
		int pair[2];

		test_row(i);
		open_pair();
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
		say(pair[0], &bad_hellos[i].frame, bad_hellos[i].payload);
		(void)ipc_link_accept(pair[1], handlers, NULL, on_close, 0);
		wait_closed(1);
		CHECK(was_logged(bad_hellos[i].why));
		CHECK_INT((long long)told, 0);
		close(pair[0]);
		ipc_link_close(theirs);
		while (theirs)
			co_yield ();
		close(raw[0]);
	}
	close_both();
}

TEST(a_bad_hello_closes_the_link)
{
	in_loop(bad_hello);
	CHECK(ipc_is_hello(STR("\0")));
	CHECK(!ipc_is_hello(STR("W")));
	CHECK(!ipc_is_hello(STR("")));
}

TEST_MAIN()
