/* co_test.c -- coroutines: switching, waiting, cancelling, scopes, stacks. */
#include "config.h"
#include "event_test.h"
#include "log.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what belongs to each ---- */

static void
keeps_its_own(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;

	CHECK_INT(errno, 0);
	CHECK_INT(log_session_current(), 99);   /* inherited */
	CHECK_INT((long long)*co_works_for, 7); /* likewise */
	log_session(number);
	*co_works_for = number;
	errno = (int)number;
	for (int i = 0; i < 10; i++) {
		co_yield ();
		CHECK_INT(errno, number);
		CHECK_INT((long long)*co_works_for, number);
		CHECK_INT(log_session_current(), number);
	}
}

static void
errno_and_session(void)
{
	struct co_scope scope;

	log_session(99);
	*co_works_for = 7;
	errno = 77;
	co_scope_init(&scope);
	for (uintptr_t i = 1; i < 4; i++)
		co_scope_spawn(&scope, keeps_its_own, (void *)i, CO_STACK_SMALL);
	turns(5);
	CHECK_INT(errno, 77);
	co_scope_end(&scope, false);
	CHECK_INT(log_session_current(), 99);
	CHECK_INT((long long)*co_works_for, 7);
}

static void
note_for_whom(void *arg)
{
	*(uint64_t *)arg = *co_works_for;
}

static void
loop_in_between(void)
{
	uint64_t seen = 99;
	struct timer t = { 0 };

	*co_works_for = 7;
	timer_set(&t, event_now() + 1, note_for_whom, &seen);
	while (seen == 99)
		CHECK_INT(co_sleep(deadline_in(2)), 0);
	CHECK_INT((long long)seen, 0);
	CHECK_INT((long long)*co_works_for, 7);
}

TEST(the_loop_works_for_nobody)
{
	in_loop(loop_in_between);
}

TEST(errno_and_the_log_session_belong_to_each)
{
	in_loop(errno_and_session);
}

/* Registers that calls preserve, and floating point, survive among many. */
static void
computes(void *arg)
{
	uintptr_t seed = (uintptr_t)arg;
	uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11;
	double x = (double)seed;

	for (int i = 0; i < 20; i++) {
		a += 1, b += 2, c += 3, d += 4, e += 5, x += 0.5;
		co_yield ();
	}
	CHECK(a == seed + 20 && b == seed * 3 + 40 && c == seed * 5 + 60 &&
		d == seed * 7 + 80 && e == seed * 11 + 100);
	CHECK(x > (double)seed + 9.75 && x < (double)seed + 10.25);
}

enum { MANY = 10000 };

static void
ten_thousand(void)
{
	size_t before = co_count();
	struct co_scope scope;

	co_scope_init(&scope);
	for (uintptr_t i = 0; i < MANY; i++)
		co_scope_spawn(&scope, computes, (void *)i, CO_STACK_SMALL);
	CHECK_INT(co_count(), before + MANY);
	CHECK_INT(scope.running, MANY);
	co_scope_end(&scope, false);
	CHECK_INT(co_count(), before);
}

TEST(ten_thousand_coroutines)
{
	in_loop(ten_thousand);
}

TEST(outside_coroutines_there_is_none)
{
	CHECK(!co_self());
	CHECK(!co_cancelled());
}

/* A coroutine that never rests does not keep the loop from its other work. */
static bool rest;

static void
ping(void *arg)
{
	struct co_queue *q = arg; /* own, other's */

	while (!rest) {
		co_wake_all(&q[1]);
		if (co_wait(&q[0], DEADLINE_NEVER) < 0)
			return;
	}
	co_wake_all(&q[1]);
}

static void
pong(void *arg)
{
	struct co_queue *q = arg;

	while (!rest) {
		co_wake_all(&q[0]);
		if (co_wait(&q[1], DEADLINE_NEVER) < 0)
			return;
	}
	co_wake_all(&q[0]);
}

static void
has_enough(void *arg)
{
	(void)arg;
	rest = true;
}

static void
keeps_each_other_busy(void)
{
	struct co_queue q[2] = { { NULL, NULL }, { NULL, NULL } };
	struct timer t = { 0 };
	struct co_scope scope;

	rest = false;
	co_scope_init(&scope);
	co_scope_spawn(&scope, ping, q, CO_STACK_SMALL);
	co_scope_spawn(&scope, pong, q, CO_STACK_SMALL);
	timer_set(&t, event_now() + 2, has_enough, NULL);
	co_scope_end(&scope, false);
	CHECK(rest);
}

TEST(two_that_keep_each_other_busy_do_not_stop_the_loop)
{
	in_loop(keeps_each_other_busy);
}

/* ---- queues ---- */

static char order[20];
static size_t ordered;
static struct co_queue queue;

static void
waits_in_queue(void *arg)
{
	char name = (char)(uintptr_t)arg;
	deadline_t patience = name == 't' ? event_now() + 1 : DEADLINE_NEVER;

	if (co_wait(&queue, patience) == 0)
		order[ordered++] = name;
	else
		order[ordered++] = errno == ETIMEDOUT ? 'T' : 'C';
}

static void
queue_wakes_in_order(void)
{
	struct co_scope scope;

	ordered = 0;
	co_scope_init(&scope);
	co_scope_spawn(&scope, waits_in_queue, LETTER('a'), CO_STACK_SMALL);
	co_scope_spawn(&scope, waits_in_queue, LETTER('t'), CO_STACK_SMALL);
	co_scope_spawn(&scope, waits_in_queue, LETTER('b'), CO_STACK_SMALL);
	co_scope_spawn(&scope, waits_in_queue, LETTER('c'), CO_STACK_SMALL);
	co_scope_spawn(&scope, waits_in_queue, LETTER('d'), CO_STACK_SMALL);
	CHECK_INT(co_sleep(event_now() + 3), 0); /* t leaves the middle */
	CHECK_STR(str_of(order, ordered), "T");
	CHECK(co_wake_one(&queue));
	turns(1);
	CHECK_STR(str_of(order, ordered), "Ta");
	co_wake_all(&queue);
	CHECK(!co_wake_one(&queue));
	co_scope_end(&scope, true);
	CHECK_STR(str_of(order, ordered), "Tabcd");
	CHECK(!queue.first && !queue.last);
}

TEST(queues_are_first_come_first_served)
{
	in_loop(queue_wakes_in_order);
}

/* The wake-up must reach somebody who can still use it. */
static void
wake_passes_over_the_cancelled(void)
{
	struct co *gone = co_spawn(waits_in_queue, LETTER('x'), CO_STACK_SMALL);

	ordered = 0;
	co_spawn(waits_in_queue, LETTER('y'), CO_STACK_SMALL);
	turns(1);
	co_cancel(gone); /* ready to fail, still in the queue */
	CHECK(co_wake_one(&queue));
	turns(1);
	CHECK_STR(str_of(order, ordered), "Cy");
}

TEST(a_wake_up_passes_over_who_was_cancelled)
{
	in_loop(wake_passes_over_the_cancelled);
}

/* ---- deadlines and cancelling ---- */

static void
sleeps_long(void *arg)
{
	int *got = arg;

	*got = co_sleep(DEADLINE_NEVER) < 0 ? errno : 0;
	CHECK(co_cancelled());
	CHECK(co_sleep(event_now() + 1) < 0 && errno == ECANCELED); /* each later one */
	co_shield(1);
	CHECK_INT(co_sleep(event_now() + 1), 0);
	co_shield(-1);
	CHECK(co_wait(&queue, DEADLINE_NEVER) < 0 && errno == ECANCELED);
}

static void
cancels_a_sleeper(void)
{
	struct co *co;
	int got = -1;

	co = co_spawn(sleeps_long, &got, CO_STACK_SMALL);
	turns(1);
	CHECK_INT(got, -1);
	co_cancel(co);
	while (co_count() > 1)
		turns(1);
	CHECK_INT(got, ECANCELED);
	CHECK(!queue.first);
}

TEST(cancelling_ends_each_wait)
{
	in_loop(cancels_a_sleeper);
}

static void
shielded(void *arg)
{
	int *got = arg;

	co_shield(1);
	*got = co_wait(&queue, DEADLINE_NEVER);
	co_shield(-1);
}

static void
shield_holds(void)
{
	int got = -1;
	struct co *co = co_spawn(shielded, &got, CO_STACK_SMALL);

	turns(1);
	co_cancel(co);
	turns(2);
	CHECK_INT(got, -1);
	CHECK(co_wake_one(&queue));
	turns(1);
	CHECK_INT(got, 0);
}

TEST(a_shield_holds_cancelling_back)
{
	in_loop(shield_holds);
}

static void
deadlines_end_waits(void)
{
	deadline_t begin = event_now();

	CHECK(co_wait(&queue, begin + 2) < 0 && errno == ETIMEDOUT);
	CHECK(event_now() >= begin + 2);
	CHECK(co_wait(&queue, begin) < 0 && errno == ETIMEDOUT); /* has passed */
	CHECK(co_sleep(begin) == 0);
	CHECK(!queue.first);
}

TEST(deadlines_end_each_wait)
{
	in_loop(deadlines_end_waits);
}

/* ---- scopes ---- */

static void
scope_with_children(void *arg)
{
	int *ended = arg;
	struct co_scope scope;
	int got[2] = { -1, -1 };

	co_scope_init(&scope);
	co_scope_spawn(&scope, sleeps_long, &got[0], CO_STACK_SMALL);
	co_scope_spawn(&scope, sleeps_long, &got[1], CO_STACK_SMALL);
	co_scope_end(&scope, false);
	CHECK(got[0] == ECANCELED && got[1] == ECANCELED);
	++*ended;
}

/* Cancelling reaches the children of children, and nobody ends before them. */
static void
scopes_nest(void)
{
	struct co_scope scope;
	int ended = 0;

	co_scope_init(&scope);
	co_scope_spawn(&scope, scope_with_children, &ended, CO_STACK_SMALL);
	co_scope_spawn(&scope, scope_with_children, &ended, CO_STACK_SMALL);
	turns(2);
	CHECK_INT(co_count(), 7);
	co_scope_end(&scope, true);
	CHECK_INT(ended, 2);
	CHECK_INT(co_count(), 1);
	co_scope_end(&scope, true); /* none left */
}

TEST(children_end_before_their_scope)
{
	in_loop(scopes_nest);
}

/* ---- stacks ---- */

/* The volatile array makes the frame as large as it looks. */
__attribute__((noinline)) static int
dig(int levels)
{
	volatile char frame[512];

	frame[0] = (char)levels;
	frame[sizeof(frame) - 1] = 1;
	return levels > 0 ? dig(levels - 1) + frame[0] : frame[sizeof(frame) - 1];
}

static void
digs(void *arg)
{
	co_name("digger");
	CHECK_STR(str_c(co_name_of(co_self())), "digger");
	dig((int)(uintptr_t)arg);
}

static size_t digger_depth;

static void
look_for_digger(const char *name, size_t deepest, void *arg)
{
	(void)arg;
	if (strcmp(name, "digger") == 0)
		digger_depth = deepest;
}

static void
census(void)
{
	size_t before = co_deepest(CO_STACK_SMALL), after;

	co_spawn(digs, (void *)20, CO_STACK_SMALL);
	turns(2);
	after = co_deepest(CO_STACK_SMALL);
	if (before == 0 && after == 0)
		return; /* not painted in this build */
	CHECK(after >= 20 * 512);
	co_census(look_for_digger, NULL);
	CHECK(digger_depth >= 20 * 512 && digger_depth <= after);
}

TEST(the_census_sees_deep_stacks)
{
	in_loop(census);
}

static void
hit_the_guard(void)
{
	co_spawn(digs, (void *)100000, CO_STACK_SMALL);
	turns(2);
}

/* In a process of its own, which must die of it. AddressSanitizer would report the fault
 * and exit; the test wants the signal itself. */
TEST(a_stack_that_grows_too_far_hits_the_guard)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		in_loop(hit_the_guard);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void
ends_at_once(void *arg)
{
	(void)arg;
}

/* More than the pool keeps: some are unmapped, all are usable again. */
static void
stacks_are_pooled(void)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++)
			co_spawn(ends_at_once, NULL,
				i % 2 ? CO_STACK_SMALL : CO_STACK_LARGE);
		while (co_count() > 1)
			turns(1);
	}
	CHECK_INT(co_count(), 1);
}

TEST(stacks_come_and_go)
{
	in_loop(stacks_are_pooled);
}
