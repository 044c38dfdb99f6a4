/* put.c -- a message from cleanup: into the batch at once when it came whole; through a
 * body file of its own when it is large. Answered when it is durable, never before. */
#include "daemon.h"
#include "log.h"
#include <errno.h>

/* How long cleanup may take between two chunks of a large body: its client may be slow.
 */
#define STREAM_PATIENCE ((msec_t)1000 * 1000)

static void
answer(struct ipc_request *rq, int error, uint64_t mid)
{
	struct spool_put_reply say = {
		.error = (uint32_t)error, .mid = mid, .behind = watch_is_behind()
	};

	spool_put_answer(rq, &say);
	requests_in_hand(-1);
}

/* What was stored last, also what has been delivered meanwhile. */
static struct {
	char queue_id[32];
	uint64_t mid;
} recent[4096];

static void
stored(void *arg, int error, const struct spool_entry *e)
{
	static size_t next;

	if (!error) {
		memcpy(recent[next].queue_id, e->queue_id, sizeof(e->queue_id));
		recent[next].mid = e->mid;
		next = (next + 1) % COUNT(recent);
		watch_tell(e);
	}
	answer(arg, error, error ? 0 : e->mid);
}

/* ---- large bodies ---- */

/* A write is handed to a helper thread, which costs more than to put a few chunks
 * together.
 */
#define WRITE_LEAST ((size_t)128 * 1024)

struct body_work {
	struct spool_body *body;
	struct str bytes;
	int error;
};

static void
write_chunk(void *arg)
{
	struct body_work *w = arg;

	w->error = spool_body_write(w->body, w->bytes) < 0 ? errno : 0;
}

/* The last bytes, and all of it onto the disk. */
static void
finish_body(void *arg)
{
	struct body_work *w = arg;

	write_chunk(w);
	if (!w->error)
		w->error = spool_body_finish(w->body) < 0 ? errno : 0;
}

/* Chunks until there is enough for a write, or no more: 1, 0 at the end, -1 and errno. */
SWITCHES static int
gather(struct ipc_request *rq, struct buf *bytes)
{
	struct str chunk;
	int got = 1;

	while (bytes->len < WRITE_LEAST && got > 0) {
		got = ipc_request_read(rq, &chunk, deadline_in(STREAM_PATIENCE));
		if (got > 0)
			buf_add(bytes, chunk);
	}
	return got;
}

/* The stream into the file. 0, or the errno that ended it. */
SWITCHES static int
receive_body(struct ipc_request *rq, struct spool_body *body)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct body_work w = { .body = body };
	int got = 1;

	while (got > 0) {
		got = gather(rq, &bytes);
		if (got < 0)
			return errno;
		w.bytes = buf_str(&bytes);
		event_offload(got > 0 ? write_chunk : finish_body, &w);
		if (w.error)
			return w.error;
		buf_clear(&bytes);
	}
	return 0;
}

SWITCHES static void
put_large(struct ipc_request *rq, const struct spool_put_request *m)
{
	int error;
	struct spool_body *body = spool_body_new(the_spool, &error);

	if (!body) {
		answer(rq, error, 0);
		return;
	}
	error = receive_body(rq, body);
	if (error) {
		spool_body_abort(body);
		answer(rq, error, 0);
		return;
	}
	spool_put(the_spool, m, body, stored, rq);
}

/* ---- mail that brought cleanup down ---- */
struct corrupt_work {
	char queue[4096];
	const struct spool_put_request *m;
	struct buf content;
	int error;
};

static void
write_corrupt(void *arg)
{
	struct corrupt_work *w = arg;

	w->error = keep_corrupt(
		w->queue, w->m->queue_id, w->m->envelope, buf_str(&w->content));
}

SWITCHES static void
put_corrupt(struct ipc_request *rq, const struct spool_put_request *m)
{
	struct corrupt_work *w = mem_alloc(sizeof(*w));
	octets_t most = (octets_t)MAX(service_conf()->p.message_size_limit, 1 << 20) * 2;
	struct str queue = service_conf()->p.queue_directory, chunk;
	int got = m->large ? 1 : 0;

	memcpy(w->queue, queue.data, MIN(queue.len, sizeof(w->queue) - 1));
	w->m = m;
	buf_add(&w->content, m->content);
	while (got > 0 && w->content.len < most) {
		got = ipc_request_read(rq, &chunk, deadline_in(STREAM_PATIENCE));
		if (got > 0)
			buf_add(&w->content, chunk);
	}
	event_offload(write_corrupt, w);
	answer(rq, got < 0 ? ECONNRESET : w->error, 0);
	buf_free(&w->content);
	mem_free(w);
}

/* ---- mail that another cleanup had before ---- */
struct search {
	struct str queue_id;
	uint64_t mid; /* 0: not found */
};

static bool
is_other(const struct spool_entry *e, void *arg)
{
	struct search *s = arg;

	if (!str_is(s->queue_id, e->queue_id))
		return true;
	s->mid = e->mid;
	return false;
}

/* Was it stored before its cleanup died? Then its mid. Looks through all there is: that
 * happens only after a crash. */
static uint64_t
stored_already(const struct spool_put_request *m)
{
	struct search s = { .queue_id = m->queue_id };

	if (!m->again)
		return 0;
	for (size_t i = 0; i < COUNT(recent); i++)
		if (str_is(m->queue_id, recent[i].queue_id))
			return recent[i].mid;
	spool_each(the_spool, is_other, &s);
	return s.mid;
}

/* ---- the request ---- */
static void
put_slowly(void *arg)
{
	struct ipc_request *rq = arg;
	struct spool_put_request m;

	co_name("put");
	if (spool_put_request_get(rq->payload, &m, rq->arena) < 0)
		answer(rq, EPROTO, 0);
	else if (m.corrupt)
		put_corrupt(rq, &m);
	else
		put_large(rq, &m);
}

void
run_put(struct ipc_request *rq)
{
	struct spool_put_request m;
	uint64_t mid;

	if (!asked_by(rq, "cleanup"))
		return;
	requests_in_hand(1);
	if (spool_put_request_get(rq->payload, &m, rq->arena) < 0) {
		log_warn("malformed message from cleanup (process %d)",
			(int)rq->caller->pid);
		answer(rq, EPROTO, 0);
	} else if (m.large || m.corrupt) {
		rq->payload =
			arena_str(rq->arena, rq->payload); /* it outlives this call */
		co_spawn(put_slowly, rq, CO_STACK_SMALL);
	} else if ((mid = stored_already(&m)) != 0) {
		answer(rq, 0, mid);
	} else {
		spool_put(the_spool, &m, NULL, stored, rq);
	}
}
