/* link_fuzz.c -- a peer that says anything: arbitrary bytes into a link that has handlers
 * of every kind. Whatever happens, the link ends when the peer is gone, and nothing
 * leaks. */
#include "ipc.h"
#include "log.h"
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ipc_request *held[64];
static size_t held_n;

static void
run_echo(struct ipc_request *rq)
{
	ipc_reply(rq, rq->payload, rq->fd);
}

static void
run_later(struct ipc_request *rq)
{
	if (held_n < COUNT(held))
		held[held_n++] = rq;
	else
		ipc_reply(rq, STR_NONE, -1);
}

static void
run_stream(struct ipc_request *rq)
{
	struct str chunk;

	while (ipc_request_read(rq, &chunk, DEADLINE_NEVER) > 0)
		;
	ipc_reply(rq, STR("read"), -1);
}

static void
run_note(struct ipc_request *rq)
{
	ipc_done(rq);
}

static const struct ipc_handler handlers[] = {
	{ .type = 1, .run = run_echo, .direct = true, .in_place = true },
	{ .type = 2, .run = run_later, .direct = true },
	{ .type = 3, .run = run_stream },
	{ .type = 5, .run = run_note, .direct = true },
	{ .type = 0 },
};

static void
closed(struct ipc_link *l, void *ctx)
{
	(void)l, (void)ctx;
	event_stop();
}

static void
no_log(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;
	int pair[2];

	if (size < 1)
		return 0;
	if (!begun) {
		event_init();
		log_capture(no_log, NULL);
		begun = true;
	}
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ensure(send(pair[0], data + 1, MIN(size - 1, (size_t)65536), MSG_DONTWAIT) >= 0);
	close(pair[0]);
	if (data[0] & 1)
		(void)ipc_link_accept(pair[1], handlers, NULL, closed, 0);
	else
		(void)ipc_link_open(pair[1], handlers, NULL, closed, "fuzz");
	event_run();
	while (held_n > 0)
		ipc_reply(held[--held_n], STR("late"), -1);
	return 0;
}
