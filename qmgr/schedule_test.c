/* Whose delivery is next: the jobs of a transport that has one worker with room for one.
 */
#include "test.h"
#include "active.h"
#include "delivery.h"
#include "event.h"
#include "outside.h"
#include "schedule_impl.h"
#include "suspend.h"
#include "ticker.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct outside outside;

/* ---- what is around the schedule ---- */

static struct flight *under_way;
static int64_t now_us;

void
delivery_begin(struct flight *f)
{
	ensure(!under_way);
	under_way = f;
}

void
active_settle_here(struct active *a, uint32_t n, enum verdict verdict, const char *code,
	struct str text)
{
	(void)a, (void)n, (void)verdict, (void)code, (void)text;
}

void
ticker_touch(void)
{
}

void
destination_warn(struct destination *d)
{
	(void)d;
}

const struct suspension *
suspend_why(struct str transport, struct str nexthop)
{
	(void)transport, (void)nexthop;
	return NULL;
}

struct str
suspend_text(const struct suspension *s, struct arena *arena)
{
	(void)s, (void)arena;
	return STR_NONE;
}

static int64_t
fake_now(void)
{
	return now_us;
}

static const struct conf *
conf_with(const char *text)
{
	static unsigned number;
	char path[500];
	FILE *f;
	struct conf_issues issues;
	struct conf *c;

	snprintf(path, sizeof(path), "%s/c%u", test_dir(), number++);
	ensure(mkdir(path, 0755) == 0);
	strcat(path, "/main.cf");
	f = fopen(path, "w");
	fprintf(f, "myhostname = mail.example.org\n%s", text);
	fclose(f);
	*strrchr(path, '/') = '\0';
	conf_issues_init(&issues);
	c = conf_load(path, STR_NONE, &(struct strs){ NULL, 0 }, &issues);
	ensure(c);
	conf_issues_free(&issues);
	return c;
}

static struct worker worker = { .slots = 1 };
static struct arena *arena;

static void
world_begins(const char *conf)
{
	arena = arena_new();
	now_us = INT64_C(1700000000) * 1000000;
	outside.conf = conf_with(conf);
	outside.now_us = fake_now;
	schedule_init();
	worker.transport = transport_get(STR("smtp"));
	*vec_push(&worker.transport->workers) =
		memcpy(mem_alloc(sizeof(worker)), &worker, sizeof(worker));
}

static void
world_ends(void)
{
	if (under_way)
		flight_ended(under_way, FLIGHT_LOST, NULL);
	under_way = NULL;
	schedule_free();
	conf_free((struct conf *)outside.conf);
	arena_free(arena);
}

/* ---- mail ---- */

/* A message that takes n deliveries. NULL nexthop: each to a destination of its own. */
static struct active *
mail(char name, uint32_t n, const char *nexthop)
{
	static uint64_t number;
	struct active *a = arena_alloc(arena, sizeof(*a));
	struct transport *t = worker.transport;

	a->arena = arena;
	a->number = ++number;
	a->taken_us = now_us;
	a->envelope.queue_id = arena_printf(arena, "%c", name);
	a->chain = arena_alloc(arena, n * t->recipient_limit * sizeof(*a->chain));
	for (uint32_t i = 0; i < n * t->recipient_limit; i++) {
		struct str own = arena_printf(
			arena, "%c%u.example", name, (unsigned)(i / t->recipient_limit));

		schedule_add(a,
			destination_get(t, nexthop ? str_c(nexthop) : own, STR_NONE), i);
	}
	return a;
}

/* "B20 s1 t1": big, small and tiny. */
static void
mails(const char *text, const char *nexthop)
{
	struct str rest = str_c(text), item;

	while (str_token(&rest, " ", &item))
		mail(item.data[0], (uint32_t)atoi(item.data + 1), nexthop);
}

/* Whose mail the next n deliveries are; fewer when no more come. */
static struct str
next_deliveries(size_t n)
{
	struct buf order = BUF_INIT;

	while (n-- > 0) {
		if (!under_way && !worker.transport->first_job)
			break; /* all is delivered */
		while (!under_way)
			co_yield ();
		buf_add(&order, under_way->message->envelope.queue_id);

		struct flight *f = under_way;
		under_way = NULL;
		flight_ended(f, FLIGHT_TALKED, NULL);
	}
	struct str copy = arena_str(arena, buf_str(&order));
	buf_free(&order);
	return copy;
}

/* ---- orders ---- */

#define TWO "smtp_destination_recipient_limit = 2\n"
#define NO_CREDIT \
	"smtp_delivery_slot_loan = 0\nsmtp_delivery_slot_discount = 0\n" \
	"smtp_minimum_delivery_slots = 1\n"
#define COST(n) "smtp_delivery_slot_cost = " #n "\n"

static const struct {
	const char *conf, *mails, *order;
} orders[] = {
	/* Without anything large it is first come, first served. */
	{ "", "a1 b1 c2 d1", "abccd" },
	/* With Postfix's presets a single letter goes after the first delivery, on
	 * credit; the next one when that is paid back, which takes five more. */
	{ "", "B20 s1 t1 u1", "BsBBBBBtBBBBBuBBBBBBBBB" },
	/* Four deliveries: half of them are two, and three are lent. */
	{ "", "B30 m4 s1", "BsBBBBBmmmmBBBBBBBBBBBBBBBBBBBBBBBB" },
	/* What could never earn three slots is not preempted. */
	{ "", "B14 s1", "BBBBBBBBBBBBBBs" },
	{ "", "B15 s1", "BsBBBBBBBBBBBBBB" },
	{ COST(0), "B20 s1", "BBBBBBBBBBBBBBBBBBBBs" },
	{ COST(1), "B20 s1", "BBBBBBBBBBBBBBBBBBBBs" },
	/* The examples of SCHEDULER_README: a four-recipient mail and four others, ... */
	{ COST(2) NO_CREDIT, "B10 m2 n2", "BBBBmmBBBBnnBB" },
	/* ... and with half of the slots lent. */
	{ COST(2) "smtp_delivery_slot_loan = 0\nsmtp_delivery_slot_discount = 50\n"
		  "smtp_minimum_delivery_slots = 1\n",
		"B10 m2 n2", "BBmmBBBBnnBBBB" },
	/* One that went before is preempted itself. */
	{ COST(2) NO_CREDIT, "B40 m10 s1",
		"BBsBBBBBBBBBBBBBBBBBBBBmmmmmmmmmmBBBBBBBBBBBBBBBBBB" },
	/* One is too large, and waits for its turn. */
	{ "", "B20 m5 s1", "BsBBBBBBBBBBBBBBBBBBBmmmmm" },
};

static void
in_loop(void (*fn)(void *arg))
{
	static bool initialised;

	if (!initialised)
		event_init();
	initialised = true;
	co_spawn(fn, NULL, CO_STACK_LARGE);
	event_run();
}

static void
each_order(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < COUNT(orders); i++)
		for (int one = 0; one < 2; one++) {
			struct buf conf = BUF_INIT;

			buf_printf(&conf, TWO "%s", orders[i].conf);
			world_begins(buf_cstr(&conf));
			mails(orders[i].mails, one ? "one.example" : NULL);
			CHECK_STR(next_deliveries(1000), orders[i].order);
			world_ends();
			buf_free(&conf);
		}
	event_stop();
}

TEST(order_of_deliveries)
{
	in_loop(each_order);
}

/* A mailing that takes 10,000 deliveries, and a letter that comes when it is under way.
 */
static void
mailing(const char *one)
{
	world_begins(TWO);
	mail('B', 10000, one);
	CHECK_INT((long long)next_deliveries(100).len, 100);
	mail('s', 1, one);
	CHECK_STR(next_deliveries(2), "sB");
	/* Each of many goes within six deliveries. */
	for (int i = 0; i < 20; i++) {
		mail('t', 1, one);
		CHECK(str_chr(next_deliveries(6), 't') >= 0);
	}
	world_ends();
}

static void
mailing_to_one(void *arg)
{
	(void)arg;
	mailing("one.example");
	event_stop();
}

static void
mailing_to_many(void *arg)
{
	(void)arg;
	mailing(NULL);
	event_stop();
}

TEST(a_mailing_of_ten_thousand_lets_letters_pass)
{
	in_loop(mailing_to_one);
	in_loop(mailing_to_many);
}

/* One that has waited goes before one that came just now, if it is not much larger. */
static void
aged(void *arg)
{
	(void)arg;
	world_begins(TWO);
	mail('B', 50, NULL);
	mail('m', 2, NULL);
	now_us += 10 * 1000000;
	mail('s', 1, NULL);
	CHECK_STR(next_deliveries(10), "BmmBBBBBBB");
	CHECK_STR(next_deliveries(4), "BBBs");
	world_ends();
	event_stop();
}

TEST(age_counts)
{
	in_loop(aged);
}

/* Jobs at a next hop that takes no more are not there: neither are they next, nor do they
 * go before others. */
static void
blocked(void *arg)
{
	struct destination *full;

	(void)arg;
	world_begins(TWO);
	full = destination_get(worker.transport, STR("full.example"), STR_NONE);
	full->busy = full->window.size;
	mail('x', 3, "full.example");
	mail('B', 20, "free.example");
	mail('y', 1, "full.example");
	mail('z', 1, "free.example");
	CHECK_STR(next_deliveries(8), "BzBBBBBB");
	full->busy = 0;
	destination_consider(full);
	CHECK_STR(next_deliveries(100), "xxxyBBBBBBBBBBBBB");
	world_ends();
	event_stop();
}

TEST(full_next_hops_hold_up_nobody)
{
	in_loop(blocked);
}

/* What was cancelled or lost leaves nothing behind. */
static void
cancelled(void *arg)
{
	struct active *big, *small;

	(void)arg;
	world_begins(TWO COST(2) NO_CREDIT);
	big = mail('B', 20, NULL);
	small = mail('s', 3, "one.example");
	mail('t', 1, "one.example");
	CHECK_STR(next_deliveries(4), "BBtB");
	schedule_cancel(big);
	CHECK_STR(next_deliveries(2), "ss");
	schedule_cancel(small);
	CHECK_STR(next_deliveries(100), "");
	CHECK(worker.transport->ready.n == 0);
	CHECK_INT((long long)map_count(worker.transport->destinations), 0);
	world_ends();
	event_stop();
}

TEST(cancelled_jobs_leave)
{
	in_loop(cancelled);
}

/* A reload may change how many recipients a delivery has. */
static void
reloaded(void *arg)
{
	const struct conf *before;

	(void)arg;
	world_begins(TWO);
	before = outside.conf;
	mail('B', 20, "one.example");
	CHECK_STR(next_deliveries(3), "BBB");
	outside.conf = conf_with("smtp_destination_recipient_limit = 5\n");
	schedule_reload();
	conf_free((struct conf *)before);
	CHECK_INT(worker.transport->first_job->left, 7); /* 34 recipients */
	CHECK_STR(next_deliveries(100), "BBBBBBB");
	world_ends();
	event_stop();
}

TEST(a_reload_counts_again)
{
	in_loop(reloaded);
}

/* Hundreds of jobs that go before the same one run out of numbers between two. */
static void
crowded(void *arg)
{
	struct job *first;

	(void)arg;
	world_begins(TWO);
	worker.transport->workers.items[0]->slots = 0;
	mail('B', 1, "b.example");
	first = worker.transport->first_job;
	for (int i = 0; i < 300; i++) {
		mail("xyz"[i % 3], 1, "one.example");
		job_go_before(worker.transport->last_job, first);
	}
	for (struct job *j = worker.transport->first_job; j->next; j = j->next)
		CHECK(j->rank < j->next->rank);
	CHECK(worker.transport->last_job == first);
	CHECK_INT((long long)first->children, 300);
	worker.transport->workers.items[0]->slots = 1;
	schedule_soon();
	CHECK_STR(next_deliveries(6), "xyzxyz");
	world_ends();
	event_stop();
}

TEST(there_is_always_a_place_between_two)
{
	in_loop(crowded);
}

TEST_MAIN()
