/* ipc_bench.c -- what a call and its reply cost: CPU of both sides, two processes, a
 *fixed number of calls in flight.
 *
 *	ipc_bench [calls [bytes [in flight]]] */
#include "ipc_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PUT = 1 };
static long calls = 2000000, begun, ended;
static struct str payload;
static struct ipc_link *link_;

static void
answer(struct ipc_request *rq)
{
	ipc_reply(rq, STR("ok"), -1);
}

static const struct ipc_handler handlers[] = {
	{ .type = PUT, .run = answer, .direct = true, .in_place = true },
	{ .type = 0 },
};

static void
lost(struct ipc_link *l, void *ctx)
{
	(void)l, (void)ctx;
	event_stop();
}

static void
next(void *arg, int error, struct str reply)
{
	(void)arg, (void)reply;
	ensure(error == 0);
	if (++ended == calls)
		ipc_link_close(link_);
	else if (begun < calls && begun++ >= 0)
		ipc_link_call_then(link_, PUT, payload, -1, next, NULL);
}

static double
cpu(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int
main(int argc, char **argv)
{
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096;
	long flight = argc > 3 ? strtol(argv[3], NULL, 10) : 100;
	int pair[2], status;
	int64_t start = time_monotonic_us();
	double wall;

	if (argc > 1)
		calls = strtol(argv[1], NULL, 10);
	payload = str_of(mem_alloc(size), size);
	ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	if (fork() == 0) {
		close(pair[0]);
		event_init();
		(void)ipc_link_open(pair[1], handlers, NULL, lost, "client");
		event_run();
		_exit(0);
	}
	close(pair[1]);
	event_init();
	link_ = ipc_link_open(pair[0], NULL, NULL, lost, "server");
	for (begun = 0; begun < flight; begun++)
		ipc_link_call_then(link_, PUT, payload, -1, next, NULL);
	event_run();
	wait(&status);
	wall = (double)(time_monotonic_us() - start);
	printf("%ld calls of %zu bytes, %ld in flight: CPU caller %.2f us, answerer %.2f "
	       "us, "
	       "together %.2f us; %.0f calls/s\n",
		calls, size, flight, cpu(RUSAGE_SELF) / (double)calls,
		cpu(RUSAGE_CHILDREN) / (double)calls,
		(cpu(RUSAGE_SELF) + cpu(RUSAGE_CHILDREN)) / (double)calls,
		(double)calls / wall * 1e6);
	return 0;
}
