/* showq -- tells who asks on public/showq what is in the queue. qmgr says where each
 * message and its states are; sender, recipients and reasons are read from the log here,
 * so that a long listing costs the scheduler nothing. */
#include "event.h"
#include "listing.h"
#include "log.h"
#include "maildrop.h"
#include "messages.h"
#include "service.h"
#include "spool.h"
#include <errno.h>
#include <stdio.h>

#define AT_ONCE  500 /* messages asked for and read in one go */
#define PATIENCE ((msec_t)60000)

/* A part of the listing, on its way through a helper thread. */
struct part {
	struct queue_list_reply said;
	struct arena *arena;
	struct buf bytes;
};

static struct spool_reader *
reader(void)
{
	static _Thread_local struct spool_reader *mine;
	struct why why = { 0 };
	char path[4096];

	if (mine)
		return mine;
	snprintf(path, sizeof(path), STR_FMT "/log",
		STR_ARG(service_conf()->p.queue_directory));
	mine = spool_reader_open(path, &why);
	if (!mine)
		log_warn("cannot read the queue: %s", why.text);
	return mine;
}

static void
read_entry(struct part *part, const struct queue_entry *e)
{
	struct listing l;

	/* It may have ended, or moved, since qmgr said so: then it is not listed. */
	if (!reader() || listing_of_entry(reader(), e, part->arena, &l) < 0)
		return;
	if (l.sender.len == 0)
		l.sender = service_conf()->p.empty_address_recipient;
	listing_put(&part->bytes, &l);
}

static void
read_part(void *arg)
{
	struct part *part = arg;

	for (size_t i = 0; i < part->said.n_entries; i++)
		read_entry(part, &part->said.entries[i]);
}

static void
put_dropped(const struct listing *l, void *arg)
{
	listing_put(arg, l);
}

/* Local mail first, as in Postfix: it will be the next to come in. */
static void
read_maildrop(void *arg)
{
	struct part *part = arg;

	if (maildrop_each(service_conf()->p.queue_directory, put_dropped, &part->bytes) <
		0)
		log_warn("cannot read maildrop: %m");
}

/* Asks for the next part: 1, 0 at the end, -1 when qmgr does not answer. */
SWITCHES static int
next_part(struct part *part, uint64_t *after)
{
	struct queue_list_request ask = { .after = *after, .most = AT_ONCE };

	if (queue_list_call(service_peer("qmgr"), &ask, &part->said, part->arena,
		    deadline_in(PATIENCE)) < 0) {
		log_warn("qmgr does not answer: %m");
		return -1;
	}
	if (part->said.n_entries == 0)
		return 0;
	*after = part->said.entries[part->said.n_entries - 1].mid;
	return 1;
}

/* A listing that qmgr does not finish has no end: whoever reads it must not take what is
 * missing for an empty queue. */
SWITCHES static void
showq_session(struct conn *conn)
{
	struct part part = { .bytes = BUF_INIT };
	uint64_t after = 0;
	int more = 1;

	co_name("listing");
	part.arena = arena_new();
	listing_put_greeting(&part.bytes);
	event_offload(read_maildrop, &part);
	while (more > 0) {
		arena_reset(part.arena);
		more = next_part(&part, &after);
		if (more > 0)
			event_offload(read_part, &part);
		else if (more == 0)
			listing_put_end(&part.bytes);
		conn_write(conn, buf_str(&part.bytes));
		buf_clear(&part.bytes);
		if (conn_flush(conn, deadline_in(PATIENCE)) != CONN_OK)
			break;
	}
	buf_free(&part.bytes);
	arena_free(part.arena);
}

/* Landlock: maildrop may be looked into, and no more. */
static void
before_jail(void)
{
	char path[4096];

	snprintf(path, sizeof(path), STR_FMT "/maildrop",
		STR_ARG(service_conf()->p.queue_directory));
	service_allow_read(path);
}

static const char *const peers[] = { "qmgr", NULL };

static const struct service showq = {
	.name = "showq",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_SPOOL_READ,
	.peers = peers,
	.before_jail = before_jail,
	.plain = showq_session,
};

int
main(int argc, char **argv)
{
	return service_main(&showq, argc, argv);
}
