/* ask.c -- puts questions to the dns of a running instance, all at once, for the tests.
 *
 * usage: ask SOCKET <questions, one each line: FLAGS TYPE NAME
 *
 * Prints for each, in their order: NAME TYPE STATUS SECURE [PREFERENCE:]DATA ... */
#include "event.h"
#include "messages.h"
#include "net.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE 60000

struct question {
	char name[256];
	unsigned flags, type;
	bool lost;
	struct dns_reply said;
};

static struct ipc_link *to_dns;
static struct arena *arena;
static VEC(struct question) questions;
static size_t running;

static void
closed(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	to_dns = NULL;
}

static void
ask(void *arg)
{
	struct question *q = arg;
	struct dns_request request = {
		.name = str_c(q->name), .type = (uint16_t)q->type, .flags = q->flags
	};
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	dns_request_put(&bytes, &request);
	q->lost = !to_dns ||
		  ipc_link_call(to_dns, dns_TYPE, buf_str(&bytes), -1, arena, &reply,
			  NULL, deadline_in(PATIENCE)) < 0 ||
		  dns_reply_get(reply, &q->said, arena) < 0;
	if (--running == 0)
		event_stop();
}

static void
show(const struct question *q)
{
	static const char *const status[] = { "OK", "NXDOMAIN", "NODATA", "TEMPFAIL" };

	printf("%s %u %s %s", q->name, q->type,
		q->lost ? "LOST" : status[q->said.status & 3],
		q->said.secure ? "secure" : "insecure");
	for (size_t i = 0; i < q->said.n_records; i++) {
		const struct dns_rr *r = &q->said.records[i];

		if (r->type == q->type)
			printf(" %u:%.*s", r->preference, STR_ARG(r->data));
	}
	printf("\n");
}

int
main(int argc, char **argv)
{
	struct ipc_caller caller = { .program = "ask", .pid = getpid(), .uid = getuid() };
	struct question q = { 0 };
	struct why why;
	int fd;

	event_init();
	arena = arena_new();
	fd = argc == 2 ? net_connect_unix(argv[1], &why) : -1;
	if (fd < 0 || ipc_hello(fd, &caller) < 0) {
		fprintf(stderr, "usage: ask SOCKET <questions (%s)\n", strerror(errno));
		return 1;
	}
	to_dns = ipc_link_open(fd, NULL, NULL, closed, "dns");
	while (scanf("%u %u %255s", &q.flags, &q.type, q.name) == 3)
		*vec_push(&questions) = q;
	running = questions.n;
	for (size_t i = 0; i < questions.n; i++)
		co_spawn(ask, &questions.items[i], CO_STACK_SMALL);
	if (running > 0)
		event_run();
	for (size_t i = 0; i < questions.n; i++)
		show(&questions.items[i]);
	return 0;
}
