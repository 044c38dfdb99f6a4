/* many.c -- a log with many sleeping messages, for what depends on their number.
 *
 * usage: many DIRECTORY fill N [BYTES]   puts N messages that wait until tomorrow
 *        many DIRECTORY open             says how a start with them went */
#include "event.h"
#include "log.h"
#include "spool.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { IN_FLIGHT = 500 };

static struct {
	struct spool *spool;
	unsigned started, stored, slept, n;
	struct str content;
	uint64_t now;
} many;

static void
open_log_of(const char *directory)
{
	struct spool_options o = { .directory = directory,
		.segment_size = 32 << 20,
		.state_flush = 100,
		.slack = 256 << 20 };
	struct why why;

	many.spool = spool_open(&o, &why);
	if (!many.spool)
		log_fatal("%s", why.text);
}

/* ---- filling ---- */
static void put_more(void);

static void
sleeps(void *arg, int error)
{
	(void)arg;
	if (error)
		log_fatal("update: %s", strerror(error));
	if (++many.slept == many.n)
		event_stop();
}

static void
stored(void *arg, int error, const struct spool_entry *e)
{
	struct spool_state s = { .kind = SPOOL_DEFERRED,
		.when_us = many.now + (uint64_t)24 * 3600 * 1000000,
		.status = STR("4.4.1"),
		.reason = STR(
			"connect to mx.example[192.0.2.1]:25: Connection timed out") };

	(void)arg;
	if (error)
		log_fatal("put: %s", strerror(error));
	s.mid = e->mid;
	spool_update(many.spool, &s, 1, sleeps, NULL);
	many.stored++;
	put_more();
}

static void
put_one(unsigned i)
{
	char id[32], address[64];
	struct rcpt rcpt = { 0 };
	struct envelope e = { .arrival_us = many.now, .rcpts = &rcpt, .n_rcpts = 1 };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct spool_put_request ask = { .arrival_us = many.now, .recipients = 1 };

	snprintf(id, sizeof(id), "%014X", i + 1);
	snprintf(address, sizeof(address), "user%u@slow.example", i);
	rcpt.address = str_c(address);
	e.queue_id = str_c(id);
	e.sender = STR("sender@here.example");
	envelope_put(&bytes, &e);
	ask.queue_id = e.queue_id;
	ask.envelope = buf_str(&bytes);
	ask.content = many.content;
	spool_put(many.spool, &ask, NULL, stored, NULL);
}

static void
put_more(void)
{
	while (many.started < many.n && many.started - many.stored < IN_FLIGHT)
		put_one(many.started++);
}

static void
fill(const char *directory, unsigned n, size_t bytes)
{
	char *content = mem_alloc(bytes);

	memset(content, 'x', bytes);
	for (size_t i = 60; i < bytes; i += 60)
		content[i] = '\n';
	memcpy(content, "Subject: x\n\n", MIN(bytes, (size_t)12));
	many.content = str_of(content, bytes);
	many.n = n;
	many.now = (uint64_t)time_wall_us();
	open_log_of(directory);
	spool_index(many.spool);
	put_more();
	if (n > 0)
		event_run();
	spool_close(many.spool);
}

/* ---- opening ---- */
static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void
say(const char *what, int64_t began)
{
	printf("%s %.0f ms, %.0f ms of CPU\n", what,
		(double)(time_monotonic_us() - began) / 1e3, cpu_ms());
}

static void
indexed(void *arg)
{
	(void)arg;
	event_stop();
}

static void
open_and_tell(const char *directory)
{
	int64_t began = time_monotonic_us();
	struct rusage u;

	open_log_of(directory);
	say("ready", began);
	spool_on_indexed(many.spool, indexed, NULL);
	event_run();
	say("indexed", began);
	getrusage(RUSAGE_SELF, &u);
	printf("messages %zu, most memory %ld KB\n", spool_count(many.spool),
		u.ru_maxrss);
	spool_close(many.spool);
}

int
main(int argc, char **argv)
{
	bool fills = argc >= 4 && strcmp(argv[2], "fill") == 0;

	if (!fills && (argc != 3 || strcmp(argv[2], "open") != 0)) {
		fprintf(stderr, "usage: many DIRECTORY fill N [BYTES] | open\n");
		return 2;
	}
	log_open("many", LOG_TO_STDERR, -1, 0);
	event_init();
	(void)mkdir(argv[1], 0700);
	if (fills)
		fill(argv[1], (unsigned)atoi(argv[3]),
			argc > 4 ? (size_t)atol(argv[4]) : 1000);
	else
		open_and_tell(argv[1]);
	return 0;
}
