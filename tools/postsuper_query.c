/* postsuper_query.c -- see postsuper.h. */
#include "postsuper.h"
#include "log.h"
#include "queue_query.h"
#include "queue_client.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Times that a message is looked for which the cleaner moves on and on. */
#define MOVES 10

static struct {
	struct queue_query query;
	struct spool_reader *reader;
	struct str null_sender;
} open_query;

void
query_open(const struct conf *c, struct str text, struct arena *arena)
{
	const char *log = queue_client_log(c);
	struct why why = { 0 };

	open_query.null_sender = c->p.empty_address_recipient;
	if (queue_query_parse(
		    text, open_query.null_sender, arena, &open_query.query, &why) < 0)
		log_fatal("%s", why.text);
	if (access(log, F_OK) < 0 && errno == ENOENT)
		return; /* never started: nothing in it */
	open_query.reader = spool_reader_open(log, &why);
	if (!open_query.reader)
		log_fatal("cannot read the queue: %s", why.text);
}

static bool
matches(struct listing *l)
{
	if (l->sender.len == 0)
		l->sender = open_query.null_sender;
	return queue_query_matches(
		&open_query.query, l, (int64_t)(time_wall_us() / 1000000));
}

bool
query_means_entry(struct ipc_link *link, const struct queue_entry *e)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str id = e->queue_id;
	struct queue_list_request again = { .queue_ids = { &id, 1 }, .most = 1 };
	struct queue_list_reply said;
	struct listing l;

	for (int i = 0; i < MOVES; i++) {
		if (listing_of_entry(open_query.reader, e, arena, &l) == 0)
			return matches(&l);
		if (errno != ESTALE)
			break;
		queue_client_list(link, &again, arena, &said);
		if (said.n_entries == 0)
			return false;
		e = &said.entries[0];
	}
	log_warn(STR_FMT ": cannot be read: %s", STR_ARG(id), strerror(errno));
	return false;
}

bool
query_means_stored(const struct spool_entry *e, struct str queue)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct listing l = { .queue = queue,
		.queue_id = str_c(e->queue_id),
		.time = (int64_t)(e->arrival_us / 1000000),
		.size = e->size,
		.expire = e->expire };

	if (listing_read(open_query.reader, e->mid, e->where, e->states, e->n_states,
		    arena, &l) < 0) {
		log_warn("%s: cannot be read: %s", e->queue_id, strerror(errno));
		return false;
	}
	return matches(&l);
}
