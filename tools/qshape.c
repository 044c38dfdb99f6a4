/* qshape -- the queue by domain and age (qshape(1)): where mail piles up, and since when.
 * It asks showq, as mailq does. */
#include "command.h"
#include "log.h"
#include "queue_walk.h"
#include "shape.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEAR_SCREEN "\033[H\033[2J\033[3J"

static const struct command_help help = {
	"qshape [-lps] [-b bucket_count] [-c config_dir] [-m min_subdomains] "
	"[-N batch_msg_count] [-n batch_top_domains] [-t bucket_time] "
	"[-w terminal_width] [queue_name...]",
	"shows how many recipients of which domains wait in the queue, and how long\n"
	"  -s         senders instead of recipients\n"
	"  -p         domains above, too, with a dot in front\n"
	"  -m number  ... with at least so many domains below (5)\n"
	"  -b number  columns of age (10)\n"
	"  -t number  minutes in the first of them (5); each next one has twice as many\n"
	"  -l         each has the same\n"
	"  -w number  width of the table (80)\n"
	"  -N number  on a terminal: show a table every so many messages (1000)\n"
	"  -n number  on a terminal: show so many rows (20)\n"
	"  -c dir     the directory of main.cf\n"
	"The queues are incoming and active unless others are named.\n",
};

/* What Postfix knows; bounce and so on hold no mail. */
static const char *const known[] = { "maildrop", "incoming", "active", "deferred", "hold",
	"bounce", "defer", "trace", "flush", "corrupt", "saved" };

struct qshape {
	struct shape_options o;
	struct shape *shape;
	const char *directory;
	const struct conf *conf;
	bool senders;
	const char **queues;
	size_t n_queues;
	int64_t now;
	unsigned long batch,
		messages; /* an interim table every `batch` messages; 0: none */
};

/* ---- the command line ---- */

/* Numbers that make no sense leave what was there. */
static void
take_number(const char *text, double least, double *out)
{
	char *end;
	double n = strtod(text, &end);

	if (end != text && isfinite(n) && n >= least && n <= 1e9)
		*out = n;
}

static void
take_count(const char *text, unsigned least, unsigned most, unsigned *out)
{
	double n = *out;

	take_number(text, least, &n);
	*out = (unsigned)MIN(n, most);
}

static void
read_options(struct qshape *q, int argc, char **argv)
{
	unsigned batch = 1000, top = 20;
	int letter;

	while ((letter = getopt(argc, argv, "b:c:hlm:N:n:pst:w:")) > 0) {
		switch (letter) {
		case 'b':
			take_count(optarg, 1, 10000, &q->o.buckets);
			break;
		case 'c':
			q->directory = optarg;
			break;
		case 'l':
			q->o.linear = true;
			break;
		case 'm':
			take_count(optarg, 1, UINT32_MAX, &q->o.min_children);
			break;
		case 'N':
			take_count(optarg, 0, UINT32_MAX, &batch);
			break;
		case 'n':
			take_count(optarg, 0, UINT32_MAX, &top);
			break;
		case 'p':
			q->o.parents = true;
			break;
		case 's':
			q->senders = true;
			break;
		case 't':
			take_number(optarg, 1e-3, &q->o.tick);
			break;
		case 'w':
			take_count(optarg, 81, 100000, &q->o.width);
			break;
		default:
			command_usage(&help);
		}
	}
	if (isatty(STDOUT_FILENO)) {
		q->batch = batch;
		q->o.top = top;
	}
}

/* "deferred", or the directory that it would be in Postfix. */
static const char *
queue_named(const struct conf *c, const char *name)
{
	struct str rest = str_c(name), home = c->p.queue_directory;

	if (str_starts(rest, home) && str_starts(str_from(rest, home.len), STR("/")))
		name += home.len + 1;
	for (size_t i = 0; i < COUNT(known); i++)
		if (strcmp(known[i], name) == 0)
			return name;
	log_fatal("no queue has this name: %s", name);
}

/* ---- counting ---- */

static bool
is_wanted(const struct qshape *q, struct str queue)
{
	for (size_t i = 0; i < q->n_queues; i++)
		if (str_is(queue, q->queues[i]))
			return true;
	return false;
}

static bool
waits_for_anybody(const struct listing *l)
{
	for (size_t i = 0; i < l->n_rcpts; i++)
		if (!l->rcpts[i].failed)
			return true;
	return false;
}

static void
count(const struct listing *l, void *arg)
{
	struct qshape *q = arg;
	int64_t age = q->now - l->time;
	bool null = str_eq(l->sender, q->conf->p.empty_address_recipient);

	if (!is_wanted(q, l->queue) || !waits_for_anybody(l))
		return;
	if (q->senders)
		shape_add(q->shape, age, null ? STR_NONE : l->sender);
	else
		for (size_t i = 0; i < l->n_rcpts; i++)
			if (!l->rcpts[i].failed)
				shape_add(q->shape, age, l->rcpts[i].address);
	if (q->batch && ++q->messages % q->batch == 0) {
		fputs(CLEAR_SCREEN, stdout);
		shape_print(q->shape, stdout);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	static const char *usual[] = { "incoming", "active" };
	struct qshape q = {
		.o = { .buckets = 10, .tick = 5, .min_children = 5, .width = 80 },
		.queues = usual,
		.n_queues = COUNT(usual),
	};

	log_open("qshape", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	read_options(&q, argc, argv);
	q.conf = command_conf(q.directory);
	if (optind < argc) {
		q.n_queues = (size_t)(argc - optind);
		q.queues = mem_alloc(q.n_queues * sizeof(*q.queues));
		for (size_t i = 0; i < q.n_queues; i++)
			q.queues[i] = queue_named(q.conf, argv[optind + (int)i]);
	}
	q.now = time_wall_us() / 1000000;
	q.shape = shape_new(&q.o);
	queue_walk(q.conf, count, &q);
	if (q.batch)
		fputs(CLEAR_SCREEN, stdout);
	shape_print(q.shape, stdout);
	shape_free(q.shape);
	if (fflush(stdout) || ferror(stdout))
		log_fatal("output write error: %m");
	return 0;
}
