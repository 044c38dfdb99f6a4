/* flush -- tries the mail of one site again on request (ETRN, postqueue -s).
 *
 * Postfix keeps a list of queue files for each site that may ask. Here one look through
 * the queue finds the messages: it costs a reading of the log when somebody asks, and
 * nothing, in the disk and in the way of mail, when nobody does. */
#include "dict.h"
#include "event.h"
#include "listing.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "spool.h"
#include <stdio.h>

#define AT_ONCE    500 /* messages asked for and read in one go */
#define SITES_MOST 1000
#define SITE_MOST  255
#define PATIENCE   ((msec_t)60000)

static struct match_list *allowed;
static struct spool_reader *reader;

/* Who asks while the queue is being looked through waits for the next time: one look
 * serves all. */
static struct {
	struct map *sites; /* lower case -> itself */
	bool running;
} next;

/* ---- the messages of some sites ---- */

struct part {
	struct queue_list_reply said;
	const struct map *sites;
	struct arena *arena;
	VEC(struct str) ids;
};

static bool
concerns(const struct part *part, const struct listing *l)
{
	for (size_t i = 0; i < l->n_rcpts; i++) {
		struct str address = l->rcpts[i].address;
		ssize_t at = str_rchr(address, '@');

		if (at >= 0 &&
			map_get(part->sites, arena_lower(part->arena,
						     str_from(address, (size_t)at + 1))))
			return true;
	}
	return false;
}

static void
read_part(void *arg)
{
	struct part *part = arg;

	for (size_t i = 0; i < part->said.n_entries; i++) {
		const struct queue_entry *e = &part->said.entries[i];
		struct listing l;

		/* It may have ended, or moved, since qmgr said so. */
		if (str_is(e->queue, "deferred") &&
			listing_of_entry(reader, e, part->arena, &l) == 0 &&
			concerns(part, &l))
			*vec_push(&part->ids) = e->queue_id;
	}
}

/* One part of the queue: 1, 0 at its end, -1 when qmgr does not answer. */
SWITCHES static int
flush_part(struct part *part, uint64_t *after)
{
	struct queue_list_request ask = { .after = *after, .most = AT_ONCE };
	struct queue_change_request change = { .action = QUEUE_FLUSH };
	struct queue_change_reply changed;

	if (queue_list_call(service_peer("qmgr"), &ask, &part->said, part->arena,
		    deadline_in(PATIENCE)) < 0)
		return -1;
	if (part->said.n_entries == 0)
		return 0;
	*after = part->said.entries[part->said.n_entries - 1].mid;
	event_offload(read_part, part);
	change.queue_ids = (struct strs){ part->ids.items, part->ids.n };
	if (part->ids.n > 0 && queue_change_call(service_peer("qmgr"), &change, &changed,
				       part->arena, deadline_in(PATIENCE)) < 0)
		return -1;
	return 1;
}

SWITCHES static void
flush_sites(const struct map *sites)
{
	struct part part = { .sites = sites, .arena = arena_new() };
	uint64_t after = 0;
	int more;

	do {
		arena_reset(part.arena);
		part.ids.n = 0;
		more = flush_part(&part, &after);
	} while (more > 0);
	if (more < 0)
		log_warn("qmgr does not answer: %m");
	vec_free(&part.ids);
	arena_free(part.arena);
}

static void
flush_run(void *arg)
{
	(void)arg;
	co_name("flush");
	while (next.sites) {
		struct map *sites = next.sites;

		next.sites = NULL;
		flush_sites(sites);
		map_free(sites);
	}
	next.running = false;
}

/* ---- requests ---- */

static enum flush_status
flush_request_for(struct str site, struct arena *arena)
{
	struct why why;

	if (site.len == 0 || site.len > SITE_MOST)
		return FLUSH_BAD;
	switch (match_domain(allowed, site, &why)) {
	case DICT_FOUND:
		break;
	case DICT_NOTFOUND:
		return FLUSH_DENIED;
	case DICT_ERROR:
		log_warn("fast_flush_domains: %s", why.text);
		return FLUSH_FAILED;
	}
	if (!next.sites)
		next.sites = map_new();
	if (map_count(next.sites) >= SITES_MOST)
		return FLUSH_FAILED;
	map_set(next.sites, arena_lower(arena, site), &next);
	if (!next.running)
		co_spawn(flush_run, NULL, CO_STACK_SMALL);
	next.running = true;
	return FLUSH_OK;
}

static void
answer(struct ipc_request *rq)
{
	struct flush_request ask;
	struct flush_reply say = { .status = FLUSH_BAD };

	if (flush_request_get(rq->payload, &ask, rq->arena) == 0)
		say.status = flush_request_for(ask.site, rq->arena);
	flush_answer(rq, &say);
}

static const struct ipc_handler handlers[] = {
	{ .type = flush_TYPE, .run = answer },
	{ 0 },
};

/* public/flush, from postqueue: a line with the site, answered by one with a letter. */
SWITCHES static void
plain(struct conn *conn)
{
	static const char letters[] = { [FLUSH_OK] = 'O',
		[FLUSH_DENIED] = 'D',
		[FLUSH_BAD] = 'B',
		[FLUSH_FAILED] = 'F' };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str site;

	conn->line_limit = SITE_MOST + 1;
	if (conn_read_line(conn, &site, deadline_in(PATIENCE)) != CONN_LINE)
		return;
	conn_printf(conn, "%c\n", letters[flush_request_for(site, arena)]);
	(void)conn_flush(conn, deadline_in(PATIENCE));
}

/* ---- start ---- */

static void
before_jail(void)
{
	const struct conf *c = service_conf();

	allowed = match_list_open("fast_flush_domains", c->p.fast_flush_domains,
		match_parents(c, "fast_flush_domains"), c);
}

static void
start(void)
{
	struct why why = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), STR_FMT "/log",
		STR_ARG(service_conf()->p.queue_directory));
	reader = spool_reader_open(path, &why);
	if (!reader)
		log_fatal("cannot read the queue: %s", why.text);
}

static const char *const peers[] = { "qmgr", "proxymap", NULL };

static const struct service flush = {
	.name = "flush",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_SPOOL_READ | SANDBOX_TABLES,
	.peers = peers,
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.plain = plain,
};

int
main(int argc, char **argv)
{
	return service_main(&flush, argc, argv);
}
