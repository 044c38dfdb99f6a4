/* event_bench.c -- what a switch, a coroutine, a timer and a wake-up cost. Run by hand.
 */
#include "event.h"
#include <stdio.h>
#include <sys/socket.h>

enum {
	SWITCHES_EACH = 1000000,
	SPAWNS = 1000000,
	TIMERS = 1000000,
	ROUND_TRIPS = 200000
};

static int64_t begin;

static void
tell(const char *what, size_t n)
{
	double us = (double)(time_monotonic_us() - begin);

	printf("%-48s %7.1f ns, %5.1f million/s\n", what, us * 1000 / (double)n,
		(double)n / us);
}

/* Each waits for the other: a queue, a wake-up and a switch. */
static void
ping_pong(void *arg)
{
	struct co_queue *q = arg;

	for (int i = 0; i < SWITCHES_EACH; i++) {
		co_wake_one(q);
		if (i < SWITCHES_EACH - 1 && co_wait(q, DEADLINE_NEVER) < 0)
			return;
	}
	co_wake_all(q);
}

static void
yields(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		co_yield ();
}

static void
ends(void *arg)
{
	(void)arg;
}

static void
bench_switches(void)
{
	struct co_queue q = { NULL, NULL };
	struct co_scope scope;

	co_scope_init(&scope);
	begin = time_monotonic_us();
	co_scope_spawn(&scope, ping_pong, &q, CO_STACK_SMALL);
	co_scope_spawn(&scope, ping_pong, &q, CO_STACK_SMALL);
	co_scope_end(&scope, false);
	tell("wait and wake between two coroutines, a switch", 2 * (size_t)SWITCHES_EACH);
	begin = time_monotonic_us();
	for (int i = 0; i < 1000; i++)
		co_scope_spawn(&scope, yields, NULL, CO_STACK_SMALL);
	co_scope_end(&scope, false);
	tell("a yield among 1,000 coroutines", 1000 * 1000);
}

static void
bench_spawns(void)
{
	struct co_scope scope;

	co_scope_init(&scope);
	begin = time_monotonic_us();
	for (int i = 0; i < SPAWNS; i++) {
		co_scope_spawn(&scope, ends, NULL, CO_STACK_SMALL);
		if (i % 100 == 99)
			co_scope_end(&scope, false);
	}
	tell("a coroutine's birth and end, 100 at a time", SPAWNS);
}

static void
bench_timers(void)
{
	static struct timer timers[100000];
	deadline_t base = event_now() + 1000000;

	for (size_t i = 0; i < COUNT(timers); i++)
		timer_set(&timers[i], base + (deadline_t)(i * 7919 % 300000), ends, NULL);
	begin = time_monotonic_us();
	for (size_t i = 0; i < TIMERS; i++)
		timer_set(&timers[i * 31 % COUNT(timers)],
			base + (deadline_t)(i * 104729 % 300000), ends, NULL);
	tell("moving one of 100,000 timers", TIMERS);
	for (size_t i = 0; i < COUNT(timers); i++)
		timer_cancel(&timers[i]);
}

static void
echo(void *arg)
{
	char data[64];
	ssize_t n;

	while ((n = io_read(arg, data, sizeof(data), DEADLINE_NEVER)) > 0)
		if (io_write_all(arg, str_of(data, (size_t)n), DEADLINE_NEVER) < 0)
			return;
}

/* Read, write and poll on both sides: nearly all of it is the kernel's. */
static void
bench_sockets(void)
{
	struct co_scope scope;
	struct io a, b;
	int fds[2];
	char data[64];

	ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	ensure(io_open(&a, fds[0]) == 0 && io_open(&b, fds[1]) == 0);
	co_scope_init(&scope);
	co_scope_spawn(&scope, echo, &b, CO_STACK_SMALL);
	begin = time_monotonic_us();
	for (int i = 0; i < ROUND_TRIPS; i++) {
		ensure(io_write_all(&a, STR("x"), DEADLINE_NEVER) == 0);
		ensure(io_read(&a, data, sizeof(data), deadline_in(1000000)) == 1);
	}
	tell("a round trip over a socket pair", ROUND_TRIPS);
	io_close(&a);
	co_scope_end(&scope, false);
	io_close(&b);
}

static void
bench(void *arg)
{
	(void)arg;
	bench_switches();
	bench_spawns();
	bench_timers();
	bench_sockets();
	event_stop();
}

int
main(void)
{
	event_init();
	co_spawn(bench, NULL, CO_STACK_LARGE);
	event_run();
	return 0;
}
