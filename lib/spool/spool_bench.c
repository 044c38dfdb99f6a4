/* spool_bench.c -- messages made durable per second, and CPU for each, at several numbers
 * of puts in flight. On the file system of the directory given: compare on a journaled
 * one.
 *
 * usage: spool_bench DIRECTORY [SECONDS [BYTES]] */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct {
	struct spool *spool;
	struct spool_put_request put;
	unsigned in_flight, most;
	uint64_t puts, ended;
	bool stop;
	VEC(struct spool_state) ends; /* in this turn */
	struct event_later later;
} bench;

static int64_t
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * (int64_t)1000000 +
	       u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void fill_up(void);

/* As qmgr does for a message that was delivered: one state, in a request with others. */
static void
end_them(void *arg)
{
	(void)arg;
	spool_update(bench.spool, bench.ends.items, bench.ends.n, NULL, NULL);
	bench.ended += bench.ends.n;
	bench.ends.n = 0;
	fill_up();
}

static void
put_done(void *arg, int error, const struct spool_entry *e)
{
	struct spool_state *s = vec_push(&bench.ends);

	(void)arg;
	if (error)
		log_fatal("put: %s", strerror(error));
	s->mid = e->mid;
	s->kind = SPOOL_FINISHED;
	bench.in_flight--;
	event_at_turn_end(&bench.later);
}

static void
fill_up(void)
{
	while (!bench.stop && bench.in_flight < bench.most) {
		bench.in_flight++;
		bench.puts++;
		spool_put(bench.spool, &bench.put, NULL, put_done, NULL);
	}
	if (bench.stop && bench.in_flight == 0)
		event_stop();
}

static void
time_is_up(void *arg)
{
	(void)arg;
	bench.stop = true;
	fill_up();
}

static void
run(unsigned most, msec_t span)
{
	struct timer timer = { 0 };
	int64_t began = time_monotonic_us(), cpu = cpu_us();
	double seconds, used;

	bench.most = most;
	bench.puts = 0;
	bench.stop = false;
	timer_set(&timer, deadline_in(span), time_is_up, NULL);
	fill_up();
	event_run();
	seconds = (double)(time_monotonic_us() - began) / 1e6;
	used = (double)(cpu_us() - cpu);
	printf("%4u in flight: %8.0f messages/s, %5.2f us CPU each\n", most,
		(double)bench.puts / seconds, used / (double)bench.puts);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const unsigned in_flight[] = { 1, 16, 64, 256 };
	struct spool_options o = {
		.segment_size = 32 << 20, .state_flush = 100, .slack = 256 << 20
	};
	char log[4096];
	size_t bytes = argc > 3 ? (size_t)atol(argv[3]) : 4096;
	msec_t span = (argc > 2 ? atol(argv[2]) : 3) * 1000;
	struct why why;

	if (argc < 2) {
		fprintf(stderr, "usage: spool_bench DIRECTORY [SECONDS [BYTES]]\n");
		return 2;
	}
	snprintf(log, sizeof(log), "%s/log", argv[1]);
	(void)mkdir(log, 0700);
	log_open("spool_bench", LOG_TO_STDERR, -1, 0);
	event_init();
	o.directory = log;
	bench.spool = spool_open(&o, &why);
	if (!bench.spool)
		log_fatal("%s", why.text);
	bench.later = (struct event_later){ .fn = end_them };
	bench.put = (struct spool_put_request){ .queue_id = STR("4XyZabcdefz1"),
		.arrival_us = 1,
		.recipients = 1,
		.envelope = str_of(mem_alloc(200), 200),
		.content = str_of(mem_alloc(bytes), bytes) };
	for (size_t i = 0; i < COUNT(in_flight); i++)
		run(in_flight[i], span);
	spool_close(bench.spool);
	return 0;
}
