/* postern_limits.c -- what anvil has counted for logins and sender domains, and how one
 * of them begins anew. */
#include "postern.h"
#include "event.h"
#include "log.h"
#include "net.h"
#include "queue_client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE ((msec_t)30000)

static struct {
	struct quota_list_request request;
	struct quota_list_reply reply;
} ask;

static struct ipc_link *
connect_anvil(void)
{
	struct ipc_caller me = { .program = "command", .pid = getpid(), .uid = getuid() };
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct why why = { 0 };
	int fd;

	buf_add(&path, postern.conf->p.queue_directory);
	buf_addz(&path, "/private/anvil");
	fd = net_connect_unix(buf_cstr(&path), &why);
	if (fd < 0 || ipc_hello(fd, &me) < 0)
		log_fatal("connect to %s: %s", buf_cstr(&path), strerror(errno));
	return ipc_link_open(fd, NULL, NULL, NULL, "anvil");
}

static void
ask_anvil(void *arg)
{
	struct ipc_link *link = connect_anvil();
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct arena *arena = arg;
	struct str reply;

	quota_list_request_put(&bytes, &ask.request);
	if (ipc_link_call(link, quota_list_TYPE, buf_str(&bytes), -1, arena, &reply, NULL,
		    deadline_in(PATIENCE)) < 0 ||
		ipc_decoded(quota_list_reply_get(reply, &ask.reply, arena)) < 0)
		log_fatal("anvil does not answer: %s", strerror(errno));
	ipc_link_close(link);
}

/* ---- printing ---- */

static int
by_name(const void *a, const void *b)
{
	return str_cmp(((const struct quota_account *)a)->name,
		((const struct quota_account *)b)->name);
}

/* Names come from clients: what does not print is escaped. */
static void
print_span(struct str name, const char *period, const struct quota_span *span)
{
	struct buf who CLEANUP(buf_free) = BUF_INIT;
	time_t began = (time_t)span->began;
	char when[32] = "";
	struct tm tm;

	if (span->began == 0)
		return;
	c_escape(name, &who);
	localtime_r(&began, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	printf(STR_FMT " %s since %s: messages=%llu recipients=%llu bytes=%llu\n",
		STR_ARG(buf_str(&who)), period, when, (unsigned long long)span->messages,
		(unsigned long long)span->recipients, (unsigned long long)span->bytes);
}

static void
print_all(void)
{
	static const char *const periods[QUOTA_PERIODS] = {
		[QUOTA_HOUR] = "hour",
		[QUOTA_DAY] = "day",
	};

	if (ask.reply.n_accounts > 0)
		qsort(ask.reply.accounts, ask.reply.n_accounts,
			sizeof(*ask.reply.accounts), by_name);
	for (size_t i = 0; i < ask.reply.n_accounts; i++) {
		const struct quota_account *a = &ask.reply.accounts[i];

		for (size_t j = 0; j < MIN(a->n_spans, QUOTA_PERIODS); j++)
			print_span(a->name, periods[j], &a->spans[j]);
	}
	if (ask.reply.left_out > 0)
		log_warn("%llu more are not shown: name those you mean",
			(unsigned long long)ask.reply.left_out);
}

/* ---- arguments ---- */

static bool
was_found(struct str name)
{
	for (size_t i = 0; i < ask.reply.n_accounts; i++)
		if (str_case_eq(ask.reply.accounts[i].name, name))
			return true;
	return false;
}

/* limits [--lift] [login:NAME | domain:NAME ...] */
int
postern_limits(void)
{
	struct arena *arena = postern.conf->arena;
	struct strs *names = &ask.request.names;
	int status = 0;

	names->items = arena_alloc(arena, (size_t)postern.argc * sizeof(*names->items));
	for (int i = 1; i < postern.argc; i++)
		if (i == 1 && strcmp(postern.argv[i], "--lift") == 0)
			ask.request.lift = true;
		else
			names->items[names->n++] = str_c(postern.argv[i]);
	for (size_t i = 0; i < names->n; i++)
		if (!str_starts(names->items[i], STR("login:")) &&
			!str_starts(names->items[i], STR("domain:")))
			log_fatal("limits: login:NAME or domain:NAME, not " STR_FMT,
				STR_ARG(names->items[i]));
	if (ask.request.lift && names->n == 0)
		log_fatal("limits --lift: whose?");
	queue_client_run(ask_anvil, arena);
	if (!ask.request.lift)
		print_all();
	for (size_t i = 0; i < names->n; i++)
		if (!was_found(names->items[i])) {
			log_warn("limits: " STR_FMT ": nothing was counted",
				STR_ARG(names->items[i]));
			status = 1;
		}
	return fflush(stdout) == 0 ? status : 1;
}
