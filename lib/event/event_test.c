/* event_test.c -- the loop: turns, their end, timers, posts. */
#include "event_test.h"
#include "log.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* The log's number of the session. lib/event refers to the log weakly: this is all of the
 * log that this program has. */
static uint32_t session;

void
log_session(uint32_t number)
{
	session = number;
}

uint32_t
log_session_current(void)
{
	return session;
}

static void
run_and_stop(void *arg)
{
	void (*fn)(void);

	memcpy(&fn, arg, sizeof(fn));
	fn();
	event_stop();
}

void
in_loop(void (*fn)(void))
{
	event_init();
	log_session(0);
	co_spawn(run_and_stop, &fn, CO_STACK_LARGE);
	event_run();
	event_after_fork();
}

void
turns(int n)
{
	while (n-- > 0)
		co_yield ();
}

/* ---- the end of a turn ---- */

static struct event_later one, two, never;
static char order[20];
static size_t ordered;

static void
note(void *arg)
{
	order[ordered++] = (char)(uintptr_t)arg;
}

static void
note_and_queue(void *arg)
{
	note(arg);
	event_at_turn_end(&two);
}

static void
queues_turn_ends(void)
{
	one = (struct event_later){ .fn = note_and_queue, .arg = LETTER('1') };
	two = (struct event_later){ .fn = note, .arg = LETTER('2') };
	never = (struct event_later){ .fn = note, .arg = LETTER('n') };
	event_at_turn_end(&never);
	event_at_turn_end(&one);
	event_at_turn_end(&one); /* queued already: runs once */
	event_later_cancel(&never);
	event_later_cancel(&never);
	CHECK_INT(ordered, 0);
	turns(1);
	CHECK_STR(str_of(order, ordered), "12"); /* both in the same turn */
	turns(1);
	CHECK_STR(str_of(order, ordered), "12");
	event_at_turn_end(&never);
	event_at_turn_end(&two);
	event_later_cancel(&two); /* the last one; one more still finds the end */
	event_at_turn_end(&two);
	turns(1);
	CHECK_STR(str_of(order, ordered), "12n2");
}

TEST(turn_ends_run_once)
{
	ordered = 0;
	in_loop(queues_turn_ends);
}

static size_t rounds;

static void
queue_again(void *arg)
{
	rounds++;
	event_at_turn_end(arg);
}

static void
queues_without_end(void)
{
	struct event_later again = { .fn = queue_again, .arg = &again };

	rounds = 0;
	event_at_turn_end(&again);
	turns(2);
	CHECK(rounds > 0 && rounds < 100000);
	event_later_cancel(&again);
}

TEST(turn_ends_without_end_do_not_stop_the_loop)
{
	in_loop(queues_without_end);
}

static void
stop(void *arg)
{
	(void)arg;
	event_stop();
}

/* No coroutine at all: what main queued runs before the loop sleeps. */
TEST(turn_ends_queued_by_main_run)
{
	struct event_later later = { .fn = stop };

	event_init();
	event_at_turn_end(&later);
	event_run();
	CHECK(!later.queued);
	event_after_fork();
}

/* ---- timers ---- */

static void
times_out_in_order(void)
{
	struct timer a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	deadline_t begin = event_now();

	ordered = 0;
	timer_set(&b, begin + 2, note, LETTER('b'));
	timer_set(&a, begin + 1, note, LETTER('a'));
	timer_set(&d, begin + 1000000, note, LETTER('d'));
	timer_set(&c, begin, note, LETTER('c'));
	timer_set(&c, begin + 3, note, LETTER('c')); /* set again: moved */
	timer_cancel(&d);
	timer_cancel(&d);
	CHECK(a.place > 0 && d.place == 0);
	CHECK_INT(co_sleep(begin + 4), 0);
	CHECK(event_now() >= begin + 4);
	CHECK_STR(str_of(order, ordered), "abc");
	CHECK(a.place == 0);
}

TEST(timers_run_in_order)
{
	in_loop(times_out_in_order);
}

enum { MANY = 100000 };
static struct timer many[MANY];
static deadline_t last_at;
static size_t fired;
static bool sorted;

static void
fire(void *arg)
{
	struct timer *t = arg;

	sorted = sorted && t->at >= last_at;
	last_at = t->at;
	fired++;
}

static void
sets_many(void)
{
	deadline_t begin = event_now();

	fired = 0;
	last_at = 0;
	sorted = true;
	srandom(1);
	for (size_t i = 0; i < MANY; i++)
		timer_set(&many[i], begin - random() % 10000, fire, &many[i]);
	for (size_t i = 0; i < MANY; i += 3)
		timer_set(&many[i], begin - random() % 10000, fire, &many[i]);
	for (size_t i = 0; i < MANY; i += 2)
		timer_cancel(&many[i]);
	turns(2);
	CHECK_INT(fired, MANY / 2);
	CHECK(sorted);
}

TEST(a_hundred_thousand_timers)
{
	in_loop(sets_many);
}

static void
fire_again(void *arg)
{
	rounds++;
	timer_set(arg, event_now(), fire_again, arg);
}

static void
sets_itself(void)
{
	struct timer t = { 0 };

	rounds = 0;
	fire_again(&t);
	turns(5);
	CHECK(rounds >= 4 && rounds < 10);
	timer_cancel(&t);
}

TEST(a_timer_that_sets_itself_does_not_stop_the_loop)
{
	in_loop(sets_itself);
}

/* ---- posts ---- */

static size_t posted;
static struct co_queue all_posted;

static void
post_arrives(void *arg)
{
	(void)arg;
	if (++posted == 4000)
		co_wake_all(&all_posted);
}

static void *
post_much(void *unused)
{
	for (int i = 0; i < 1000; i++)
		event_post(post_arrives, unused);
	return NULL;
}

static void
threads_post(void)
{
	pthread_t threads[4];

	posted = 0;
	for (size_t i = 0; i < COUNT(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, post_much, NULL), 0);
	CHECK_INT(co_wait(&all_posted, DEADLINE_NEVER), 0);
	CHECK_INT(posted, 4000);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	event_post(post_arrives, NULL); /* from the loop's own thread */
	while (posted < 4001)
		turns(1);
}

TEST(any_thread_posts)
{
	in_loop(threads_post);
}

/* ---- offloading ---- */

static pthread_barrier_t meeting;

static void
meet(void *arg)
{
	pthread_t *self = arg;

	*self = pthread_self();
	pthread_barrier_wait(&meeting);
	errno = EXDEV;
}

static void
offload_meet(void *arg)
{
	event_offload(meet, arg);
	CHECK_INT(errno, EXDEV);
}

/* As many at once as there are threads; otherwise the barrier never opens. */
static void
offloads(void)
{
	pthread_t ran_in[4];
	struct co_scope scope;

	pthread_barrier_init(&meeting, NULL, 4);
	for (int round = 0; round < 3; round++) {
		co_scope_init(&scope);
		for (size_t i = 0; i < COUNT(ran_in); i++)
			co_scope_spawn(&scope, offload_meet, &ran_in[i], CO_STACK_SMALL);
		co_scope_end(&scope, false);
		for (size_t i = 0; i < COUNT(ran_in); i++)
			CHECK(!pthread_equal(ran_in[i], pthread_self()));
	}
	pthread_barrier_destroy(&meeting);
}

TEST(work_is_done_in_helper_threads)
{
	in_loop(offloads);
}

static void
count_up(void *arg)
{
	int *n = arg;

	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static void
offload_and_note(void *arg)
{
	event_offload(count_up, arg);
	CHECK(co_cancelled()); /* held back until the work was done, but not lost */
	CHECK(co_sleep(DEADLINE_NEVER) < 0 && errno == ECANCELED);
}

static void
offloads_cancelled(void)
{
	struct co_scope scope;
	int n = 0;

	co_scope_init(&scope);
	for (int i = 0; i < 100; i++)
		co_scope_spawn(&scope, offload_and_note, &n, CO_STACK_SMALL);
	co_scope_end(&scope, true);
	CHECK_INT(n, 100);
}

TEST(cancelling_waits_for_the_work)
{
	int n = 0;

	in_loop(offloads_cancelled);
	event_offload(count_up, &n); /* outside the loop: at once */
	CHECK_INT(n, 1);
}

TEST_MAIN()
